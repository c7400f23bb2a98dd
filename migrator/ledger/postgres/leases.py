"""Leases in PostgreSQL: taken by one statement, renewed by a thread, checked by every transaction that writes.

A lease is taken only once it has run out by the database's clock, also by who held it last: a stale job can come back
to the same worker while its first run still sleeps. Its holder counts from before the renewal was sent, on a clock
that goes on while a machine sleeps, and so knows no later than anybody else that it has run out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass

LEASE_SECONDS = 60.0
RENEWALS = 3
"""How often a lease is renewed before it would run out."""
TAKE_SECONDS = 1.0
"""Who holds a row for longer is at work in it, or has frozen in a transaction, which the server ends by itself."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0

_SETTINGS = {
    "synchronous_commit": "on",  # a lease that a crash forgets would be given out again under the same epoch
    "idle_in_transaction_session_timeout": "10s",  # what a frozen worker holds keeps others waiting for no longer
    "statement_timeout": "60s",
}
PROBES = {"keepalives_idle": 10, "keepalives_interval": 5}
"""Seconds after which a machine that vanished while an answer was awaited is noticed, with ``tcp_user_timeout``."""

LOST = "MF001"
"""The SQLSTATE of a transaction whose lease another has taken over."""

SCHEMA = (
    """create table if not exists leases (
        name text primary key,
        epoch bigint not null check (epoch > 0),
        holder text not null,
        until timestamptz not null
    )""",
    f"""create or replace function fence(wanted text, held bigint) returns void language plpgsql as $$
    begin
        perform 1 from leases where name = wanted and epoch = held for share;
        if not found then
            raise exception 'the lease of % has been taken over', wanted using errcode = '{LOST}';
        end if;
    end $$""",
)
"""Where leases are kept. ``for share``: what counts an epoch up waits for who holds it, and the other way round."""

FENCE = "select fence(%s, %s)"
"""The first statement of every transaction that writes: with a lease's name and epoch."""

_TAKE = """insert into leases as l (name, epoch, holder, until)
    values (%(name)s, 1, %(holder)s, clock_timestamp() + %(seconds)s * interval '1 second')
    on conflict (name) do update set epoch = l.epoch + 1, holder = excluded.holder, until = excluded.until
    where l.until < now() returning epoch"""
_RENEW = """with mine as (
        select l.name from leases l
        join unnest(%(names)s::text[], %(epochs)s::bigint[]) m (name, epoch) using (name, epoch)
        for no key update of l skip locked
    )
    update leases set until = clock_timestamp() + %(seconds)s * interval '1 second' from mine
    where leases.name = mine.name returning leases.name"""
_TAKEN_OVER = """select m.name from unnest(%(names)s::text[], %(epochs)s::bigint[]) m (name, epoch)
    left join leases l using (name) where l.epoch is distinct from m.epoch"""
_RELEASE = "update leases set until = '-infinity' where name = %s and epoch = %s"


