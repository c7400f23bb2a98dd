from __future__ import annotations

import pytest

from migrator.errors import FerryError, Kind
from migrator.model import MessageNumber, MessageRow
from migrator.pop3.failure import BrokenAtError
from migrator.pop3.protocol import Verb
from migrator.run.suspects import Suspects, WithoutTop

ROW, OTHER = MessageRow(7), MessageRow(8)


def broke(verb: Verb = Verb.RETR, *, is_first: bool) -> BrokenAtError:
    return BrokenAtError(verb, MessageNumber(1), FerryError(Kind.CONNECT, "closed"), is_first=is_first)


@pytest.mark.parametrize("is_first", [True, False])
def test_once_may_be_chance(is_first: bool) -> None:
    suspects = Suspects()
    suspects.broke_at(ROW, broke(is_first=is_first), is_archived=False)
    assert ROW in suspects
    assert suspects.are_left
    assert not suspects.set_aside
    assert suspects.are_without(OTHER)


@pytest.mark.parametrize("before", [True, False])
def test_only_what_a_session_begins_with_is_set_aside_and_only_the_second_time(before: bool) -> None:
    suspects = Suspects()
    suspects.broke_at(ROW, broke(is_first=before), is_archived=True)
    suspects.broke_at(ROW, broke(is_first=False), is_archived=True)
    assert not suspects.set_aside
    suspects.broke_at(ROW, broke(is_first=True), is_archived=True)
    assert [(row, one.is_archived) for row, one in suspects.set_aside.items()] == [(ROW, True)]
    assert not suspects.are_left
    assert not suspects.are_without(ROW)


def test_what_an_earlier_run_set_aside_is_suspected_at_once_and_not_again_once_it_is_set_aside() -> None:
    suspects = Suspects()
    suspects.recall(ROW)
    assert ROW in suspects
    suspects.broke_at(ROW, broke(is_first=True), is_archived=False)
    suspects.recall(ROW)
    assert list(suspects.set_aside) == [ROW]
    assert not suspects.are_left


def test_what_comes_is_cleared_but_for_its_deletion() -> None:
    suspects = Suspects()
    suspects.recall(ROW)
    suspects.broke_at(OTHER, broke(Verb.DELE, is_first=False), is_archived=True)
    suspects.came(ROW)
    suspects.came(OTHER)
    assert ROW not in suspects
    assert OTHER in suspects
    suspects.clear([ROW, OTHER])
    assert not suspects.are_left


def test_a_dele_that_breaks_the_line_has_a_cure() -> None:
    suspects = Suspects()
    suspects.broke_at(ROW, broke(Verb.DELE, is_first=True), is_archived=True)
    suspects.broke_at(ROW, broke(Verb.DELE, is_first=True), is_archived=True)
    assert suspects.set_aside[ROW].error.cure.endswith(f"mailferry quarantine --accept {int(ROW)}")
    suspects.recall(OTHER)
    suspects.broke_at(OTHER, broke(Verb.RETR, is_first=True), is_archived=False)
    assert not suspects.set_aside[OTHER].error.cure


def test_two_messages_whose_top_breaks_the_line_are_enough_to_ask_no_more() -> None:
    without = WithoutTop()
    without.add(MessageNumber(3))
    without.add(MessageNumber(3))
    assert [number for number in range(1, 6) if number in without] == [3]
    without.add(MessageNumber(5))
    assert all(number in without for number in range(1, 6))


def test_all_headers_may_be_forgone_at_once() -> None:
    without = WithoutTop()
    without.add_all()
    assert MessageNumber(1) in without
