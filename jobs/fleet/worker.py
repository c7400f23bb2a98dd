"""One worker of a fleet: takes accounts from the common queue, runs them, and writes down when they are due again.

It is asked the same as the worker of one machine (``jobs.schedule.workers``). Each worker also ticks: it queues who is
due, shows that it lives, and ends runs that keep others waiting for longer than a slice.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import psycopg

from jobs.fleet import accounts, circuits
from jobs.fleet.dispatch import Again, Dispatch, PgQueuer
from jobs.fleet.presence import Presence, check_key
from jobs.fleet.schema import prepare
from jobs.fleet.settling import settled, wants_fingerprint
from jobs.fleet.tick import due_accounts
from jobs.log import say
from jobs.schedule.account_state import AccountState
from jobs.schedule.circuit_breaker import Circuit
from jobs.schedule.queue import TOPIC, Concurrency, Lease, ScheduledAccount
from jobs.schedule.retry import RunOutcome, crashed
from jobs.schedule.state_store import StateStore
from jobs.schedule.stop import Stop
from jobs.schedule.workers import Listener, Liveness, Running, RunResult
from migrator.errors import FerryError, contained
from migrator.lazy_dataclasses import dataclass, field, replace
from migrator.ledger.lease import LeaseLostError
from migrator.ledger.postgres import account_rows
from migrator.ledger.postgres.connection import shown
from migrator.ledger.postgres.failures import LedgerAwayError, mapped
from migrator.ledger.postgres.leases import Line, lease_session
from migrator.report import AccountReport, StoppedBy
from migrator.run.account_lock import AccountLockedError

SLICE_SECONDS = 900.0
"""So long may a run go on while others wait for its source: a log-in is dear, and each slice is one."""
TICK_SECONDS = 5.0
_ELSEWHERE = Again(15.0)
_OTHER_CONFIGURATION = Again(60.0)
_PARKED_SECONDS = 900.0
_NOT_OURS = (AccountLockedError, LeaseLostError, LedgerAwayError)
"""What ends a run without saying anything about its account."""


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """Where the fleet's database is, who this worker is in it, and how it keeps time."""

    address: str
    name: str
    key: bytes = b""
    """What all workers hash by; it must be the same."""
    tick_seconds: float = TICK_SECONDS
    slice_seconds: float = SLICE_SECONDS
    clock: Callable[[], float] = time.time


@dataclass(slots=True)
class FleetRules:
    """When accounts are due, and how many run at one time: here, and with any one host over all machines.

    ``next_round(name, now)`` tells when the schedule is due next; ``host_limits`` are the hosts of which somebody has
    said how many connections they take. ``unreadable`` are accounts kept in the database that cannot be read here, and
    ``revision`` is of which the others were read.
    """

    next_round: Callable[[str, float], float]
    host_limits: Callable[[], Mapping[str, int]] = dict
    unreadable: Callable[[], Sequence[str]] = list
    revision: Callable[[], str] = str
    limits: Concurrency = field(default_factory=Concurrency)


@dataclass(slots=True)
class _UnderWay:
    """A run that goes on."""

    began: float
    stop: Stop = field(default_factory=Stop)


