from __future__ import annotations

import pytest

from jobs.schedule.account_state import AccountState
from jobs.schedule.queue import TOPIC as SCHEDULE
from jobs.schedule.worked_elsewhere import note_answering, note_change, note_runs, take_notes
from migrator.errors import FerryError, Kind
from migrator.ledger import schedule as ledger_schedule
from migrator.report import AccountReport, ForSchedule, Status
from tests.unit.jobs.office import MemoryStateStore

PARKED = AccountState(
    attempts=1, parked="a hash", kind="auth", message="refused", failing_since=1.0, first_seen=1.0, worked_with="x"
)
DOWN = AccountState(attempts=3, kind="connect", message="away", failing_since=1.0, not_before=9e9)


def report(error: Kind | None, login_delay: float | None, status: Status = Status.FAILED) -> AccountReport:
    fault = FerryError(error, "what went wrong") if error else None
    return AccountReport("ann", status, for_schedule=ForSchedule(fault, login_delay))


def test_the_ledger_and_the_schedule_mean_the_same_topic() -> None:
    assert SCHEDULE == ledger_schedule.SCHEDULE


@pytest.mark.parametrize(
    ("before", "run", "is_over"),
    [
        (PARKED, report(None, 0.0, Status.OK), True),
        (PARKED, report(Kind.QUOTA, 0.0), True),  # it logged in
        (PARKED, report(Kind.AUTH, None), False),
        (PARKED, report(Kind.AUTH, 0.0), False),  # the other end refused
        (PARKED, report(Kind.CONNECT, None), False),
        (PARKED, report(Kind.LOCKED, None), False),
        (DOWN, report(None, 0.0, Status.OK), True),
        (DOWN, report(Kind.QUOTA, 0.0), False),
    ],
)
def test_a_run_that_logs_in_ends_the_parking(before: AccountState, run: AccountReport, is_over: bool) -> None:
    store = MemoryStateStore()
    store.put(SCHEDULE, "ann", before.as_fact())
    note_runs(store, [run], 100.0)
    after = AccountState.from_fact(store.get_all(SCHEDULE)["ann"])
    assert (not after.is_failing, not after.is_parked and after.message == "") == (is_over, is_over)
    assert after.first_seen == before.first_seen
    assert list(take_notes(store)) == (["ann"] if is_over else [])
    assert list(take_notes(store)) == []


def test_ends_that_take_a_log_in_end_a_refusal_and_nothing_else() -> None:
    store = MemoryStateStore()
    for name, state in {"ann": PARKED, "bob": DOWN}.items():
        store.put(SCHEDULE, name, state.as_fact())
    note_answering(store, ["ann", "bob", "carol"], 100.0)
    after = {name: AccountState.from_fact(fact) for name, fact in store.get_all(SCHEDULE).items()}
    assert not after["ann"].is_failing
    assert after["bob"] == DOWN
    assert list(take_notes(store)) == ["ann"]


def test_what_is_well_or_unknown_to_the_schedule_is_not_noted() -> None:
    store = MemoryStateStore()
    note_runs(store, [report(None, 0.0, Status.OK)], 100.0)
    store.put(SCHEDULE, "ann", AccountState(first_seen=1.0).as_fact())
    note_runs(store, [report(None, 0.0, Status.OK)], 100.0)
    assert list(take_notes(store)) == []
    assert AccountState.from_fact(store.get_all(SCHEDULE)["ann"]) == AccountState(first_seen=1.0)


def test_a_sign_in_ends_what_was_wrong_at_once() -> None:
    store = MemoryStateStore()
    note_change(store, "ann", 5.0)  # nothing was wrong: nothing is noted
    assert take_notes(store) == []
    store.put(SCHEDULE, "ann", PARKED.as_fact())
    note_change(store, "ann", 5.0)
    state = AccountState.from_fact(store.get_all(SCHEDULE)["ann"])
    assert (state.is_parked, state.is_failing, state.next_due) == (False, False, 5.0)
    assert take_notes(store) == ["ann"]
