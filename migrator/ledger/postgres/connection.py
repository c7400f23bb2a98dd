"""One session with PostgreSQL, and what a transaction in it means.

All that is said in a transaction goes out as one pipeline: it waits for an answer only where one is read, so that a
database in another building costs few round trips. When ``transaction`` has returned, what was written is durable
(``synchronous_commit``); where the answer to COMMIT is lost, it counts as failed, and the next run looks.
"""

from __future__ import annotations

import logging
import os
import re
import select
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import psycopg
from psycopg import pq
from psycopg.adapt import Buffer, Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.postgres.dialect import translated
from migrator.ledger.postgres.failures import mapped
from migrator.ledger.postgres.leases import PROBES, Fence, Leases, Ownership
from migrator.ledger.sqlite.connection import VERSION
from migrator.ledger.transfer import moved_away

if TYPE_CHECKING:
    from migrator.ledger.database import Rows, Values
    from migrator.ledger.parts import Parts

SETTINGS = {
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "5s",
    "statement_timeout": "60s",
    "work_mem": "64MB",  # "not in" a listing of a million messages is a table of hashes, or takes hours
    "client_encoding": "utf8",
    "standard_conforming_strings": "on",
}
"""What every session asks for; ``doctor`` looks whether it holds."""

_CONNECT_SECONDS = 10
_SILENCE_MILLISECONDS = 15_000
_MIGRATION_PATIENCE = "60s"
_STATEMENTS_KEPT = 300
_FENCE = "select fence($1, $2)"


logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of what the error that follows says better


class _WholeNumber(Loader):
    """A sum of whole numbers is one: PostgreSQL calls it numeric."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


@dataclass(frozen=True, slots=True)
class PostgresOpener:
    """Opens the database at an address, which holds no password, for what is owned at these epochs."""

    address: str
    fences: tuple[Fence, ...]

    def open(self) -> PostgresDatabase:
        """Open it, made if need be; raises ``FerryError``."""
        return PostgresDatabase(self.address, fences=self.fences)


class PostgresSql:
    """What the ledger's statements are said to: it translates them."""

    def __init__(self, session: psycopg.Connection[Any]) -> None:
        """Speak in this session."""
        self.session = session

    def execute(self, statement: str, values: Values = (), /) -> Rows:
        """Run one statement of the ledger's."""
        text, _ = translation = translated(statement)
        return self.session.execute(text.encode(), translation.bound(values) or None)

    def executemany(self, statement: str, rows: Iterable[Values], /) -> None:
        """Run one statement for each of these rows of values."""
        translation = translated(statement)
        with self.session.cursor() as cursor:
            cursor.executemany(translation.text.encode(), [translation.bound(values) for values in rows])

    def piped(self) -> AbstractContextManager[object]:
        """Ask several questions in one round trip; their answers are read after it."""
        return self.session.pipeline()

    def own(self, statement: str, values: tuple[Any, ...] = ()) -> psycopg.Cursor[Any]:
        """Run a statement of PostgreSQL's own, with ``$1``, ``$2``…; octets come back as they are sent, unescaped."""
        return self.session.execute(statement.encode(), values, binary=True)


