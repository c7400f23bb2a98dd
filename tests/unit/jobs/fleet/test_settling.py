"""What a run makes of its account: the same as the queue of one machine decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.fleet.settling import settled, wants_fingerprint
from jobs.schedule.account_state import AccountState
from jobs.schedule.queue import TOPIC, Concurrency, Queue, ScheduledAccount
from jobs.schedule.retry import Park, Retry, RunOutcome, Scheduled
from migrator.errors import Advice, Kind, Scope
from migrator.report import Status
from tests.unit.jobs.office import MemoryStateStore

NOW = 1_000_000.0
ROUND = NOW + 900.0
WELL = RunOutcome(Status.OK)
DOWN = RunOutcome(Status.FAILED, Kind.CONNECT, Scope.SESSION, Advice.NOW, "down", host="pop:110")
REFUSED = RunOutcome(Status.FAILED, Kind.AUTH, Scope.ACCOUNT, Advice.NEVER, "no", names_credentials=True)
ENDED = RunOutcome(Status.PARTIAL, is_interrupted=True)
STATES = [
    AccountState(),
    AccountState(attempts=3, failing_since=NOW - 5000, kind="connect", host="pop:110", message="down"),
    AccountState(gap=600.0, last_worked=NOW - 1000),
    AccountState(worked_with="hash", worked_with_at=NOW - 10),
]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "outcome",
    [
        WELL,
        DOWN,
        REFUSED,
        replace(REFUSED, names_credentials=False),
        replace(DOWN, kind=Kind.LOGIN_DELAY, wait=70.0),
        replace(WELL, announced_gap=300.0),
    ],
)
@pytest.mark.parametrize("is_stopped", [False, True])
def test_it_decides_as_the_queue_of_one_machine(state: AccountState, outcome: RunOutcome, is_stopped: bool) -> None:
    store = MemoryStateStore()
    known = replace(state, configured="c", first_seen=1.0)
    store.put(TOPIC, "ann", known.as_fact())
    queue = Queue(store, limits=Concurrency(), next_round=lambda _name, _now: ROUND, jitter=lambda: 0.5)
    queue.load([ScheduledAccount("ann", frozenset({"pop:110"}), "ann at pop", "c")], NOW)
    lease = queue.take(NOW)
    assert lease is not None
    if is_stopped:
        queue.stop("ann")
    decision = queue.finished(lease, outcome, NOW, "hash")
    after = settled(
        known, outcome, now=NOW, jitter=0.5, next_round=lambda _: ROUND, fingerprint="hash", is_stopped=is_stopped
    )
    assert after.decision == decision
    assert after.state == queue.states()["ann"]


def test_a_run_that_was_cut_short_is_due_again_behind_those_that_wait() -> None:
    state = AccountState(attempts=0, last_worked=7.0)
    after = settled(state, ENDED, now=NOW, jitter=0.5, next_round=lambda _: ROUND)
    assert (after.due, after.decision, after.state) == (NOW, Scheduled(0.0), state)
    assert settled(replace(state, gap=60.0), ENDED, now=NOW, jitter=0.5, next_round=lambda _: ROUND).due == NOW + 60
    by_person = settled(state, ENDED, now=NOW, jitter=0.5, next_round=lambda _: ROUND, is_stopped=True)
    assert by_person.due == ROUND


def test_when_an_account_is_offered_again() -> None:
    assert settled(AccountState(), WELL, now=NOW, jitter=0, next_round=lambda _: ROUND).due == ROUND
    retried = settled(AccountState(), DOWN, now=NOW, jitter=0, next_round=lambda _: ROUND)
    assert isinstance(retried.decision, Retry)
    assert retried.due == NOW + retried.decision.after
    parked = settled(AccountState(attempts=1), REFUSED, now=NOW, jitter=0, next_round=lambda _: ROUND, fingerprint="x")
    assert isinstance(parked.decision, Park)
    assert (parked.state.parked, parked.due) == ("x", NOW + parked.decision.look_after)


def test_what_has_worked_is_looked_at_once_a_day_and_what_was_refused_always() -> None:
    known = AccountState(worked_with="x", worked_with_at=NOW - 100)
    assert not wants_fingerprint(known, WELL, NOW)
    assert wants_fingerprint(known, WELL, NOW + 86_400)
    assert wants_fingerprint(AccountState(), WELL, NOW)
    assert wants_fingerprint(known, REFUSED, NOW)
    assert not wants_fingerprint(known, DOWN, NOW)
