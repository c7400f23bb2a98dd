"""The threads that work the accounts: each takes from the queue, runs, and tells the queue how it ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from jobs.schedule.account_state import AccountState
from jobs.schedule.circuit_breaker import Circuit
from jobs.schedule.queue import Concurrency, Lease, Queue, ScheduledAccount
from jobs.schedule.retry import Decision, RunOutcome, crashed
from jobs.schedule.stop import Stop
from migrator.errors import FerryError, contained
from migrator.lazy_dataclasses import dataclass, field
from migrator.report import AccountReport, StoppedBy

LONGEST_NAP = 30.0
"""A worker looks at the wall clock at least this often: somebody may set it, or the machine may have slept."""


class Running(Protocol):
    """What the worker has done for it; the service wires it to ``migrator``."""

    def run(self, name: str, stop: Stop) -> tuple[AccountReport, RunOutcome]:
        """Work an account, end between two messages once ``stop`` is set, and say how it went."""

    def fingerprint(self, name: str) -> str:
        """Hash the account's configuration and passwords as they are now."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended and what comes next. ``report`` is None when an unexpected exception ended it."""

    report: AccountReport | None
    outcome: RunOutcome
    decision: Decision
    state: AccountState


class Listener(Protocol):
    """What hears of the runs; called from its threads, one at a time for one account."""

    def began(self, lease: Lease) -> None:
        """Hear that a run begins."""

    def ended(self, lease: Lease, result: RunResult) -> None:
        """Hear that a run has ended, and what the queue has decided on the next."""

    def still_parked(self, lease: Lease) -> None:
        """Hear that a parked account was looked at, and that nothing has changed."""


@dataclass(slots=True)
class Liveness:
    """When each thread last got somewhere: what the watchdog is fed by."""

    clock: Callable[[], float] = time.monotonic
    _beats: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def beat(self, name: str) -> None:
        """Note that ``name`` got somewhere."""
        with self._lock:
            self._beats[name] = self.clock()

    def rest(self, name: str) -> None:
        """Note that ``name`` has nothing to do, so that its silence means nothing."""
        with self._lock:
            self._beats.pop(name, None)

    def stuck(self, seconds: float) -> list[str]:
        """Return who has made no progress for so long."""
        with self._lock:
            return sorted(name for name, beat in self._beats.items() if self.clock() - beat > seconds)


class Worker:
    """A pool of threads around one queue. All methods may be called from any thread."""

    def __init__(
        self,
        queue: Queue,
        running: Running,
        listener: Listener,
        *,
        liveness: Liveness | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.liveness = liveness or Liveness()
        self._queue = queue
        self._running = running
        self._listener = listener
        self._clock = clock
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._stops: dict[str, Stop] = {}
        """Of the runs under way, by account."""
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to work what is due."""
        self._hire()

    def load(self, jobs: Iterable[ScheduledAccount], limits: Concurrency) -> None:
        """Take over a configuration; what is running goes on under the old one."""
        with self._changed:
            self._queue.limits = limits
            self._queue.load(jobs, self._clock())
            self._changed.notify_all()
        if self._threads:
            self._hire()

    def _hire(self) -> None:
        while len(self._threads) < self._queue.limits.accounts:
            thread = threading.Thread(target=self._work, name=f"worker-{len(self._threads) + 1}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def wake(self, name: str) -> None:
        """Note that a round of this account is due."""
        with self._changed:
            self._queue.wake(name, self._clock())
            self._changed.notify()

    def try_now(self, name: str) -> None:
        """Work an account at once, because a person asks for it."""
        with self._changed:
            self._queue.try_now(name, self._clock())
            self._changed.notify_all()

    def logged_in(self, names: Iterable[str]) -> None:
        """Go on with accounts that another process has worked."""
        with self._changed:
            for name in names:
                self._queue.logged_in(name, self._clock())
            self._changed.notify_all()

    def look_again(self) -> None:
        """Make parked accounts look at their passwords now."""
        with self._changed:
            self._queue.look_again(self._clock())
            self._changed.notify_all()

    def stop_run(self, name: str) -> bool:
        """Let the run of an account end between two messages, because a person wants that; False where there is none.

        The account is worked again when its schedule says so, or somebody asks.
        """
        with self._changed:
            stop = self._stops.get(name)
            if stop is None:
                return False
            self._queue.stop(name)
            stop.ask(StoppedBy.PERSON)
            return True

    def stopping(self) -> frozenset[str]:
        """Return the accounts whose run was asked to end, and has not yet."""
        with self._changed:
            return frozenset(name for name, stop in self._stops.items() if stop.is_set())

    def stop(self, seconds: float) -> bool:
        """End: runs stop between two messages. Returns whether all threads have ended in time."""
        self._stop.set()
        with self._changed:
            for stop in self._stops.values():
                stop.ask(StoppedBy.SYSTEM)
            self._changed.notify_all()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while not self._stop.is_set():
            lease = self._next_lease()
            if lease is not None:
                self.liveness.beat(lease.job.name)
                try:
                    self._have(lease)
                finally:
                    self.liveness.rest(lease.job.name)
                    with self._changed:
                        del self._stops[lease.job.name]
                        self._changed.notify_all()

    def _next_lease(self) -> Lease | None:
        with self._changed:
            lease = None if self._stop.is_set() else self._queue.take(self._clock())
            if lease is not None:
                self._stops[lease.job.name] = Stop()
            elif not self._stop.is_set():
                now = self._clock()
                nap = self._queue.wakes_at(now) - now
                self._changed.wait(min(max(nap, 0.0), LONGEST_NAP))
            return lease

    def _have(self, lease: Lease) -> None:
        name = lease.job.name
        if lease.parked and self._running.fingerprint(name) == lease.parked:
            with self._changed:
                self._queue.still_parked(lease)
            self._listener.still_parked(lease)
            return
        self._listener.began(lease)
        report, outcome = self._run(name)
        with self._changed:
            is_wanted = self._queue.wants_fingerprint(name, outcome, self._clock())
        fingerprint = self._running.fingerprint(name) if is_wanted else ""
        with self._changed:
            decision = self._queue.finished(lease, outcome, self._clock(), fingerprint)
            state = self._queue.state(name)
        self._listener.ended(lease, RunResult(report, outcome, decision, state))

    def _run(self, name: str) -> tuple[AccountReport | None, RunOutcome]:
        try:
            with contained():
                return self._running.run(name, self._stops[name])
        except FerryError as error:  # one account's trouble, even a defect of ours, ends no other's
            return None, crashed(error)

    def is_alive(self) -> bool:
        """Tell whether every thread lives."""
        return all(thread.is_alive() for thread in self._threads)

    def states(self) -> dict[str, AccountState]:
        """Return what is known of each account."""
        with self._changed:
            return self._queue.states()

    def running(self) -> list[str]:
        """Return the accounts that are being worked."""
        with self._changed:
            return self._queue.names_running()

    def hosts_down(self) -> Mapping[str, Circuit]:
        """Return the servers that are taken to be down."""
        with self._changed:
            return self._queue.breakers.down()

    def longest_wait(self) -> float:
        """Return for how many seconds the account that is ready longest has been kept waiting."""
        with self._changed:
            return self._queue.longest_wait(self._clock())
