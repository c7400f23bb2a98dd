from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.errors import Advice, FerryError, Kind
from migrator.model import MessageNumber
from migrator.pop3.failure import BrokenAtError
from migrator.pop3.protocol import Verb
from migrator.pop3.server_profile import ServerProfile
from migrator.run.host_limits import HostDownError
from migrator.run.portion import Portion
from migrator.run.relogin import (
    MAX_LOGINS,
    PATIENCE_SECONDS,
    PAUSE_WHERE_ALIVE,
    End,
    Ended,
    History,
    LogIn,
    Reach,
    SessionResult,
    SuspectsTried,
    next_step,
    pause_before_retry,
)

GIVES_UP = {Kind.AUTH, Kind.TLS, Kind.REFUSED, Kind.LOCKED, Kind.DISK_FULL, Kind.ARCHIVE, Kind.QUOTA, Kind.INTERNAL}
TRIES_AGAIN = {
    Kind.CONNECT,
    Kind.TIMEOUT,
    Kind.PROTOCOL,
    Kind.SHORT,
    Kind.IN_USE,
    Kind.TEMPORARY,
    Kind.LOGIN_DELAY,
}


@pytest.mark.parametrize("kind", sorted(GIVES_UP))
def test_what_time_does_not_heal_is_final_at_once(kind: Kind) -> None:
    assert pause_before_retry(FerryError(kind, "no"), 1, 0.0) is None


def test_a_server_that_has_refused_others_often_enough_is_not_asked() -> None:
    error = HostDownError(Kind.CONNECT, "nothing answers on that port")
    history = History(0.0).after(SessionResult(error, 1.0, has_listing=False))
    assert next_step(history, ServerProfile()) == End(error)


@pytest.mark.parametrize("kind", sorted(TRIES_AGAIN))
def test_the_third_fault_is_the_last(kind: Kind) -> None:
    pauses = [pause_before_retry(FerryError(kind, "no"), faults, 0.0) for faults in range(1, MAX_LOGINS + 1)]
    assert pauses[-1] is None
    assert all(pause is not None and pause > 0 for pause in pauses[:-1])
    assert pauses[:-1] == sorted(pause for pause in pauses[:-1] if pause is not None)


def test_patience_ends_only_after_its_last_second() -> None:
    error = FerryError(Kind.CONNECT, "no")
    assert pause_before_retry(error, 1, PATIENCE_SECONDS[Kind.CONNECT]) is not None
    assert pause_before_retry(error, 1, PATIENCE_SECONDS[Kind.CONNECT] + 1) is None


def test_a_dead_server_ends_an_account_within_90_seconds() -> None:
    # Connecting takes 20 seconds at most, for each try; the last may begin just before patience ends.
    error, elapsed, faults = FerryError(Kind.CONNECT, "no"), 0.0, 0
    while True:
        elapsed, faults = elapsed + 20.0, faults + 1
        pause = pause_before_retry(error, faults, elapsed)
        if pause is None:
            break
        elapsed += pause
    assert elapsed < 90.0


def test_a_stalling_server_ends_an_account_within_4_minutes() -> None:
    error, elapsed, faults = FerryError(Kind.TIMEOUT, "silent"), 0.0, 0
    while True:
        elapsed, faults = elapsed + 20.0 + 45.0, faults + 1
        pause = pause_before_retry(error, faults, elapsed)
        if pause is None:
            break
        elapsed += pause
    assert elapsed < 240.0


@pytest.mark.parametrize(("asked", "pause"), [(2.0, 3.0), (60.0, 61.0), (61.0, None), (3600.0, None)])
def test_a_login_delay_is_waited_out_up_to_a_minute(asked: float, pause: float | None) -> None:
    assert pause_before_retry(FerryError(Kind.LOGIN_DELAY, "later", wait=asked), 1, 0.0) == pause


def test_an_error_may_say_of_itself_that_now_is_the_time() -> None:
    error = FerryError(Kind.REFUSED, "QUIT", advice=Advice.NOW)
    assert pause_before_retry(error, 1, 0.0) is not None


# --- next_step ---

NEW = ServerProfile()
PARTIAL = ServerProfile(shows_part=True)
KNOWN = ServerProfile(complete_up_to=100)

CUT = FerryError(Kind.CONNECT, "the line broke")
REFUSED = FerryError(Kind.AUTH, "no")
BROKE_AT = BrokenAtError(Verb.RETR, MessageNumber(3), CUT, is_first=True)

