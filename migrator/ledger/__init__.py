"""The ledger: one SQLite database in which everything stands that must survive the program.

Every SQL statement of mailferry is in this package. Its public methods say facts (``copies stored``, ``listing
noted``), each is one transaction, and when it returns the fact is durable (``schema`` has the tables, docs/states.md
the states); inside ``together`` several are one. Times are seconds since the epoch, given by the caller.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from migrator.errors import FerryError, Kind
from migrator.files import Device, make_folder
from migrator.ledger.copies import CopiesLedger
from migrator.ledger.copy_rows import places_like
from migrator.ledger.database import Database, Opener
from migrator.ledger.history import History
from migrator.ledger.lease import Lease
from migrator.ledger.maildrops import MaildropLedger
from migrator.ledger.moving import Moves
from migrator.ledger.overview import Overview
from migrator.ledger.receipts import ReceiptsLedger
from migrator.ledger.schedule import StateStore
from migrator.ledger.sqlite.connection import SqliteDatabase
from migrator.ledger.transfer import check_is_here

FILE_NAME = "ledger.sqlite3"


class Ledger:
    """The ledger of one state folder. A run opens its own, so that runs side by side do not wait for one reader."""

    def __init__(self, connection: Database, *, is_dry: bool = False, is_read_only: bool = False) -> None:
        """Speak through an open connection; a dry ledger gives no numbers to what it does not know.

        What is said to one that ``is_read_only`` is forgotten when it is closed.
        """
        self._connection = connection
        self._is_dry = is_dry
        self.is_read_only = is_read_only
        self.history = History(connection)
        self._parts = connection.parts()
        self.archive = self._parts.archive(connection)
        self.state_store = StateStore(connection)
        self.moves = Moves(connection)
        self.overview = Overview(connection)
        self.receipts = ReceiptsLedger(connection)
        self._idle: list[Ledger] = []

    @classmethod
    def open(cls, place: Path | str) -> Ledger:
        """Open the ledger at a place, made durably if it is not there.

        A place is a state folder, in which it is a file (folder 0700, file 0600), or the address of a database.
        """
        if isinstance(place, str):
            return cls(_in_postgres(place))
        state_dir = place
        check_is_here(state_dir, state_dir / FILE_NAME)
        make_folder(state_dir, Device())
        return cls(SqliteDatabase(state_dir / FILE_NAME))

    @classmethod
    def open_dry(cls, place: Path | str) -> Ledger:
        """Open the ledger to look at it only; where there is none, or an older one, something else stands in.

        That is a copy in memory of a file; of a database it is an empty ledger. It goes when it is closed.
        """
        if isinstance(place, str):
            return cls(_in_postgres(place, is_dry=True), is_dry=True)
        check_is_here(place, place / FILE_NAME)
        return cls(SqliteDatabase(place / FILE_NAME, is_dry=True), is_dry=True)

    @classmethod
    def open_existing(cls, address: str) -> Ledger | None:
        """Open the ledger in a database if there is one; makes none."""
        database = _in_postgres(address, is_dry=True)
        if database.is_there():
            return cls(database)
        database.close()
        return None

    @classmethod
    def open_to_read(cls, state_dir: Path) -> Ledger:
        """Open the ledger of a folder that cannot be written, as it was when this was called; nothing is locked.

        It is a copy: what a use case notes on its way has no effect.
        """
        return cls(SqliteDatabase(state_dir / FILE_NAME, is_copy=True), is_read_only=True)

    @classmethod
    def opened_by(cls, opener: Opener) -> Ledger:
        """Open in this process the ledger that ``CopiesLedger.opener`` of another one has named."""
        return cls(opener.open())

    def another(self) -> Ledger:
        """Open the same ledger once more for another run of this process; the writers of both queue."""
        return Ledger(self._connection.another(), is_dry=self._is_dry)

    @contextmanager
    def lent(self) -> Iterator[Ledger]:
        """Lend a run another opening of this ledger; the next run gets it again, with its statements prepared."""
        try:
            own = self._idle.pop()
        except IndexError:
            own = self.another()
        try:
            yield own
        finally:
            own.rest()
            self._idle.append(own)

    def rest(self) -> None:
        """Give back the memory that only makes reading again quick."""
        self._connection.rest()

    @property
    def lease(self) -> Lease:
        """All that is owned through this ledger: to be asked before every effect outside of it (``lease.insist``)."""
        return self._connection.lease

    def owning(self, name: str, patience: float = 0.0) -> AbstractContextManager[None]:
        """Own what this names (``account alice``) as the only one on any machine that has this ledger.

        Raises ``locked`` when somebody else owns it still after that many seconds. On one machine, whose kernel locks
        do this, it does nothing.
        """
        return self._connection.owning(name, patience)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make one transaction of all that is said inside: durable on leaving, all of it or nothing."""
        with self._connection.transaction():
            yield

    def maildrop(self, account: str, host: str, port: int, username: str) -> MaildropLedger:
        """Return what is known of a source, which gets a row if it is new."""
        key = (account, host.lower(), port, username)
        select = "select id from maildrops where (account, host, port, username) = (?, ?, ?, ?)"
        insert = "insert into maildrops (account, host, port, username) values (?, ?, ?, ?)"
        return self._parts.maildrop(self._connection, self._row(select, insert, key), account)

    def copies(self, identity: str, kind: str) -> CopiesLedger:
        """Return what is known of a destination, be it by a former name; it gets a row if it is new."""
        select = (
            "select id from destinations where (identity, kind) = (?1, ?2) union all"
            " select d.id from former_names f join destinations d on d.id = f.destination_id"
            " where (f.identity, d.kind) = (?1, ?2)"
        )
        insert = "insert into destinations (identity, kind) values (?, ?)"
        return self.copies_numbered(self._row(select, insert, (identity, places_like(kind))))

    def copies_numbered(self, destination_id: int) -> CopiesLedger:
        """Return what is known of a destination that has this number."""
        return self._parts.copies(self._connection, destination_id)

    def _row(self, select: str, insert: str, key: tuple[str | int, ...]) -> int:
        with self._connection.reading() as sql:
            row = sql.execute(select, key).fetchone()
        if row is None and self._is_dry:
            return 0  # the number of nothing
        if row is None:
            with self._connection.transaction() as sql:
                sql.execute(f"{insert} on conflict do nothing", key)
                row = sql.execute(select, key).fetchone()
        return int(row[0])

    def server_facts(self, host: str, port: int) -> dict[str, dict[str, Any]]:
        """Return what was learned of a server, ``{}`` of a new one."""
        with self._connection.reading() as sql:
            row = sql.execute("select facts from servers where host = ? and port = ?", (host.lower(), port)).fetchone()
        facts: dict[str, dict[str, Any]] = json.loads(row[0]) if row else {}
        return facts

    def server_learned(self, host: str, port: int, facts: dict[str, dict[str, object]]) -> None:
        """Remember what was learned of a server, in place of what was known."""
        with self._connection.transaction() as sql:
            sql.execute(
                "insert into servers (host, port, facts) values (?, ?, ?)"
                " on conflict (host, port) do update set facts = excluded.facts",
                (host.lower(), port, json.dumps(facts)),
            )

    def integrity_problems(self) -> list[str]:
        """Check the whole database and its rules; empty when all is well. Slow on a large ledger."""
        return self._connection.problems()

    def weaknesses(self) -> list[str]:
        """Return the settings and rules of a database in which a promise may not hold, each with what it should be."""
        return self._connection.weaknesses()

    def backup_command(self) -> str:
        """Return the command that makes a consistent copy where ``copy_to`` does not, empty where it does."""
        return self._connection.backup_command()

    def copy_to(self, path: Path) -> None:
        """Copy the whole ledger into a new file (0600): what was committed by now, and nothing of later."""
        self._connection.copy_to(path)

    def close(self) -> None:
        """Close the database; what was committed stays."""
        for idle in self._idle:
            idle.close()
        self._connection.close()


def _in_postgres(address: str, *, is_dry: bool = False) -> Database:
    with with_psycopg():
        from migrator.ledger.postgres.connection import PostgresDatabase
    return PostgresDatabase(address, is_dry=is_dry)


@contextmanager
def with_psycopg() -> Iterator[None]:
    """Import what speaks to PostgreSQL; raises ``FerryError`` with the cure where that is not installed."""
    try:
        yield
    except ImportError as error:
        raise FerryError(
            Kind.INTERNAL,
            f"the ledger is in PostgreSQL, and psycopg is missing: {error}",
            cure="pip install 'mailferry[fleet]'",
        ) from error