class PostgresDatabase:
    """An open ledger database; safe to share between the threads of one run."""

    def __init__(
        self, address: str, *, is_dry: bool = False, leases: Leases | None = None, fences: tuple[Fence, ...] = ()
    ) -> None:
        """Open the database at ``address``, its tables made or migrated if need be; raises ``FerryError``.

        ``leases`` are those of this process; ``fences`` is what another process owns, for which this one writes. A dry
        one neither makes nor migrates: where that would be needed, empty tables of its own stand in.
        """
        self.address = address
        self.place = shown(address)
        self._is_dry = is_dry
        self._fences = fences
        self._leases = leases or Leases(lambda: connected(address, psycopg.Cursor), _holder())
        self._owned = Ownership(self._leases)
        self._owns_leases = leases is None
        self._guard = threading.RLock()
        self._is_inside = False
        self._is_stand_in = False
        with mapped(self.place):
            self._sql = self._opened()

    def parts(self) -> Parts:
        """Return the classes that speak to PostgreSQL."""
        from migrator.ledger.postgres.parts import PARTS

        return PARTS

    @contextmanager
    def transaction(self, *, is_long: bool = False) -> Iterator[PostgresSql]:
        """Write all of it durably or nothing of it; inside another transaction, as a part of that one.

        ``statement_timeout`` does not end a long one.
        """
        with self._guard, mapped(self.place):
            if self._is_inside:
                yield self._sql
                return
            with self._begun(is_piped=True) as sql:
                if is_long:
                    sql.own("set local statement_timeout = 0")
                yield sql

    @contextmanager
    def _begun(self, *, is_piped: bool) -> Iterator[PostgresSql]:
        sql = self._alive()
        self._is_inside = True
        try:
            with sql.session.pipeline() if is_piped else nullcontext():
                sql.session.execute(b"begin")
                for fence in (*self._fences, *self._owned.fences) if is_piped else ():
                    sql.own(_FENCE, fence)
                yield sql
                ended = sql.session.execute(b"commit")
            _check_committed(ended)
        except BaseException:
            _roll_back(sql.session)
            raise
        finally:
            self._is_inside = False

    @contextmanager
    def reading(self) -> Iterator[PostgresSql]:
        """Read; other threads of this database wait."""
        with self._guard, mapped(self.place):
            yield self._sql if self._is_inside else self._alive()

    @contextmanager
    def scratch(self) -> Iterator[PostgresSql]:
        """Change temporary tables, all or nothing; the database itself is only read."""
        with (
            self._guard,
            mapped(self.place),
            self._begun(is_piped=False) as sql,
        ):  # COPY and a pipeline exclude each other
            yield sql

    def filled(self, table: str) -> None:
        """Let the planner know what a temporary table holds: nobody else does."""
        with self.reading() as sql:
            sql.own(f"analyze pg_temp.{table}")

    def problems(self) -> list[str]:
        """Return none: its pages are PostgreSQL's to check, and its rules are looked at by ``weaknesses``."""
        return []

    def weaknesses(self) -> list[str]:
        """Return the settings and rules in which a promise may not hold, each with what it should be."""
        from migrator.ledger.postgres.checking import unsafe_rules, unsafe_settings

        with self.reading() as sql:
            return [*unsafe_rules(sql), *unsafe_settings(sql)]

    def is_there(self) -> bool:
        """Say whether this is the ledger itself, and no empty stand-in."""
        return not self._is_stand_in

    def backup_command(self) -> str:
        """Return how PostgreSQL's own tool makes a copy; nothing else copies a database while others write."""
        return f"pg_dump --format=custom --file=ledger.dump '{self.address}'"

    def copy_to(self, path: Path) -> None:
        """Refuse: what copies a database consistently while others write are PostgreSQL's own tools."""
        raise FerryError(
            Kind.INTERNAL,
            f"the ledger {self.place} is in PostgreSQL: {path.name} cannot be made of it",
            cure=f"back it up with: {self.backup_command()}",
        )

    def another(self) -> PostgresDatabase:
        """Open the same database once more, for another run of this process."""
        return PostgresDatabase(self.address, is_dry=self._is_dry, leases=self._leases)

    def opener(self) -> PostgresOpener:
        """Return what opens the same database in another process, for what is owned through this one now."""
        return PostgresOpener(self.address, (*self._fences, *self._owned.fences))

    @property
    def lease(self) -> Ownership:
        """All that is owned through this database; every transaction is refused once another owns some of it."""
        return self._owned

    @contextmanager
    def owning(self, name: str, patience: float = 0.0) -> Iterator[None]:
        """Own what this names as the only one on any machine; raises ``locked`` after that many seconds of waiting."""
        if self._is_stand_in:
            yield
            return
        with ExitStack() as owned:
            with mapped(self.place):
                owned.enter_context(self._owned.owning(name, patience))
            yield

    def rest(self) -> None:
        """Do nothing: a session holds little, and the database's memory is its own."""

    def close(self) -> None:
        """Close the session; what was committed stays."""
        with self._guard:
            self._sql.session.close()
            if self._owns_leases:
                self._leases.close()

    def _alive(self) -> PostgresSql:
        """Return the session, a new one where the last has broken: a database may be restarted under a worker."""
        if _is_broken(self._sql.session):
            self._sql = self._opened()
        return self._sql

    def _opened(self) -> PostgresSql:
        sql = PostgresSql(connected(self.address))
        try:
            self._bring_up_to_date(sql)
        except BaseException:
            sql.session.close()
            raise
        return sql

    def _bring_up_to_date(self, sql: PostgresSql) -> None:
        version = version_in(sql)
        if version > VERSION:
            raise FerryError(
                Kind.INTERNAL,
                f"the ledger {self.place} was written by a newer mailferry"
                f" (its version is {version}, this program's {VERSION})",
                cure="install the newer mailferry here, too",
                finding="ledger-newer",
            )
        if version and (place := moved_to(sql)):
            raise moved_away(self.place, place)
        if version < VERSION:
            from migrator.ledger.postgres import schema  # a ledger is made once

            if self._is_dry:
                self._is_stand_in = True
                for statement in schema.stand_in():
                    sql.session.execute(statement.encode())
            else:
                migrate(sql)


