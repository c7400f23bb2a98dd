"""A worker of a simulated fleet, as a process of its own: everything is real but the mail.

    python -m tests.fleet.simulated DSN NAME ACCOUNTS HOSTS SECONDS EFFECTS

It takes accounts from the queue, owns each by a lease of that many seconds, and has some effects on it, one after the
other: each in a transaction of the fence, and each, as an APPEND would, outside of any, after asking whether its lease
still holds. Each row in ``effects`` names the epoch under which it came.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial

import psycopg
from psycopg.conninfo import make_conninfo

from jobs.fleet.dispatch import PgQueuer
from jobs.fleet.worker import FleetRules, FleetSettings, FleetWorker
from jobs.schedule.queue import Concurrency, Lease, ScheduledAccount
from jobs.schedule.retry import RunOutcome, outcome_of
from jobs.schedule.state_store import Fact
from jobs.schedule.stop import Stop
from jobs.schedule.workers import RunResult
from migrator.errors import FerryError
from migrator.ledger.lease import LeaseLostError
from migrator.ledger.postgres.connection import SETTINGS
from migrator.ledger.postgres.failures import mapped
from migrator.ledger.postgres.leases import FENCE, Leases, Ownership, lease_session
from migrator.report import AccountReport
from migrator.run.account_lock import AccountLockedError
from migrator.run.counters import RunCounters

PER_HOST = 2
ONCE = 1e9
"""No account is due again within the test."""
TABLE = (
    "create table effects (number bigint generated always as identity, account text not null, epoch bigint not null,"
    " kind text not null, worker text not null, at timestamptz not null default clock_timestamp())"
)


class Playing:
    """Runs accounts: it owns each, and has its effects."""

    def __init__(self, dsn: str, name: str, seconds: float, effects: int) -> None:
        self._name = name
        self._effects = effects
        self._margin = seconds / 6
        limits = " ".join(f"-c {key}={value}" for key, value in SETTINGS.items())
        limits += f" -c idle_in_transaction_session_timeout={int(seconds * 1000)}"
        self._dsn = make_conninfo(dsn, options=limits)
        self._leases = Leases(partial(lease_session, dsn), name, seconds=seconds)
        self._local = threading.local()

    def run(self, name: str, stop: Stop) -> tuple[AccountReport, RunOutcome]:
        counters = RunCounters(name)
        own = Ownership(self._leases)
        try:
            with mapped("the test's"), own.owning(f"account {name}"):
                self._work(name, own, stop)
        except FerryError as error:
            is_taken = str(error).startswith("another mailferry")
            counters.problem(AccountLockedError(error.kind, str(error)) if is_taken else error)
        report = counters.report(0.0)
        return report, outcome_of(report)

    def _work(self, name: str, own: Ownership, stop: Stop) -> None:
        [fence] = own.fences
        for _ in range(self._effects):
            if stop.is_set():
                raise LeaseLostError("an end")  # so that the account comes again
            session = self._session()
            with session.transaction():
                session.execute(FENCE, fence)
                session.execute(_EFFECT, (name, fence.epoch, "ledger", self._name))
            time.sleep(random.uniform(0, 0.05))
            if not own.holds(self._margin):
                raise LeaseLostError("an effect outside")
            session.execute(_EFFECT, (name, fence.epoch, "outside", self._name))

    def _session(self) -> psycopg.Connection:
        session: psycopg.Connection | None = getattr(self._local, "session", None)
        if session is None or session.closed:
            session = self._local.session = psycopg.connect(self._dsn, autocommit=True)
        return session

    def fingerprint(self, name: str) -> str:
        return name


_EFFECT = "insert into effects (account, epoch, kind, worker) values (%s, %s, %s, %s)"


class Deaf:
    """Hears of the runs, and keeps nothing."""

    def began(self, lease: Lease) -> None: ...
    def ended(self, lease: Lease, result: RunResult) -> None: ...
    def still_parked(self, lease: Lease) -> None: ...
    def get_all(self, topic: str) -> dict[str, Fact]:
        del topic
        return {}

    def each(self, topic: str) -> Iterator[tuple[str, Fact]]:
        return iter(self.get_all(topic).items())

    def put(self, topic: str, name: str, fact: object) -> None: ...
    def put_all(self, topic: str, facts: object) -> None: ...
    def delete(self, topic: str, name: str) -> None: ...


def jobs(accounts: int, hosts: int) -> list[ScheduledAccount]:
    """Accounts at hosts of unequal size: the first has a third of all."""
    made = []
    for number in range(accounts):
        host = "host-0:995" if number % 3 == 0 else f"host-{1 + number // 3 % max(1, hosts - 1)}:995"
        name = f"account-{number:06}"
        made.append(ScheduledAccount(name, frozenset({host, f"imap-{number}:993"}), name, "1", host))
    return made


def main() -> None:
    dsn, name = sys.argv[1:3]
    accounts, hosts = int(sys.argv[3]), int(sys.argv[4])
    seconds, effects = float(sys.argv[5]), int(sys.argv[6])
    limits = Concurrency(8, PER_HOST)
    worker = FleetWorker(
        FleetSettings(dsn, name, tick_seconds=0.5),
        Playing(dsn, name, seconds, effects),
        Deaf(),
        store=Deaf(),
        rules=FleetRules(lambda _name, now: now + ONCE, limits=limits),
        dispatch=PgQueuer(dsn, limits.accounts, heartbeat=seconds),
    )
    worker.load(jobs(accounts, hosts), limits)
    worker.start()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM})
    worker.stop(20.0)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main()
