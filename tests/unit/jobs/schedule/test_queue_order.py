"""Whom the queue takes next, whatever has happened: the same as by looking at every account."""

from __future__ import annotations

import random

import pytest

from jobs.schedule.queue import Concurrency, Lease, Phase, Queue, ScheduledAccount
from jobs.schedule.retry import RunOutcome
from migrator.errors import Advice, Kind, Scope
from migrator.report import Status
from tests.unit.jobs.office import MemoryStateStore

HOSTS = ("a", "b", "c")
OUTCOMES = (
    RunOutcome(Status.OK),
    RunOutcome(Status.FAILED, Kind.CONNECT, Scope.SESSION, Advice.NOW, "down", host="a"),
    RunOutcome(Status.FAILED, Kind.AUTH, Scope.ACCOUNT, Advice.NEVER, "wrong", host="b"),
    RunOutcome(Status.FAILED, Kind.LOGIN_DELAY, Scope.ACCOUNT, Advice.LATER, "too soon", host="c"),
)


def may_run(queue: Queue, now: float) -> dict[str, float]:
    """Return every account that may run now, and since when it could: each is looked at."""
    entries, busy = queue._entries, queue._busy  # noqa: SLF001  # this is the plain way to the same answer
    ready = {}
    for name, entry in entries.items():
        is_blocked = busy[entry.job.maildrop] or any(busy[host] >= queue.limits.per_host for host in entry.job.hosts)
        opens_at = max(queue.breakers.opens_at(host, now) for host in entry.job.hosts)
        if entry.phase is Phase.WAITING and not is_blocked and max(entry.state.not_before, opens_at) <= now:
            ready[name] = max(entry.since, entry.state.not_before)
    return ready


def anybody(chance: random.Random) -> list[ScheduledAccount]:
    names = chance.sample(range(12), chance.randint(4, 12))
    return [
        ScheduledAccount(
            f"n{name}",
            frozenset(chance.sample(HOSTS, chance.randint(1, 2))),
            f"m{chance.randint(0, 8)}",
            str(chance.randint(0, 1)),
        )
        for name in names
    ]


@pytest.mark.parametrize("seed", range(40))
def test_the_one_that_waited_longest_of_those_that_may_run_is_taken(seed: int) -> None:
    chance, now = random.Random(seed), 1000.0
    queue = Queue(
        MemoryStateStore(),
        limits=Concurrency(accounts=3, per_host=2),
        next_round=lambda _name, moment: moment + 900.0,
        jitter=chance.random,
    )
    queue.load(anybody(chance), now)
    running: list[Lease] = []
    for _ in range(150):
        now += chance.choice((-500.0, 0.0, 1.0, 30.0, 2000.0))
        name = f"n{chance.randint(0, 11)}"
        match chance.randint(0, 9):
            case 0:
                queue.load(anybody(chance), now)
            case 1 | 2:
                queue.wake(name, now)
            case 3:
                queue.try_now(name, now)
            case 4:
                queue.look_again(now)
            case 5 | 6 | 7 if running:
                queue.finished(running.pop(chance.randrange(len(running))), chance.choice(OUTCOMES), now, "print")
            case _:
                queue.logged_in(name, now)
        wakes_at = queue.wakes_at(now)
        ready = may_run(queue, now)
        is_full = queue.running >= 3
        assert (wakes_at <= now) == (bool(ready) and not is_full)
        lease = queue.take(now)
        if is_full or not ready:
            assert lease is None
            continue
        assert lease is not None
        assert ready[lease.job.name] == min(ready.values())
        assert lease.waited == now - ready[lease.job.name]
        running.append(lease)