def connected(address: str, cursor: type[psycopg.Cursor[Any]] = psycopg.RawCursor) -> psycopg.Connection[Any]:
    """Begin a session; raises ``psycopg.Error``."""
    asked = conninfo_to_dict(address)
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    session: psycopg.Connection[Any] = psycopg.connect(
        make_conninfo(
            address,
            options=f"{asked.get('options', '')} {options}".strip(),
            application_name=asked.get("application_name", "mailferry"),
            connect_timeout=asked.get("connect_timeout", _CONNECT_SECONDS),
            tcp_user_timeout=asked.get("tcp_user_timeout", _SILENCE_MILLISECONDS),
            **{name: asked.get(name, seconds) for name, seconds in PROBES.items()},
        ),
        autocommit=True,
        cursor_factory=cursor,
    )
    session.prepared_max = _STATEMENTS_KEPT
    session.adapters.register_loader("numeric", _WholeNumber)
    session.add_notice_handler(lambda _notice: None)
    return session


def version_in(sql: PostgresSql) -> int:
    """Return the version of the ledger that is there, 0 where none is."""
    try:
        row = sql.own("select version from schema_version").fetchone()
    except psycopg.errors.UndefinedTable:
        return 0
    return int(row[0]) if row else 0


def moved_to(sql: PostgresSql) -> str:
    """Return where the ledger of this database is now; empty where it is here."""
    return str(sql.own("select moved_to from schema_version").fetchall()[0][0])


def migrate(sql: PostgresSql) -> None:
    """Make the tables, or upgrade them to this program's version: all of it durable, or nothing."""
    from migrator.ledger.postgres import schema

    session = sql.session
    with session.transaction():
        session.execute(f"set local lock_timeout = '{_MIGRATION_PATIENCE}'".encode())
        # Two programs may find the same new database.
        session.execute(b"select pg_advisory_xact_lock(hashtext('mailferry ledger'), hashtext(current_schema()))")
        session.execute(b"savepoint looking")
        version = version_in(sql)
        session.execute(b"rollback to savepoint looking")
        if version >= VERSION:
            return
        statements = schema.upgrade(version, VERSION) if version else schema.creation(VERSION)
        for statement in statements:
            session.execute(statement.encode())


def _check_committed(ended: psycopg.Cursor[Any]) -> None:
    """Make sure that COMMIT did: of a transaction in which something failed, unheard, it is a ROLLBACK."""
    if ended.statusmessage != "COMMIT":
        raise psycopg.errors.InFailedSqlTransaction("a step of the transaction had failed")


def _holder() -> str:
    return f"{os.uname().nodename}, process {os.getpid()}"


def _roll_back(session: psycopg.Connection[Any]) -> None:
    with suppress(psycopg.Error):  # what went wrong before is the error that is seen
        if not session.closed and session.info.transaction_status != pq.TransactionStatus.IDLE:
            session.execute(b"rollback")


def _is_broken(session: psycopg.Connection[Any]) -> bool:
    """Say whether the session has ended without us; one that is idle hears of it only by listening."""
    with suppress(psycopg.Error):
        while not session.closed and select.select([session.fileno()], [], [], 0)[0]:
            session.pgconn.consume_input()
    return session.broken


def shown(address: str) -> str:
    """Return what a person calls the database: where it is, without role, ports and options."""
    parts = urlsplit(address)
    asked = dict(parse_qsl(parts.query))
    hosts = parts.netloc.rpartition("@")[2] or asked.get("host") or "localhost"
    names = [re.sub(r":\d*$", "", host).strip("[]") for host in hosts.split(",")]
    return f"{parts.path.strip('/') or asked.get('dbname', '')} at {' or '.join(names)}"
