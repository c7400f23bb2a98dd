from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest

from migrator.discovery.at_once import Answers, Patience, ask_all
from migrator.discovery.found import Found, Origin, Outcome
from migrator.errors import DefectError, FerryError, Kind
from migrator.net.tls import TlsMode

ONE = Outcome((Found("pop.example.org", 995, TlsMode.IMPLICIT, "alice", Origin.GUESS, "was guessed"),))
NEVER = Event()


def silent() -> Outcome:
    NEVER.wait(20)
    return Outcome()


def is_found(*numbers: int) -> Callable[[Answers], bool]:
    return lambda answers: all(number in answers and answers[number].found for number in numbers)


def test_all_are_asked_and_answered() -> None:
    answers = ask_all([lambda: ONE, Outcome], Patience(5.0, lambda _: False))
    assert dict(answers) == {0: ONE, 1: Outcome()}


def test_nobody_is_waited_for_once_it_is_decided() -> None:
    assert set(ask_all([lambda: ONE, silent], Patience(15.0, is_found(0)))) == {0}


def test_who_is_silent_costs_the_budget_and_no_more() -> None:
    assert set(ask_all([silent, lambda: ONE], Patience(0.5, lambda _: False))) == {1}


def test_a_good_answer_leaves_the_others_a_grace() -> None:
    patience = Patience(15.0, lambda _: False, is_good=is_found(1), grace=0.05)
    assert set(ask_all([silent, lambda: ONE], patience)) == {1}


def test_sources_can_be_asked_one_after_the_other() -> None:
    asked: list[int] = []

    def asking(number: int, outcome: Outcome) -> Callable[[], Outcome]:
        def ask() -> Outcome:
            asked.append(number)
            return outcome

        return ask

    asks = [asking(0, Outcome()), asking(1, Outcome()), asking(2, ONE), asking(3, ONE)]
    ask_all(asks, Patience(60.0, is_found(2), between=30.0))
    assert asked == [0, 1, 2], "an answer in vain holds up nobody"


def test_who_is_silent_holds_up_the_next_for_a_moment_only() -> None:
    assert set(ask_all([silent, lambda: ONE], Patience(15.0, is_found(1), between=0.05))) == {1}


def test_an_error_of_a_source_is_a_note_and_a_defect_comes_out() -> None:
    def refuses() -> Outcome:
        raise FerryError(Kind.CONNECT, "nobody there")

    def breaks() -> Outcome:
        raise KeyError("odd")

    assert ask_all([refuses], Patience(5.0, lambda _: False))[0].notes == ("nobody there",)
    with pytest.raises(DefectError):
        ask_all([breaks], Patience(5.0, lambda _: False))