class FleetWorker:
    """One worker of several. All methods may be called from any thread."""

    def __init__(
        self,
        settings: FleetSettings,
        running: Running,
        listener: Listener,
        *,
        store: StateStore,
        rules: FleetRules,
        liveness: Liveness | None = None,
        dispatch: Dispatch | None = None,
    ) -> None:
        """Take nothing yet. What is remembered of an account is also put into ``store``, where ``status`` reads it."""
        self.liveness = liveness or Liveness()
        self._settings = settings
        self._running = running
        self._listener = listener
        self._store = store
        self._rules = rules
        self._dispatch = dispatch or PgQueuer(settings.address, rules.limits.accounts)
        self._line = Line(partial(lease_session, settings.address))
        self._book = _Book()
        self._presence = Presence(settings.address, settings.name)

    def start(self) -> None:
        """Begin to work what is due."""
        for name, work in (("fleet-queue", self._take), ("fleet-tick", self._tick_always)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            self._book.threads.append(thread)
            thread.start()

    def load(self, jobs: Iterable[ScheduledAccount], limits: Concurrency) -> None:
        """Take over a configuration; what is running goes on under the old one."""
        listed = list(jobs)
        self._rules.limits = limits
        rows = [
            accounts.Listed(one.name, one.source, sorted(one.hosts - {one.source}), one.configured) for one in listed
        ]
        with self._asked() as connection:
            prepare(connection)
            if self._settings.key:
                check_key(connection, self._settings.key)
            now, unreadable = self._settings.clock(), self._rules.unreadable()
            accounts.register(connection, rows, self._rules.host_limits(), now, unreadable)
        self._book.take_over(listed)

    def wake(self, name: str) -> None:
        """Do nothing: when an account is due stands in its row."""

    def try_now(self, name: str) -> None:
        """Work an account at once, because a person asks for it."""
        with self._asked() as connection:
            accounts.try_now(connection, [name], self._settings.clock())

    def logged_in(self, names: Iterable[str]) -> None:
        """Go on with accounts that another process has worked."""
        with self._asked() as connection:
            accounts.logged_in(connection, list(names), self._settings.clock())

    def look_again(self) -> None:
        """Make parked accounts look at their passwords now."""
        with self._asked() as connection:
            accounts.look_again(connection, self._settings.clock())

    def stop_run(self, name: str) -> bool:
        """Let the run of an account end between two messages, on whichever machine; True where it is here."""
        if self._book.ask([name], StoppedBy.PERSON):
            return True
        with self._asked() as connection:
            accounts.stop_run(connection, name)
        return False

    def stopping(self) -> frozenset[str]:
        """Return the accounts whose run, here, was asked to end, and has not yet."""
        return frozenset(name for name, run in self._book.runs.items() if run.stop.is_set())

    def stop(self, seconds: float) -> bool:
        """End: runs stop between two messages. Returns whether all threads have ended in time."""
        self._book.is_over.set()
        self._dispatch.stop()
        self._book.ask(list(self._book.runs), StoppedBy.SYSTEM)
        until = time.monotonic() + seconds
        for thread in self._book.threads:
            thread.join(max(0.0, until - time.monotonic()))
        has_ended = not any(thread.is_alive() for thread in self._book.threads)
        if has_ended:
            self._presence.leave()
            self._line.close()
        return has_ended

    def is_alive(self) -> bool:
        """Tell whether every thread lives."""
        return all(thread.is_alive() for thread in self._book.threads)

    def states(self) -> dict[str, AccountState]:
        """Return what is known of each account; as it was last known where the database is away."""
        return self._book.looked(self._look_at_states)

    def running(self) -> list[str]:
        """Return the accounts that are being worked here."""
        return sorted(self._book.runs)

    def hosts_down(self) -> Mapping[str, Circuit]:
        """Return the servers that are taken to be down."""
        self.states()
        return self._book.down

    def longest_wait(self) -> float:
        """Return for how many seconds the account that is ready longest has been kept waiting, over all machines."""
        now = self._settings.clock()
        due = [state.next_due for state in self.states().values() if not state.is_parked and state.next_due]
        return max(0.0, now - min(due, default=now))

    def has_other_accounts(self) -> bool:
        """Say whether the accounts that are kept in the database are others than those that were read."""
        with self._asked() as connection:
            return account_rows.revision(connection) != self._rules.revision()

    def is_desk(self) -> bool:
        """Say whether this is the one worker that sends alerts and the summary now."""
        return self._presence.is_desk()

    def tick(self) -> int:
        """Queue who is due, show that this worker lives, and end runs that are to end; returns how many were queued."""
        now, names = self._settings.clock(), list(self._book.runs)
        with self._asked() as connection:
            with connection.transaction():
                due = due_accounts(connection, now, per_host=self._rules.limits.per_host)
                self._dispatch.offer(due or [], connection)
            self._book.ask(accounts.to_stop(connection, names), StoppedBy.PERSON)
            long = [name for name in names if now - self._book.began(name, now) > self._settings.slice_seconds]
            self._book.ask(accounts.others_wait(connection, long, now) if long else (), StoppedBy.SYSTEM)
            if not self._presence.show(connection, names):
                say("worker.outdated", level=logging.WARNING)
                self._dispatch.stop()
        return len(due or ())

    @contextmanager
    def _asked(self) -> Iterator[psycopg.Connection]:
        """Ask the database; raises ``FerryError`` where it is away."""
        with mapped(shown(self._settings.address)), self._line.open() as connection:
            yield connection

    def _look_at_states(self) -> dict[str, AccountState]:
        with self._asked() as connection:
            self._book.down = circuits.down(connection)
            return accounts.states(connection)

    def _take(self) -> None:
        self._dispatch.work(self._work, self._pools)

    def _pools(self) -> Mapping[str, int]:
        with self._asked() as connection:
            return accounts.limits_of_pools(connection, self._rules.limits.per_host)

    def _tick_always(self) -> None:
        pause = 0.0
        while not self._book.is_over.wait(pause):
            began = time.monotonic()
            try:
                with contained():
                    queued = self.tick()
            except FerryError as error:
                say("worker.tick.failed", level=logging.WARNING, problem=str(error))
                queued = 0
            seconds = self._settings.tick_seconds
            pause = max(seconds / 5, 2 * (time.monotonic() - began)) if queued else seconds

    def _work(self, name: str) -> Again | None:
        try:
            with contained():
                return self._have(name)
        except FerryError as error:  # mostly the database: the next that takes it looks first whether it is due
            say("worker.run.unsettled", level=logging.WARNING, account=name, problem=str(error))
            return _ELSEWHERE

    def _have(self, name: str) -> Again | None:
        with self._asked() as connection:
            row = accounts.row_of(connection, name)
        now, job = self._settings.clock(), self._book.jobs.get(name)
        if row is None or row.next_due > now:
            return None  # it has been worked since it was queued
        if job is None or job.configured != row.configured:
            if self.has_other_accounts():  # which are read in a moment
                return _ELSEWHERE
            say("worker.account.unknown", level=logging.WARNING, account=name)
            return _OTHER_CONFIGURATION
        lease = Lease(job, now - row.next_due, row.state.parked)
        if lease.parked and self._running.fingerprint(name) == lease.parked:
            with self._asked() as connection:
                accounts.postpone(connection, name, now + _PARKED_SECONDS)
            self._listener.still_parked(lease)
            return None
        known = replace(row.state, configured=row.configured, first_seen=row.state.first_seen or now)
        with self._presence.turn(self._book.turn_of(job)) as is_ours:
            return self._run(lease, known) if is_ours else _ELSEWHERE

    def _run(self, lease: Lease, state: AccountState) -> Again | None:
        name = lease.job.name
        self.liveness.beat(name)
        run = self._book.begin(name, self._settings.clock())
        self._listener.began(lease)
        try:
            with contained():
                report, outcome = self._running.run(name, run.stop)
        except FerryError as error:
            report, outcome = None, crashed(error)
        finally:
            self._book.end(name)
            self.liveness.rest(name)
        if report is not None and isinstance(report.for_schedule.error, _NOT_OURS):
            return _ELSEWHERE
        is_stopped = run.stop.is_set() and run.stop.by is StoppedBy.PERSON
        self._settle(lease, state, report, outcome, is_stopped=is_stopped)
        return None

    def _settle(
        self, lease: Lease, state: AccountState, report: AccountReport | None, outcome: RunOutcome, *, is_stopped: bool
    ) -> None:
        name, now = lease.job.name, self._settings.clock()
        fingerprint = self._running.fingerprint(name) if wants_fingerprint(state, outcome, now) else ""
        after = settled(
            state,
            outcome,
            now=now,
            jitter=random.random(),
            next_round=partial(self._rules.next_round, name),
            fingerprint=fingerprint,
            is_stopped=is_stopped,
        )
        with self._asked() as connection:
            accounts.settle(connection, name, after)
            self._hear(connection, lease.job, outcome, now)
        self._store.put(TOPIC, name, after.state.as_fact())
        self._listener.ended(lease, RunResult(report, outcome, after.decision, after.state))

    def _hear(self, connection: psycopg.Connection, job: ScheduledAccount, outcome: RunOutcome, now: float) -> None:
        """Tell the circuits what the run heard of each host."""
        heard = {outcome.host} & job.hosts if outcome.is_failure else job.hosts
        if outcome.is_outage:
            circuits.failed(connection, heard, now, outcome.message)
        elif not (outcome.is_interrupted and not outcome.is_failure):
            circuits.answered(connection, heard, now)


class _Book:
    """What this worker knows by itself: its accounts, its runs, and what it last saw of all."""

    STATES_SECONDS = 15.0

    def __init__(self) -> None:
        self.jobs: Mapping[str, ScheduledAccount] = {}
        self.down: Mapping[str, Circuit] = {}
        self.is_over = threading.Event()
        self.threads: list[threading.Thread] = []
        self._runs: dict[str, _UnderWay] = {}
        self._states: dict[str, AccountState] = {}
        self._shared: frozenset[str] = frozenset()
        self._looked_at = float("-inf")
        self._guard = threading.Lock()

    def take_over(self, jobs: Sequence[ScheduledAccount]) -> None:
        counts = Counter(job.maildrop for job in jobs)
        self._shared = frozenset(maildrop for maildrop, count in counts.items() if count > 1)
        self.jobs = {job.name: job for job in jobs}

    def turn_of(self, job: ScheduledAccount) -> str:
        """Return what two accounts of one maildrop take turns by, "" for one that has its maildrop to itself."""
        return f"maildrop {job.maildrop}" if job.maildrop in self._shared else ""

    @property
    def runs(self) -> dict[str, _UnderWay]:
        with self._guard:
            return dict(self._runs)

    def begin(self, name: str, now: float) -> _UnderWay:
        with self._guard:
            run = self._runs[name] = _UnderWay(now)
            if self.is_over.is_set():
                run.stop.ask(StoppedBy.SYSTEM)
            return run

    def end(self, name: str) -> None:
        with self._guard:
            self._runs.pop(name, None)

    def began(self, name: str, otherwise: float) -> float:
        run = self.runs.get(name)
        return otherwise if run is None else run.began

    def ask(self, names: Iterable[str], by: StoppedBy) -> bool:
        asked = [run for name, run in self.runs.items() if name in set(names)]
        for run in asked:
            run.stop.ask(by)
        return bool(asked)

    def looked(self, look: Callable[[], dict[str, AccountState]]) -> dict[str, AccountState]:
        if time.monotonic() - self._looked_at > self.STATES_SECONDS:
            try:
                with contained():
                    self._states = look()
            except FerryError as error:
                say("worker.states.unknown", level=logging.WARNING, problem=str(error))
            self._looked_at = time.monotonic()
        return self._states
