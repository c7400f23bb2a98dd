from __future__ import annotations

from dataclasses import replace

from jobs.schedule.queue import Concurrency, Queue, ScheduledAccount
from jobs.schedule.retry import Park, Retry, RunOutcome, Scheduled
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


def finish(made: Queue, outcome: RunOutcome, now: float, password: str = "secret") -> object:
    lease = made.take(now)
    assert lease is not None
    fingerprint = password if made.wants_fingerprint(lease.job.name, outcome, now) else ""
    return made.finished(lease, outcome, now, fingerprint)


def test_one_odd_refusal_of_a_password_that_has_worked_does_not_park() -> None:
    store = MemoryStateStore()
    made = queue(job("ann"), store=store)
    finish(made, GOOD, 0.0)
    made.wake("ann", 900.0)
    assert finish(made, REFUSED, 900.0) == Retry(900.0)
    assert not made.states()["ann"].is_parked
    again = queue(job("ann"), store=store)  # the worker is started again
    assert finish(again, REFUSED, 1800.0) == Retry(3600.0)
    assert finish(again, REFUSED, 5400.0) == Retry(6 * 3600.0)
    assert isinstance(finish(again, REFUSED, 27_000.0), Park)
    assert again.states()["ann"].is_parked


def test_another_password_than_the_one_that_worked_is_parked_at_once() -> None:
    made = queue(job("ann"))
    finish(made, GOOD, 0.0, "old")
    made.wake("ann", 900.0)
    assert isinstance(finish(made, REFUSED, 900.0, "new"), Park)


def test_a_good_run_forgets_refusals() -> None:
    made = queue(job("ann"))
    finish(made, GOOD, 0.0)
    for now in (1000.0, 5000.0, 10_000.0, 20_000.0, 30_000.0):
        made.wake("ann", now)
        assert finish(made, REFUSED, now) == Retry(900.0)
        assert isinstance(finish(made, GOOD, now + 900.0), Scheduled)


def test_what_has_worked_is_looked_at_once_a_day_and_after_a_failure() -> None:
    made = queue(job("ann"))
    assert made.wants_fingerprint("ann", GOOD, 0.0)
    finish(made, GOOD, 0.0)
    assert not made.wants_fingerprint("ann", GOOD, 900.0)
    assert made.wants_fingerprint("ann", GOOD, 90_000.0)
    made.wake("ann", 900.0)
    finish(made, DOWN, 900.0)
    assert made.wants_fingerprint("ann", GOOD, 1800.0)


def test_an_account_that_was_worked_elsewhere_goes_on_at_once() -> None:
    made = queue(job("ann"))
    assert isinstance(finish(made, REFUSED, 0.0), Park)
    made.logged_in("ann", 10.0)
    made.logged_in("nobody", 10.0)
    state = made.states()["ann"]
    assert (state.is_parked, state.is_failing, state.message) == (False, False, "")
    assert made.take(10.0) is not None


def test_a_host_takes_no_more_accounts_than_it_takes_connections() -> None:
    made = Queue(
        MemoryStateStore(),
        limits=Concurrency(accounts=9, per_host=4),
        next_round=lambda _name, now: now + 900.0,
        jitter=lambda: 0.5,
        takes=lambda host: 2 if host == "a:995" else 9,
    )
    made.load([job(name) for name in ("ann", "bob", "cleo")] + [job("dan", host="b:995")], 0.0)
    taken = [made.take(0.0) for _ in range(4)]
    assert [lease.job.name for lease in taken if lease] == ["ann", "bob", "dan"]


def test_a_person_has_an_account_tried_at_once_though_it_failed_and_its_host_is_down() -> None:
    made = queue(job("ann"))
    for moment in (0.0, 10_000.0, 20_000.0):
        lease = made.take(moment)
        assert lease is not None
        made.finished(lease, DOWN, moment)
    assert made.take(20_000.0) is None
    made.try_now("ann", 20_000.0)
    assert made.take(20_000.0) is not None


def test_a_parked_account_is_tried_once_when_a_person_asks_and_parked_again() -> None:
    made = queue(job("ann"))
    lease = made.take(0.0)
    assert lease is not None
    made.finished(lease, REFUSED, 0.0, "print")
    made.try_now("ann", 1.0)
    lease = made.take(1.0)
    assert lease is not None
    assert lease.parked == ""
    made.finished(lease, REFUSED, 1.0, "print")
    assert made.take(2.0) is None
    assert made.states()["ann"].is_parked


def test_the_gap_that_a_server_wants_is_kept_whoever_asks() -> None:
    made = queue(job("ann"))
    lease = made.take(0.0)
    assert lease is not None
    made.finished(lease, replace(GOOD, announced_gap=600.0), 0.0)
    made.try_now("ann", 1.0)
    assert made.take(1.0) is None
    assert made.take(601.0) is not None


def test_an_account_that_is_gone_is_no_matter_to_somebody_who_asks_for_it() -> None:
    made = queue(job("ann"))
    made.try_now("bob", 0.0)
    lease = made.take(0.0)
    assert lease is not None
    made.try_now("ann", 0.0)
    made.finished(lease, GOOD, 1.0)
    assert made.take(1.0) is not None


STOPPED = RunOutcome(Status.PARTIAL, is_interrupted=True)


def next_run_after(outcome: RunOutcome, *, rung: str = "", is_stopped: bool = True) -> float | None:
    """When the run after one that began at 0 and ended at 10 begins; None where nothing begins by itself."""
    made = queue(job("ann"))
    lease = made.take(0.0)
    assert lease is not None
    if rung == "before":
        made.wake("ann", 1.0)
    if is_stopped:
        made.stop("ann")
    if rung == "after":
        made.try_now("ann", 2.0)
    made.finished(lease, outcome, 10.0)
    return next((moment for moment in (10.0, 60.0, 600.0, 910.0) if made.take(moment)), None)


def test_a_run_that_a_person_has_stopped_is_not_begun_again_by_itself() -> None:
    assert next_run_after(STOPPED) is None
    assert next_run_after(STOPPED, is_stopped=False) == 10.0  # the worker ends: the rest is due when it is back


def test_a_round_that_came_due_before_the_stop_is_not_made_up_for() -> None:
    assert next_run_after(STOPPED, rung="before") is None
    assert next_run_after(GOOD, rung="before") is None  # it had ended by itself just then


def test_who_wants_it_to_run_after_the_stop_is_heard() -> None:
    assert next_run_after(STOPPED, rung="after") == 10.0


def test_a_stopped_run_that_had_failed_is_tried_again_when_the_schedule_says_so() -> None:
    assert next_run_after(DOWN, is_stopped=False) == 60.0
    assert next_run_after(replace(DOWN, is_interrupted=True)) == 910.0


def test_a_stop_is_no_failure_and_told_as_the_next_round() -> None:
    made = queue(job("ann"))
    lease = made.take(0.0)
    assert lease is not None
    made.stop("ann")
    assert made.finished(lease, STOPPED, 10.0) == Scheduled(0.0)
    state = made.states()["ann"]
    assert (state.attempts, state.message, state.next_due) == (0, "", 910.0)
    made.wake("ann", 910.0)
    second = made.take(910.0)
    assert second is not None
    made.finished(second, STOPPED, 920.0)  # what was stopped once is not stopped for good
    assert made.take(920.0) is not None


def test_stopping_what_does_not_run_changes_nothing() -> None:
    made = queue(job("ann"))
    made.stop("ann")
    made.stop("nobody")
    assert made.take(0.0) is not None
