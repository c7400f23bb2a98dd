from __future__ import annotations

from dataclasses import replace

from jobs.schedule.queue import Concurrency, Queue, ScheduledAccount
from jobs.schedule.retry import Retry, RunOutcome, Scheduled
from migrator.errors import Advice, Kind, Scope
from migrator.report import Status
from tests.unit.jobs.office import MemoryStateStore

GOOD = RunOutcome(Status.OK)
DOWN = RunOutcome(Status.FAILED, Kind.CONNECT, Scope.SESSION, Advice.NOW, "cannot connect", host="a:995")
REFUSED = RunOutcome(Status.FAILED, Kind.AUTH, Scope.ACCOUNT, Advice.NEVER, "wrong", host="a:995")


def job(name: str, host: str = "a:995", maildrop: str = "", configured: str = "1") -> ScheduledAccount:
    return ScheduledAccount(name, frozenset({host}), maildrop or f"{name} at {host}", configured)


def queue(*jobs: ScheduledAccount, store: MemoryStateStore | None = None, limits: Concurrency | None = None) -> Queue:
    made = Queue(
        store or MemoryStateStore(),
        limits=limits or Concurrency(),
        next_round=lambda _name, now: now + 900.0,
        jitter=lambda: 0.5,
    )
    made.load(jobs, 0.0)
    return made


def test_everybody_is_due_at_start_in_turn() -> None:
    made = queue(job("ann"), job("bob"))
    turns = [made.take(0.0), made.take(0.0), made.take(0.0)]
    assert [lease and lease.job.name for lease in turns] == ["ann", "bob", None]


def test_two_accounts_of_one_maildrop_take_turns() -> None:
    made = queue(job("ann", maildrop="m"), job("bob", maildrop="m"), job("cleo"))
    first, second = made.take(0.0), made.take(0.0)
    assert first is not None
    assert second is not None
    assert [first.job.name, second.job.name] == ["ann", "cleo"]
    made.finished(first, GOOD, 1.0)
    third = made.take(1.0)
    assert third is not None
    assert third.job.name == "bob"


def test_who_waited_longest_comes_first() -> None:
    made = queue(job("ann"), job("bob"), limits=Concurrency(accounts=1))
    first = made.take(0.0)
    assert first is not None
    made.finished(first, GOOD, 5.0)
    made.wake("ann", 5.0)
    second = made.take(5.0)
    assert second is not None
    assert second.job.name == "bob"
    assert second.waited == 5.0


def test_a_ring_in_mid_run_is_one_more_round_however_often_it_rang() -> None:
    made = queue(job("ann"))
    first = made.take(0.0)
    assert first is not None
    for moment in (1.0, 2.0, 3.0):
        made.wake("ann", moment)
    made.finished(first, GOOD, 10.0)
    second = made.take(10.0)
    assert second is not None
    made.finished(second, GOOD, 11.0)
    assert made.take(11.0) is None


def test_a_ring_does_not_shorten_a_back_off() -> None:
    made = queue(job("ann"))
    first = made.take(0.0)
    assert first is not None
    decision = made.finished(first, DOWN, 10.0)
    assert isinstance(decision, Retry)
    made.wake("ann", 11.0)
    assert made.take(11.0) is None
    assert made.wakes_at(11.0) == 10.0 + decision.after
    assert made.take(10.0 + decision.after) is not None


def test_a_parked_account_is_only_looked_at_when_it_is_rung_for() -> None:
    made = queue(job("ann"))
    first = made.take(0.0)
    assert first is not None
    made.finished(first, REFUSED, 1.0, "hash of the wrong password")
    assert made.wakes_at(1.0) == float("inf")
    made.wake("ann", 900.0)
    look = made.take(900.0)
    assert look is not None
    assert look.parked == "hash of the wrong password"
    made.still_parked(look)
    assert made.running == 0
    assert made.take(900.0) is None


def test_sighup_makes_parked_accounts_look_at_once() -> None:
    made = queue(job("ann"))
    for moment in (0.0, 900.0):
        made.wake("ann", moment)
        lease = made.take(moment)
        assert lease is not None
        made.finished(lease, REFUSED, moment, "hash")
    made.wake("ann", 901.0)
    assert made.take(901.0) is None
    made.look_again(901.0)
    assert made.take(901.0) is not None


def test_an_interrupted_run_counts_as_nothing() -> None:
    made = queue(job("ann"))
    lease = made.take(0.0)
    assert lease is not None
    made.finished(lease, replace(GOOD, is_interrupted=True), 1.0)
    assert made.states()["ann"].last_worked == 0.0
    assert made.take(1.0) is not None


def test_a_removed_account_may_finish_and_is_gone_then() -> None:
    store = MemoryStateStore()
    made = queue(job("ann"), job("bob"), store=store)
    lease = made.take(0.0)
    assert lease is not None
    made.load([job("bob")], 1.0)
    assert "ann" not in made.states()
    assert made.running == 1
    assert made.finished(lease, GOOD, 2.0) == Scheduled(0.0)
    assert made.running == 0
    assert "ann" not in store.get_all("schedule")


def test_what_is_remembered_survives_a_program_that_knows_less() -> None:
    store = MemoryStateStore()
    store.put("schedule", "ann", {"attempts": 3, "of_a_newer_program": True})
    assert queue(job("ann"), store=store).states()["ann"].attempts == 3


def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    store, year = MemoryStateStore(), 365 * 86_400.0
    made = queue(job("ann"), store=store)
    first = made.take(year)
    assert first is not None
    made.finished(first, DOWN, year)
    assert made.take(year) is None
    assert queue(job("ann"), store=store).take(0.0) is not None


def test_a_quiet_round_writes_next_to_nothing() -> None:
    store = MemoryStateStore()
    made = queue(job("ann"), store=store)
    before = store.writes
    lease = made.take(0.0)
    assert lease is not None
    made.finished(lease, GOOD, 1.0)
    assert store.writes == before + 1