def boot_time() -> float:
    """Return seconds of a clock that goes on while the machine sleeps, and is the same in all its processes."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def lease_session(address: str) -> psycopg.Connection:
    """Begin a session for short statements, each a transaction of its own, that soon notices a lost network."""
    options = conninfo_to_dict(address).get("options") or ""
    settings = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
    return psycopg.connect(
        make_conninfo(address, options=f"{options} {settings}".strip(), **PROBES),
        autocommit=True,
        connect_timeout=5,
        tcp_user_timeout=10_000,
        application_name="mailferry leases",
    )


def prepare(connection: psycopg.Connection) -> None:
    """Make the table and the function; harmless where they are."""
    for statement in SCHEMA:
        connection.execute(statement)


class Fence(NamedTuple):
    """What a transaction is refused by once it is no longer true: who is at which epoch."""

    name: str
    epoch: int


@dataclass(eq=False, slots=True)
class HeldLease:
    """A lease that this process has taken, by what it knows of it."""

    fence: Fence
    until: float
    """By ``boot_time``: when it runs out, unless it is renewed."""
    is_lost: bool = False

    def holds(self, for_seconds: float) -> bool:
        """Say whether nobody else can have taken it over within that many seconds from now."""
        return not self.is_lost and boot_time() + for_seconds < self.until

    def as_known_now(self) -> Deadline:
        """Return what is known of it now, for another process of this machine."""
        return Deadline(0.0 if self.is_lost else self.until)


class Deadline(NamedTuple):
    """A lease, as another process has last known it."""

    until: float

    def holds(self, for_seconds: float) -> bool:
        """Say whether nobody else can have taken it over within that many seconds from now."""
        return boot_time() + for_seconds < self.until

    def as_known_now(self) -> Deadline:
        """Return the same."""
        return self


class Leases:
    """The leases of one worker; all methods may be called from any thread."""

    def __init__(
        self, connect: Callable[[], psycopg.Connection], holder: str, *, seconds: float = LEASE_SECONDS
    ) -> None:
        """Take leases as ``holder``, for that many seconds at a time, on connections of their own.

        ``connect`` opens one to a database that is prepared for it, each statement of which is a transaction.
        """
        self._holder = holder
        self._seconds = seconds
        self._held: dict[str, HeldLease] = {}
        self._unheard: set[Fence] = set()
        """What was released while the database was away."""
        self._guard = threading.Lock()
        self._taking = Line(connect)
        self._renewing = Line(connect)
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, name: str) -> HeldLease | None:
        """Take what this names, durably, or return None because somebody holds it, be it this very worker.

        Raises ``psycopg.Error`` where the database cannot be asked.
        """
        sent = boot_time()
        wanted = {"name": name, "holder": self._holder, "seconds": self._seconds}
        with self._taking.open() as connection:
            try:
                row = connection.execute(_TAKE, wanted).fetchone()
            except psycopg.errors.LockNotAvailable:  # it is in a transaction of the one who holds it
                return None
        if row is None:
            return None
        lease = HeldLease(Fence(name, int(row[0])), sent + self._seconds)
        with self._guard:
            self._held[name] = lease
        self._keep_renewing()
        return lease

    def release(self, lease: HeldLease) -> None:
        """Let somebody else take it at once; where the database is away, when it is back, or when it has run out."""
        with self._guard:
            if self._held.get(lease.fence.name) is lease:
                del self._held[lease.fence.name]
        lease.is_lost = True
        try:
            with self._taking.open() as connection:
                connection.execute(_RELEASE, lease.fence)
        except psycopg.Error:
            with self._guard:
                self._unheard.add(lease.fence)

    def renew(self) -> bool:
        """Renew all that is held, release what could not be; returns whether all of it was, or is known to be lost.

        What has been taken over is lost from now on. What a transaction of our own holds just now has to be renewed
        in a moment. Raises ``psycopg.Error`` where the database cannot be asked.
        """
        with self._guard:
            held = {lease.fence.name: lease for lease in self._held.values()}
            unheard = frozenset(self._unheard)
        if not held and not unheard:
            return True
        fences = [lease.fence for lease in held.values()]
        wanted = {"names": [one.name for one in fences], "epochs": [one.epoch for one in fences]}
        sent = boot_time()
        with self._renewing.open() as connection:
            for fence in unheard:
                connection.execute(_RELEASE, fence)
            with self._guard:
                self._unheard -= unheard
            renewed = {row[0] for row in connection.execute(_RENEW, {**wanted, "seconds": self._seconds})}
            for name in renewed:
                held[name].until = sent + self._seconds
            if len(renewed) == len(held):
                return True
            lost = {row[0] for row in connection.execute(_TAKEN_OVER, wanted)}
        for name in lost:
            held[name].is_lost = True
        with self._guard:
            self._held = {name: lease for name, lease in self._held.items() if not lease.is_lost}
        return renewed | lost == held.keys()

    def close(self) -> None:
        """Renew nothing any more; what is still held runs out by itself."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()
        self._taking.close()
        self._renewing.close()

    def _keep_renewing(self) -> None:
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew_always, name="leases", daemon=True)
                self._thread.start()

    def _renew_always(self) -> None:
        period = self._seconds / RENEWALS
        pause = period
        while not self._is_over.wait(pause):
            try:
                pause = period if self.renew() else period / 10
            except psycopg.Error:  # the database is away: until it is back, who holds something counts the seconds
                pause = period / 10


class Line:
    """A connection that is opened when it is needed, and again after it broke; one thread at a time."""

    def __init__(self, connect: Callable[[], psycopg.Connection]) -> None:
        """Open nothing yet."""
        self._connect = connect
        self._connection: psycopg.Connection | None = None
        self._guard = threading.Lock()

    @contextmanager
    def open(self) -> Iterator[psycopg.Connection]:
        """Lend the connection; raises ``psycopg.Error`` where there is none to be had."""
        with self._guard:
            if self._connection is None or self._connection.broken or self._connection.closed:
                self._connection = self._connect()
                self._connection.execute(f"set lock_timeout = '{TAKE_SECONDS:g}s'")
            yield self._connection

    def close(self) -> None:
        """Close it."""
        with self._guard:
            if self._connection is not None:
                self._connection.close()


class Ownership:
    """What is owned through one connection to the ledger: all of it, or none of it any more. A ``Lease``."""

    def __init__(self, leases: Leases) -> None:
        """Own nothing yet."""
        self._leases = leases
        self._held: list[HeldLease] = []

    @property
    def fences(self) -> Sequence[Fence]:
        """What every transaction of the connection begins with, by ``FENCE``."""
        return [lease.fence for lease in self._held]

    @contextmanager
    def owning(self, name: str, patience: float = 0.0) -> Iterator[None]:
        """Own what this names; raises ``locked`` where somebody else still does after that many seconds."""
        lease = self._taken(name, patience)
        self._held = [*self._held, lease]
        try:
            yield
        finally:
            self._held = [one for one in self._held if one is not lease]
            self._leases.release(lease)

    def _taken(self, name: str, patience: float) -> HeldLease:
        until = time.monotonic() + patience
        pause = _FIRST_PAUSE
        while True:
            if lease := self._leases.take(name):
                return lease
            left = until - time.monotonic()
            if left <= 0:
                raise FerryError(Kind.LOCKED, f"another mailferry is working {name}", cure="let it finish, or stop it")
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def holds(self, for_seconds: float) -> bool:
        """Say whether nobody else can have taken any of it over within that many seconds from now."""
        return all(lease.holds(for_seconds) for lease in self._held)

    def as_known_now(self) -> Deadline:
        """Return what is known of all of it now, for another process of this machine."""
        return Deadline(min((lease.as_known_now().until for lease in self._held), default=float("inf")))