COPIED = SessionResult(Ended.COMPLETE, 1.0, listed=10, fetched=10, reach=Reach(retrieved=10))
NOTHING_NEW = SessionResult(Ended.COMPLETE, 1.0, listed=10)
UNCHANGED = SessionResult(Ended.UNCHANGED, 1.0, listed=10)
PART_TAKEN = SessionResult(Ended.PORTION, 1.0, listed=10, fetched=5, reach=Reach(retrieved=5))
PORTION_IN_VAIN = SessionResult(Ended.PORTION, 1.0, listed=10)
STUCK = SessionResult(Ended.STUCK, 1.0, listed=10)
STOPPED = SessionResult(Ended.STOPPED, 1.0, listed=10, fetched=3)
NO_ENTRY = SessionResult(CUT, 1.0, has_listing=False)
SHUT_OUT = SessionResult(REFUSED, 1.0, has_listing=False)
CUT_LATE = SessionResult(CUT, 1.0, listed=10, fetched=4, reach=Reach(retrieved=4))
CUT_IN_VAIN = SessionResult(CUT, 1.0, listed=10)
SUSPECTS_LEFT = replace(COPIED, suspects=SuspectsTried(are_left=True))
LAST_SUSPECT = SessionResult(BROKE_AT, 1.0, listed=10, suspects=SuspectsTried(1, set_aside=1, are_left=False))
NEXT_SUSPECT = replace(LAST_SUSPECT, suspects=SuspectsTried(2, set_aside=1, are_left=True))


def after(*results: SessionResult) -> History:
    history = History(0.0)
    for result in results:
        history = history.after(result)
    return history


@pytest.mark.parametrize(
    ("results", "profile", "logs_in"),
    [
        ([], NEW, True),
        # A server that may show only a part is looked at once more; one that is known not to, is not.
        ([COPIED], NEW, True),
        ([COPIED], KNOWN, False),
        ([replace(COPIED, fetched=1)], NEW, True),
        ([COPIED, COPIED], NEW, True),
        ([COPIED, NOTHING_NEW], NEW, False),
        ([COPIED, COPIED], PARTIAL, True),
        ([COPIED, COPIED, COPIED, COPIED], PARTIAL, True),
        ([COPIED, COPIED, COPIED], NEW, False),
        ([NOTHING_NEW], NEW, False),
        ([UNCHANGED], PARTIAL, False),
        # What a session left is for the next one, as long as they get on.
        ([PART_TAKEN], KNOWN, True),
        ([PART_TAKEN] * 9, KNOWN, True),
        ([PORTION_IN_VAIN], KNOWN, True),
        ([PORTION_IN_VAIN] * MAX_LOGINS, KNOWN, False),
        ([PORTION_IN_VAIN, PORTION_IN_VAIN, PART_TAKEN, PORTION_IN_VAIN], KNOWN, True),
        ([SUSPECTS_LEFT], KNOWN, True),
        # Nothing can be copied, or nothing is to be.
        ([STUCK], NEW, False),
        ([STOPPED], NEW, False),
        # A line that breaks is tried again: three times where nothing moves, without an end where something does.
        ([NO_ENTRY], NEW, True),
        ([NO_ENTRY] * MAX_LOGINS, NEW, False),
        ([CUT_LATE] * 9, NEW, True),
        ([CUT_IN_VAIN] * MAX_LOGINS, NEW, False),
        ([SHUT_OUT], NEW, False),
        # The look for more is worth no second try, unless the server is known to show parts.
        ([COPIED, NO_ENTRY], NEW, False),
        ([COPIED, NO_ENTRY], PARTIAL, True),
        # After a fault nobody looks whether the listing is complete; what was left is taken all the same.
        ([CUT_LATE, PART_TAKEN], KNOWN, True),
        # Suspected messages: each costs a session, and the last of them ends the run.
        ([NEXT_SUSPECT], NEW, True),
        ([LAST_SUSPECT], NEW, False),
    ],
)
def test_whether_a_run_logs_in_again(results: list[SessionResult], profile: ServerProfile, logs_in: bool) -> None:
    assert isinstance(next_step(after(*results), profile), LogIn) is logs_in


@pytest.mark.parametrize(
    ("results", "profile", "words"),
    [
        ([COPIED, NOTHING_NEW], NEW, None),
        ([COPIED, NO_ENTRY], NEW, None),
        ([STUCK], NEW, None),
        ([LAST_SUSPECT], NEW, None),
        ([PORTION_IN_VAIN] * MAX_LOGINS, NEW, "three sessions in a row brought nothing"),
        ([NO_ENTRY] * MAX_LOGINS, NEW, "the line broke"),
        ([CUT_LATE, *[PORTION_IN_VAIN] * MAX_LOGINS], NEW, "the line broke"),
        ([SHUT_OUT], NEW, "no"),
        ([COPIED, SHUT_OUT], PARTIAL, "the server showed a part of the maildrop; the rest follows at the next run: no"),
    ],
)
def test_what_is_said_at_the_end(results: list[SessionResult], profile: ServerProfile, words: str | None) -> None:
    step = next_step(after(*results), profile)
    assert isinstance(step, End)
    assert (step.problem and step.problem.message) == words


