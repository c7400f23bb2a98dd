from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.errors import FerryError, Kind
from migrator.model import MessageNumber
from migrator.pop3.failure import Break, BrokenAtError, blamed_command, blamed_retrieval, has_lost_step
from migrator.pop3.protocol import OutOfStepError, Verb, out_of_step

CUT = FerryError(Kind.CONNECT, "the server closed the connection")
SILENT = FerryError(Kind.TIMEOUT, "the server was silent")
LOST = out_of_step("STAT's numbers do not fit", b"")

IN_FLIGHT = Break(
    due=(Verb.RETR, 7),
    has_begun=True,
    reads_as_stat=False,
    ends_in_dot=False,
    differing=None,
    last=MessageNumber(6),
    is_one_by_one=False,
    is_pipelining_unproven=False,
    has_any_in_step=True,
)
ONE_BY_ONE = replace(IN_FLIGHT, is_one_by_one=True)


@pytest.mark.parametrize(
    ("error", "broke", "number"),
    [
        # A line that breaks inside a message, or before it, names that message.
        (CUT, IN_FLIGHT, 7),
        (CUT, replace(IN_FLIGHT, has_begun=False), 7),
        (SILENT, ONE_BY_ONE, 7),
        # One that breaks behind whole messages names none of them.
        (CUT, replace(IN_FLIGHT, due=(Verb.STAT, 0)), None),
        # Commands sent ahead that were never answered: the server lost them, as far as one can tell.
        (SILENT, replace(IN_FLIGHT, has_begun=False, is_pipelining_unproven=True), None),
        # A lost step names what should have come, what differed, or what came last; with others in flight, nothing.
        (LOST, ONE_BY_ONE, 7),
        (LOST, IN_FLIGHT, None),
        (LOST, replace(ONE_BY_ONE, due=None), 6),
        (LOST, replace(ONE_BY_ONE, due=None, last=None), None),
        (LOST, replace(ONE_BY_ONE, due=None, differing=MessageNumber(4)), 4),
        # Other octets than announced, and then nothing: the message with those octets, not the next one.
        (SILENT, replace(ONE_BY_ONE, due=(Verb.STAT, 0), differing=MessageNumber(4)), 4),
        (SILENT, replace(ONE_BY_ONE, has_begun=False, differing=MessageNumber(4)), 4),
        (SILENT, replace(ONE_BY_ONE, differing=MessageNumber(4)), 7),
        # What concerns the account, or is an answer, blames nobody.
        (FerryError(Kind.IN_USE, "in use"), ONE_BY_ONE, None),
        (FerryError(Kind.REFUSED, "no"), ONE_BY_ONE, None),
    ],
)
def test_who_is_blamed_for_a_retrieval_that_ended_early(error: FerryError, broke: Break, number: int | None) -> None:
    blamed = blamed_retrieval(error, broke)
    assert (blamed.number if isinstance(blamed, BrokenAtError) else None) == number


def test_what_blames_nobody_is_passed_on_as_it_is_but_for_a_step_that_is_lost_in_flight() -> None:
    behind_all = replace(IN_FLIGHT, due=(Verb.STAT, 0))
    for error, broke in ((CUT, behind_all), (LOST, IN_FLIGHT), (LOST, replace(ONE_BY_ONE, due=None, last=None))):
        assert blamed_retrieval(error, broke) is error
    assert isinstance(blamed_retrieval(CUT, replace(IN_FLIGHT, due=None)), OutOfStepError)
    assert blamed_command(CUT, Verb.DELE, None, is_first=True) is CUT


def test_a_barrier_in_a_messages_place_is_a_missing_reply_and_no_message_is_blamed() -> None:
    assert isinstance(blamed_retrieval(CUT, replace(IN_FLIGHT, reads_as_stat=True)), OutOfStepError)
    assert isinstance(blamed_retrieval(CUT, replace(ONE_BY_ONE, reads_as_stat=True)), BrokenAtError)


def test_a_dot_that_may_be_the_end_is_told_as_a_message_that_has_none() -> None:
    blamed = blamed_retrieval(SILENT, replace(IN_FLIGHT, ends_in_dot=True))
    assert isinstance(blamed, BrokenAtError)
    assert (blamed.kind, blamed.number) == (Kind.SHORT, 7)
    assert blamed_retrieval(CUT, replace(IN_FLIGHT, ends_in_dot=True)).kind is Kind.CONNECT


@pytest.mark.parametrize(
    ("has_any_in_step", "last", "is_first"),
    [(False, None, True), (False, 7, True), (False, 6, False), (True, 7, False)],
)
def test_only_a_session_that_begins_with_it_proves_a_message_guilty(
    has_any_in_step: bool, last: int | None, is_first: bool
) -> None:
    came_last = None if last is None else MessageNumber(last)
    blamed = blamed_retrieval(CUT, replace(ONE_BY_ONE, has_any_in_step=has_any_in_step, last=came_last))
    assert isinstance(blamed, BrokenAtError)
    assert blamed.is_first is is_first


@pytest.mark.parametrize(
    ("due", "otherwise", "number"),
    [
        ((Verb.TOP, 3), [], 3),
        ((Verb.STAT, 0), [5], 5),
        (None, [5], 5),
        (None, [], None),
        ((Verb.RETR, 3), [], None),
    ],
)
def test_who_is_blamed_for_a_top_that_ended_the_session(
    due: tuple[Verb, int] | None, otherwise: list[int], number: int | None
) -> None:
    blamed = blamed_command(CUT, Verb.TOP, due, list(map(MessageNumber, otherwise)), is_first=True)
    assert (blamed.number if isinstance(blamed, BrokenAtError) else None) == number
    refused = FerryError(Kind.REFUSED, "no")
    assert blamed_command(refused, Verb.TOP, due, is_first=True) is refused


@pytest.mark.parametrize(
    ("error", "has_begun", "is_proven", "has_lost"),
    [
        (LOST, True, True, True),
        (SILENT, False, False, True),
        (SILENT, False, True, False),
        (CUT, True, False, False),
        (FerryError(Kind.PROTOCOL, "an endless header"), False, False, False),
    ],
)
def test_which_server_is_asked_one_command_at_a_time_from_then_on(
    error: FerryError, has_begun: bool, is_proven: bool, has_lost: bool
) -> None:
    assert has_lost_step(error, has_begun=has_begun, is_pipelining_proven=is_proven) is has_lost
