from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field

import pytest
from hypothesis import given, strategies as st

from migrator.errors import FerryError, Kind
from migrator.model import Digest, KnownMessage, MessageNumber, MessageRow, UniqueId
from migrator.report import AccountReport, Problem, Status, WouldDelete, WouldDo
from migrator.run.counters import RunCounters

PROBLEM = Problem(Kind.REFUSED, "no", UniqueId(b"uid"))


def listed(row: int, *, is_proven: bool = False, octets: int = 10) -> KnownMessage:
    return KnownMessage(
        number=MessageNumber(row),
        unique_id=UniqueId(b"%d" % row),
        octets=octets,
        row=MessageRow(row),
        content=row if is_proven else 0,
        digest=digest(row) if is_proven else None,
        is_proven=is_proven,
        copied_at=1.0 if is_proven else None,
        failure="",
        attempts=0,
        failed_at=None,
        is_accepted=False,
    )


def digest(row: int) -> Digest:
    return Digest(row.to_bytes(32, "big"))


def adds_up(report: AccountReport) -> bool:
    parts = (report.copied, report.duplicates, report.skipped, report.failed, report.remaining)
    return report.listed == report.known + report.new and report.new == sum(parts) and min(parts) >= 0


def counters(*messages: KnownMessage) -> RunCounters:
    counters = RunCounters("alice")
    list(counters.counted(messages))
    return counters


def test_a_listing_is_counted_once_however_often_it_is_shown() -> None:
    numbers = counters(listed(1), listed(2, is_proven=True))
    list(numbers.counted([listed(1), listed(2, is_proven=True), listed(3)]))
    report = numbers.report(1.0)
    assert (report.listed, report.known, report.remaining) == (3, 1, 2)


def test_a_message_that_failed_and_came_home_later_is_copied_only() -> None:
    numbers = counters(listed(1))
    numbers.failed(MessageRow(1), PROBLEM)
    numbers.copied_message(MessageRow(1), 10, was_stored=True)
    report = numbers.report(1.0)
    assert (report.copied, report.failed, report.status, report.problems) == (1, 0, Status.OK, [])


def test_a_run_in_a_large_ledger_takes_room_for_its_own_messages_only() -> None:
    tracemalloc.start()
    try:
        counters = RunCounters("alice")
        for row in range(10_000_000, 10_001_000):
            counters.copied_message(MessageRow(row), 10, was_stored=True)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert counters.report(1.0).copied == 1_000
    assert taken < 50_000


def test_a_known_message_that_changed_counts_as_new() -> None:
    numbers = counters(listed(1, is_proven=True), listed(2, is_proven=True))
    numbers.copied_message(MessageRow(1), 10, was_stored=True)
    report = numbers.report(1.0)
    assert (report.known, report.new, report.copied) == (1, 1, 1)


def test_bytes_are_those_of_what_was_stored_now() -> None:
    numbers = counters(listed(1), listed(2))
    numbers.copied_message(MessageRow(1), 10, was_stored=True)
    numbers.copied_message(MessageRow(2), 999, was_stored=False)
    report = numbers.report(1.0)
    assert (report.bytes, report.copied, report.duplicates, report.verified) == (10, 1, 1, 2)


def test_a_filled_message_that_is_listed_counts_as_copied_and_others_as_filled() -> None:
    numbers = RunCounters("alice")
    numbers.has_filled({digest(1), digest(77)})
    list(numbers.counted([listed(1, is_proven=True), listed(2, is_proven=True)]))
    report = numbers.report(1.0)
    assert (report.listed, report.known, report.copied, report.filled) == (2, 1, 1, 1)


def test_a_deletion_that_is_confirmed_after_all_is_no_problem() -> None:
    numbers = counters(listed(1, is_proven=True))
    numbers.not_deleted(MessageRow(1), PROBLEM)
    assert numbers.report(1.0).status is Status.PARTIAL
    numbers.deleted([MessageRow(1)])
    report = numbers.report(1.0)
    assert (report.status, report.deleted, report.problems) == (Status.OK, 1, [])


def test_without_a_listing_trouble_is_failure_and_with_one_it_is_not_everything() -> None:
    numbers = RunCounters("alice")
    numbers.problem(FerryError(Kind.CONNECT, "down"))
    assert numbers.report(1.0).status is Status.FAILED
    list(numbers.counted([]))
    assert numbers.report(1.0).status is Status.PARTIAL


def test_the_same_trouble_is_told_once_and_the_first_decides() -> None:
    numbers = RunCounters("alice")
    first = FerryError(Kind.CONNECT, "down")
    for error in (first, FerryError(Kind.CONNECT, "down"), FerryError(Kind.TIMEOUT, "silent")):
        numbers.problem(error)
    report = numbers.report(1.0)
    assert [problem.kind for problem in report.problems] == [Kind.CONNECT, Kind.TIMEOUT]
    assert report.for_schedule.error is first


def test_what_a_rule_leaves_is_told_and_is_no_failure() -> None:
    numbers = counters(listed(1), listed(2))
    numbers.skipped(MessageRow(1), PROBLEM)
    numbers.skipped(MessageRow(2), None)
    report = numbers.report(1.0)
    assert (report.status, report.skipped, report.problems) == (Status.OK, 2, [PROBLEM])


def test_an_interruption_is_told() -> None:
    numbers = counters(listed(1))
    numbers.interrupted()
    report = numbers.report(1.0)
    assert (report.interrupted, report.status, report.remaining) == (True, Status.PARTIAL, 1)


