"""The worker's threads around the queue: what they do when runs take long, fail oddly or must end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from jobs.schedule.queue import Concurrency, Lease, Queue, ScheduledAccount
from jobs.schedule.retry import RunOutcome
from jobs.schedule.stop import Stop
from jobs.schedule.workers import RunResult, Worker
from migrator.errors import Advice, Kind, Scope
from migrator.report import AccountReport, Status, StoppedBy
from tests.unit.jobs.office import MemoryStateStore

PATIENCE = 60.0
REFUSED = RunOutcome(Status.FAILED, Kind.AUTH, Scope.ACCOUNT, Advice.NEVER, "wrong")


@dataclass
class Running:
    """Runs as a test says; tells when each run begins."""

    work: Callable[[str, Stop], RunOutcome] = lambda _name, _stop: RunOutcome(Status.OK)
    password: str = "wrong"
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def run(self, name: str, stop: Stop) -> tuple[AccountReport, RunOutcome]:
        self.begun.release()
        return AccountReport(name), self.work(name, stop)

    def fingerprint(self, name: str) -> str:
        return self.password


@dataclass
class Listening:
    """Counts what it hears."""

    endings: list[RunResult] = field(default_factory=list)
    heard: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    looked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def began(self, lease: Lease) -> None:
        """Take note."""

    def ended(self, lease: Lease, result: RunResult) -> None:
        self.endings.append(result)
        self.heard.release()

    def still_parked(self, lease: Lease) -> None:
        self.looked.release()

    def wait(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.heard.acquire(timeout=PATIENCE)


def job(name: str) -> ScheduledAccount:
    return ScheduledAccount(name, frozenset({"a:995"}), name, "1")


@contextmanager
def worker(running: Running, listening: Listening, *names: str) -> Iterator[Worker]:
    queue = Queue(
        MemoryStateStore(), limits=Concurrency(2, 2), next_round=lambda _name, now: now + 900, jitter=lambda: 0.5
    )
    made = Worker(queue, running, listening)
    made.load([job(name) for name in names], Concurrency(2, 2))
    made.start()
    yield made
    assert made.stop(PATIENCE)


def test_everybody_is_worked_at_start() -> None:
    listening = Listening()
    with worker(Running(), listening, "ann", "bob", "cleo") as made:
        listening.wait(3)
        assert made.is_alive()
        assert all(state.last_worked for state in made.states().values())
    assert not made.is_alive()
    assert made.liveness.stuck(-1.0) == []  # whoever has ended is not taken to hang


def test_a_ring_wakes_a_sleeping_worker() -> None:
    listening = Listening()
    with worker(Running(), listening, "ann") as made:
        listening.wait()
        made.wake("ann")
        listening.wait()
    assert len(listening.endings) == 2


def test_a_long_run_delays_nobody_else() -> None:
    may_end = threading.Event()

    def work(name: str, stop: threading.Event) -> RunOutcome:
        if name == "slow":
            assert may_end.wait(PATIENCE)
        return RunOutcome(Status.OK)

    listening = Listening()
    with worker(Running(work), listening, "slow", "ann", "bob") as made:
        listening.wait(2)
        assert made.running() == ["slow"]
        may_end.set()
        listening.wait()


def test_stopping_tells_the_runs_and_waits_for_them() -> None:
    def work(name: str, stop: threading.Event) -> RunOutcome:
        assert stop.wait(PATIENCE)
        return RunOutcome(Status.PARTIAL, is_interrupted=True)

    running, listening = Running(work), Listening()
    with worker(running, listening, "ann", "bob"):
        assert running.begun.acquire(timeout=PATIENCE)
        assert running.begun.acquire(timeout=PATIENCE)
    assert [result.outcome.is_interrupted for result in listening.endings] == [True, True]


def test_an_unexpected_exception_ends_one_run_only() -> None:
    def work(name: str, stop: threading.Event) -> RunOutcome:
        if name == "ann":
            raise ZeroDivisionError
        return RunOutcome(Status.OK)

    listening = Listening()
    with worker(Running(work), listening, "ann", "bob") as made:
        listening.wait(2)
        assert made.is_alive()
    [crash] = [result for result in listening.endings if result.report is None]
    assert crash.outcome.kind is Kind.INTERNAL
    assert crash.state.attempts == 1


def test_a_parked_account_runs_again_only_with_another_password() -> None:
    running, listening = Running(lambda _name, _stop: REFUSED), Listening()
    with worker(running, listening, "ann") as made:
        listening.wait()
        made.wake("ann")
        assert listening.looked.acquire(timeout=PATIENCE)
        assert len(listening.endings) == 1
        running.password = "right"
        running.work = lambda _name, _stop: RunOutcome(Status.OK)
        made.wake("ann")
        listening.wait()
    assert listening.endings[-1].outcome.status is Status.OK
    assert not listening.endings[-1].state.is_parked


def test_more_threads_are_hired_when_the_limit_grows() -> None:
    stop_all = threading.Event()

    def work(name: str, stop: threading.Event) -> RunOutcome:
        assert stop_all.wait(PATIENCE)
        return RunOutcome(Status.OK)

    running, listening = Running(work), Listening()
    with worker(running, listening, "a", "b", "c", "d") as made:
        for _ in range(2):
            assert running.begun.acquire(timeout=PATIENCE)
        made.load([job(name) for name in "abcd"], Concurrency(4, 4))
        for _ in range(2):
            assert running.begun.acquire(timeout=PATIENCE)
        assert sorted(made.running()) == ["a", "b", "c", "d"]
        stop_all.set()
        listening.wait(4)


def until_stopped(_name: str, stop: Stop) -> RunOutcome:
    assert stop.wait(PATIENCE)
    return RunOutcome(Status.PARTIAL, message=str(stop.by), is_interrupted=True)


def test_one_run_is_stopped_and_the_others_go_on() -> None:
    running, listening = Running(until_stopped), Listening()
    with worker(running, listening, "ann", "bob") as made:
        assert running.begun.acquire(timeout=PATIENCE)
        assert running.begun.acquire(timeout=PATIENCE)
        assert made.stop_run("ann")
        listening.wait()
        assert made.running() == ["bob"]
        assert made.stopping() == frozenset()
        assert not made.stop_run("ann")  # it runs no more, and is not begun again
        assert not made.stop_run("nobody")
    assert [result.outcome.message for result in listening.endings] == ["person", "system"]


def test_a_run_that_is_asked_to_end_is_seen_until_it_has() -> None:
    may_end = threading.Event()

    def work(_name: str, stop: Stop) -> RunOutcome:
        assert stop.wait(PATIENCE)
        assert may_end.wait(PATIENCE)
        return RunOutcome(Status.PARTIAL, is_interrupted=True)

    running, listening = Running(work), Listening()
    with worker(running, listening, "ann") as made:
        assert running.begun.acquire(timeout=PATIENCE)
        assert made.stop_run("ann")
        assert made.stop_run("ann")  # asked twice is asked once
        assert made.running() == list(made.stopping()) == ["ann"]
        may_end.set()
        listening.wait()
        assert not made.stopping()


def test_who_was_first_to_want_the_end_is_remembered() -> None:
    stop = Stop()
    stop.ask(StoppedBy.PERSON)
    stop.ask(StoppedBy.SYSTEM)
    assert (stop.is_set(), stop.by) == (True, StoppedBy.PERSON)