def test_a_look_that_is_refused_is_a_note_where_nothing_is_known_of_parts() -> None:
    assert next_step(after(COPIED, SHUT_OUT), NEW) == End(
        note="whether the source has more to show could not be seen: no"
    )


def test_what_is_refused_after_a_part_keeps_its_finding() -> None:
    limited = FerryError(Kind.LOGIN_DELAY, "not now", wait=900.0, finding="limited")
    step = next_step(after(COPIED, COPIED, SessionResult(limited, 1.0, has_listing=False)), PARTIAL)
    assert isinstance(step, End)
    assert step.problem is not None
    assert (step.problem.finding, step.problem.wait) == ("limited", 900.0)


@pytest.mark.parametrize(
    ("result", "end"), [(COPIED, End()), (PART_TAKEN, End()), (CUT_LATE, End(CUT)), (SHUT_OUT, End(REFUSED))]
)
def test_a_run_with_one_log_in_has_no_second_and_says_what_ended_it(result: SessionResult, end: End) -> None:
    assert isinstance(next_step(after(), NEW, most_logins=1), LogIn)
    assert next_step(after(result), NEW, most_logins=1) == end


def test_a_run_that_can_copy_nowhere_does_not_log_in() -> None:
    assert next_step(after(), NEW, can_copy=False) == End()


@pytest.mark.parametrize(
    ("results", "pause"),
    [
        ([PART_TAKEN], 0.0),
        ([NO_ENTRY], 1.0),
        ([NO_ENTRY, NO_ENTRY], 2.0),
        ([CUT_LATE], PAUSE_WHERE_ALIVE),
        ([NEXT_SUSPECT], PAUSE_WHERE_ALIVE),
        ([CUT_LATE, NO_ENTRY], 1.0),
    ],
)
def test_how_long_a_run_waits_before_it_logs_in_again(results: list[SessionResult], pause: float) -> None:
    step = next_step(after(*results), NEW)
    assert isinstance(step, LogIn)
    assert step.pause == pause


def test_patience_counts_from_what_was_last_achieved() -> None:
    begun = History(100.0)
    assert isinstance(next_step(begun.after(replace(NO_ENTRY, ended_at=140.0)), NEW), LogIn)
    assert next_step(begun.after(replace(NO_ENTRY, ended_at=150.0)), NEW) == End(CUT)
    got_on = begun.after(replace(PART_TAKEN, ended_at=140.0))
    assert isinstance(next_step(got_on.after(replace(NO_ENTRY, ended_at=150.0)), NEW), LogIn)


def test_what_was_achieved_is_bound_by_what_is_listed_so_that_no_server_keeps_a_run_going() -> None:
    pretends = SessionResult(Ended.PORTION, 1.0, listed=10, deleted=10)
    assert after(pretends).idle == 0
    assert after(*[pretends] * 4).idle == 3
    fails = SessionResult(Ended.PORTION, 1.0, listed=10, failed=10)
    assert after(*[fails] * 3).idle == 2


def test_a_session_that_sets_a_message_aside_is_not_idle() -> None:
    assert after(NEXT_SUSPECT, NEXT_SUSPECT).idle == 0
    assert after(replace(NEXT_SUSPECT, suspects=SuspectsTried(2, are_left=True))).idle == 1


def test_sessions_are_made_shorter_once_a_line_was_cut_twice() -> None:
    assert after(CUT_LATE).portion == Portion()
    assert after(CUT_LATE, CUT_LATE).portion == Portion(4)
    deleting = replace(CUT_LATE, reach=Reach(retrieved=8, marked=6, is_deleting=True))
    assert after(CUT_LATE, deleting).portion == Portion(3)
    assert after(CUT_LATE, replace(CUT_LATE, reach=Reach(shown=6))).portion == Portion(6)
    assert after(CUT_LATE, replace(CUT_LATE, reach=Reach(retrieved=1))).portion == Portion(1)
    assert after(CUT_LATE, CUT_LATE, PART_TAKEN).portion == Portion(8)
    assert after(CUT_LATE, CUT_LATE, COPIED).portion == Portion(4)
    assert after(CUT_LATE, CUT_LATE, NO_ENTRY, CUT_LATE).portion == Portion(4, patience=2)
    assert after(NO_ENTRY, NO_ENTRY).portion == Portion()


def test_only_a_look_that_was_not_disturbed_tells_how_much_a_server_shows() -> None:
    assert after(COPIED).learned(NOTHING_NEW, NEW) == ServerProfile(complete_up_to=10)
    assert after(COPIED).learned(COPIED, NEW) == PARTIAL
    assert after(COPIED).learned(replace(COPIED, fetched=1), NEW) == PARTIAL
    for before, result in (([], COPIED), ([PART_TAKEN], COPIED), ([CUT_LATE, COPIED], NOTHING_NEW), ([COPIED], STUCK)):
        assert after(*before).learned(result, NEW) == NEW