@pytest.mark.parametrize(("trouble", "status"), [(None, Status.PARTIAL), (Kind.CONNECT, Status.FAILED)])
def test_who_is_stopped_before_anything_has_not_failed(trouble: Kind | None, status: Status) -> None:
    numbers = RunCounters("alice")
    if trouble:
        numbers.problem(FerryError(trouble, "away"))
    numbers.interrupted()
    report = numbers.report(1.0)
    assert (report.interrupted, report.status) == (True, status)


def test_a_settled_listing_is_all_known_and_counted_once() -> None:
    numbers = RunCounters("alice")
    numbers.settled(200_000)
    numbers.settled(200_000)
    report = numbers.report(1.0)
    assert (report.listed, report.known, report.new, report.status) == (200_000, 200_000, 0, Status.OK)


def test_a_listing_that_is_settled_after_another_session_was_counted_there() -> None:
    numbers = counters(listed(1, is_proven=True), listed(2, is_proven=True))
    numbers.settled(2)
    assert numbers.report(1.0).listed == 2


def test_a_settled_listing_is_a_listing() -> None:
    numbers = RunCounters("alice")
    numbers.settled(3)
    numbers.problem(FerryError(Kind.CONNECT, "down"))
    report = numbers.report(1.0)
    assert (report.listed, report.status) == (3, Status.PARTIAL)


def test_equal_messages_count_each_in_the_first_listing_and_once_in_later_ones() -> None:
    first, second, third = (listed(row, is_proven=True)._replace(content=1) for row in (1, 2, 3))
    numbers = counters(first, second)
    assert numbers.report(1.0).listed == 2
    list(numbers.counted([third]))
    assert numbers.report(1.0).listed == 2


def test_the_run_has_dealt_with_what_is_copied_was_there_already_or_failed() -> None:
    numbers = counters(*(listed(row) for row in range(1, 8)))
    numbers.copied_message(MessageRow(1), 10, was_stored=True)
    for row in (2, 3):
        numbers.copied_message(MessageRow(row), 10, was_stored=False)
    for row in (4, 5, 6):
        numbers.failed(MessageRow(row), None)
    assert (numbers.handled, numbers.failures) == (6, 3)
    assert [numbers.has_failed(MessageRow(row)) for row in (1, 2, 4, 7)] == [False, False, True, False]


def test_each_message_counts_once_whatever_it_counted_as_before() -> None:
    numbers = counters(listed(1, is_proven=True), listed(2), listed(3, is_proven=True))
    numbers.failed(MessageRow(1), PROBLEM)
    numbers.skipped(MessageRow(2), PROBLEM)
    numbers.copied_message(MessageRow(2), 10, was_stored=True)
    numbers.skipped(MessageRow(3), None)
    numbers.failed(MessageRow(4), PROBLEM)  # seen by no listing of this run
    report = numbers.report(1.0)
    assert (report.listed, report.known, report.copied, report.skipped, report.failed) == (4, 0, 1, 1, 2)
    assert adds_up(report)


def test_what_was_read_again_and_found_equal_is_verified() -> None:
    numbers = counters(listed(1, is_proven=True))
    for _session in range(2):
        numbers.verified(MessageRow(1))
    assert numbers.report(1.0).verified == 1


def test_a_message_that_two_sessions_of_a_run_read_is_verified_once() -> None:
    numbers = counters(listed(1))
    numbers.copied_message(MessageRow(1), 10, was_stored=True)
    numbers.verified(MessageRow(1))
    report = numbers.report(1.0)
    assert (report.listed, report.verified) == (1, 1)


def test_what_has_no_problem_of_its_own_is_told_by_the_general_one() -> None:
    numbers = counters(listed(1), listed(2))
    numbers.problem(FerryError(Kind.DISK_FULL, "no room"))
    numbers.failed(MessageRow(1), None)
    numbers.failed(MessageRow(2), PROBLEM)
    report = numbers.report(1.0)
    assert [problem.kind for problem in report.problems] == [Kind.DISK_FULL, Kind.REFUSED]
    assert report.failed == 2


def test_the_same_note_is_made_once() -> None:
    numbers = RunCounters("alice")
    for note in ("one", "two", "one"):
        numbers.noted(note)
    assert numbers.report(1.0).notes == ["one", "two"]


def test_a_report_says_how_long_it_took_and_what_would_go() -> None:
    numbers = RunCounters("alice")
    numbers.would_do = WouldDo(0, 0, [WouldDelete(UniqueId(b"uid"), 10, None)])
    report = numbers.report(7.5)
    assert (report.seconds, report.would_do) == (7.5, numbers.would_do)


@dataclass
class Session:
    """What may happen to the messages of one session, each by its row."""

    ends: dict[int, str] = field(default_factory=dict)


ENDS = ["copied", "duplicate", "failed", "skipped", "left", "changed", "deleted"]
sessions = st.lists(st.builds(Session, st.dictionaries(st.integers(1, 12), st.sampled_from(ENDS))), max_size=4)


@given(sessions, st.sets(st.integers(1, 12)))
def test_whatever_happens_the_numbers_add_up(rounds: list[Session], proven: set[int]) -> None:
    numbers, home = RunCounters("alice"), set(proven)
    for session in rounds:
        list(numbers.counted(listed(row, is_proven=row in home) for row in sorted(session.ends)))
        for number, end in session.ends.items():
            row = MessageRow(number)
            if number in home:
                if end == "deleted":
                    numbers.deleted([row])
                elif end == "copied":
                    numbers.verified(row)
            elif end in {"copied", "duplicate"}:
                numbers.copied_message(row, 10, was_stored=end == "copied")
                home.add(number)
            elif end == "failed":
                numbers.failed(row, PROBLEM)
    report = numbers.report(1.0)
    assert adds_up(report), report
    assert report.listed == len({row for session in rounds for row in session.ends})
