"""The ledger: one SQLite database in which everything stands that must survive the program.

Every SQL statement of mailferry is in this package. Its public methods say facts (``copies stored``, ``listing
noted``), each is one transaction, and when it returns the fact is durable (``schema`` has the tables, docs/states.md
the states); inside ``together`` several are one. Times are seconds since the epoch, given by the caller.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from migrator.files import Device, make_folder
from migrator.ledger.archive import ArchiveLedger
from migrator.ledger.connection import Connection
from migrator.ledger.copies import CopiesLedger
from migrator.ledger.history import History
from migrator.ledger.maildrops import MaildropLedger
from migrator.ledger.moving import Moves
from migrator.ledger.schedule import StateStore

FILE_NAME = "ledger.sqlite3"


class Ledger:
    """The ledger of one state folder. A run opens its own, so that runs side by side do not wait for one reader."""

    def __init__(self, connection: Connection, *, is_dry: bool = False) -> None:
        """Speak through an open connection; a dry ledger gives no numbers to what it does not know."""
        self._connection = connection
        self._is_dry = is_dry
        self.history = History(connection)
        self.archive = ArchiveLedger(connection)
        self.state_store = StateStore(connection)
        self.moves = Moves(connection)
        self._idle: list[Ledger] = []

    @classmethod
    def open(cls, state_dir: Path) -> Ledger:
        """Open the ledger in ``state_dir``, made durably if it is not there (folder 0700, file 0600)."""
        make_folder(state_dir, Device())
        return cls(Connection(state_dir / FILE_NAME))

    @classmethod
    def open_dry(cls, state_dir: Path) -> Ledger:
        """Open the ledger to look at it only; where there is none, or an older one, a copy in memory stands in."""
        return cls(Connection(state_dir / FILE_NAME, is_dry=True), is_dry=True)

    def another(self) -> Ledger:
        """Open the same ledger once more for another run of this process; the writers of both queue."""
        before = self._connection
        return Ledger(Connection(before.path, writers=before.writers, is_dry=self._is_dry), is_dry=self._is_dry)

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
        return MaildropLedger(self._connection, self._row(select, insert, key), account)

    def copies(self, identity: str, kind: str) -> CopiesLedger:
        """Return what is known of a destination, be it by a former name; it gets a row if it is new."""
        select = (
            "select id from destinations where (identity, kind) = (?1, ?2) union all"
            " select d.id from former_names f join destinations d on d.id = f.destination_id"
            " where (f.identity, d.kind) = (?1, ?2)"
        )
        insert = "insert into destinations (identity, kind) values (?, ?)"
        return CopiesLedger(self._connection, self._row(select, insert, (identity, kind)))

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
        with self._connection.reading() as sql:
            found = [row[0] for row in sql.execute("pragma integrity_check") if row[0] != "ok"]
            found += [f"a row of {row[0]} points to nothing" for row in sql.execute("pragma foreign_key_check")]
        return found

    def copy_to(self, path: Path) -> None:
        """Copy the whole ledger into a new file (0600): what was committed by now, and nothing of later."""
        self._connection.copy_to(path)

    def close(self) -> None:
        """Close the database; what was committed stays."""
        for idle in self._idle:
            idle.close()
        self._connection.close()
