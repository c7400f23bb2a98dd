"""Which workers there are, which of them sends what a person hears, and whether this one is too old to go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256

import psycopg

from migrator import __version__
from migrator.errors import ConfigError
from migrator.ledger.postgres.leases import HeldLease, Leases, lease_session
from migrator.ledger.sqlite.connection import VERSION

_SHOW = """insert into fleet_workers (name, since, seen, running, version) values (%s, now(), now(), %s, %s)
    on conflict (name) do update set seen = now(), running = excluded.running, version = excluded.version"""
_FORGET = "delete from fleet_workers where seen < now() - interval '1 day'"
_PRUNE = "delete from pgqueuer_log where created < now() - interval '1 hour'"
_SCHEMA = "select version from schema_version"


class Presence:
    """What the others see of one worker."""

    def __init__(self, address: str, name: str) -> None:
        """Show nothing yet."""
        self._name = name
        self._leases = Leases(partial(lease_session, address), name)
        self._desk: HeldLease | None = None
        self._shown = 0

    def show(self, connection: psycopg.Connection, running: Sequence[str]) -> bool:
        """Show what this worker does; False where the ledger has been migrated by a newer one, which is to go on."""
        connection.execute(_SHOW, (self._name, sorted(running), __version__))
        self._take_desk()
        if self._shown % 100 == 0:
            connection.execute(_FORGET)
            connection.execute(_PRUNE)
        self._shown += 1
        if connection.execute("select to_regclass('schema_version') is null").fetchone() == (True,):
            return True
        row = connection.execute(_SCHEMA).fetchone()
        return row is None or int(row[0]) <= VERSION

    def _take_desk(self) -> None:
        if self._desk is None or not self._desk.holds(0):
            self._desk = self._leases.take("desk") or None

    def is_desk(self) -> bool:
        """Say whether this is the one that sends alerts and the summary."""
        return self._desk is not None and self._desk.holds(0)

    @contextmanager
    def turn(self, name: str) -> Iterator[bool]:
        """Have what this names as the only one on any machine, or say that another has it; ``""`` is everybody's."""
        lease = self._leases.take(name) if name else None
        try:
            yield lease is not None or not name
        finally:
            if lease is not None:
                self._leases.release(lease)

    def leave(self) -> None:
        """Let another one take the desk, and be seen no more."""
        if self._desk is not None:
            self._leases.release(self._desk)
        self._leases.close()


def check_key(connection: psycopg.Connection, key: bytes) -> None:
    """Make sure that all workers hash by the same key, or raise ``ConfigError``; the first one's is it.

    The key itself stays out of the database: who reads that must not be able to try passwords.
    """
    proof = sha256(b"mailferry fleet\0" + key).hexdigest()
    with connection.transaction():
        connection.execute("lock table fleet_key")
        row = connection.execute("select proof from fleet_key").fetchone()
        if row is None:
            connection.execute("insert into fleet_key (proof) values (%s)", [proof])
        elif row[0] != proof:
            raise ConfigError(
                ["parking.key in state_dir is another one than that of the other workers: copy theirs in its place"]
            )
