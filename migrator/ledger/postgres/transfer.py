"""A whole ledger in PostgreSQL, filled from SQLite or emptied into it: the same rows under the same numbers.

Until all of a move is done, and after it, the database that is not the ledger says so to anyone who opens it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from migrator.errors import FerryError, Kind
from migrator.ledger.postgres import schema
from migrator.ledger.postgres.connection import PostgresSql, connected, migrate, moved_to, shown, version_in
from migrator.ledger.postgres.failures import mapped
from migrator.ledger.sqlite.connection import VERSION
from migrator.ledger.sqlite.transfer import filled, rows_of
from migrator.ledger.transfer import Copied, Row, Sum, summed

ARRIVING = "(nowhere: a move into it did not come to its end)"

_SAYS_WHAT_IS_STORED = ("contents", "messages", "copies", "deletions")


def fill(source: sqlite3.Connection, address: str, copied: Copied) -> dict[str, Sum]:
    """Make a ledger in this database of one in SQLite, which nobody may write meanwhile; returns what was copied.

    On return all of it is durable and was found equal, and the database opens for nobody until ``open_up``. Raises
    ``FerryError`` where a ledger that somebody uses is there already.
    """
    with mapped(shown(address)), closing(connected(address)) as session:
        if version_in(PostgresSql(session)) < VERSION:
            migrate(PostgresSql(session))
        with session.transaction():
            _lock(session, "access exclusive")
            if not moved_to(PostgresSql(session)) and not _is_unused(session):
                raise FerryError(
                    Kind.LOCKED,
                    f"there is a ledger in {shown(address)} already, with mail of its own",
                    cure="name another database or schema",
                )
            columns = schema.columns()
            session.execute(f"truncate {', '.join(columns)}".encode())
            sums = {name: _load(session, name, of, source, copied) for name, of in columns.items()}
            for name, of in columns.items():
                if _sum(session, name, of) != sums[name]:
                    problem = f"{shown(address)}: the table {name} is not what was read"
                    raise FerryError(Kind.INTERNAL, problem, cure="try again")
            _mark(session, ARRIVING)
    return sums


def open_up(address: str) -> None:
    """Let the database that ``fill`` made be the ledger, durably; harmless where it is. Raises ``FerryError`` else."""
    with mapped(shown(address)), closing(connected(address)) as session:
        version = version_in(PostgresSql(session))
        where = moved_to(PostgresSql(session)) if version else ""
        is_here = where == ARRIVING or (where == "" and version > 0 and not _is_unused(session))
        if not is_here:
            raise FerryError(
                Kind.LOCKED,
                f"the ledger that was moved to {shown(address)} is not there any more",
                cure="restore that database from its backup, or rename ledger.sqlite3.moved back and move it again",
            )
        _mark(session, "")


def empty_into(address: str, path: Path, goes_to: str, copied: Copied) -> dict[str, Sum]:
    """Make a ledger in SQLite, at ``path``, of the one in this database; returns what was copied.

    On return the file is durable and was found equal, and the database opens for nobody any more: it says that its
    ledger is at ``goes_to``. Every session with it was ended. Raises ``FerryError`` while somebody works an account.
    """
    with mapped(shown(address)), closing(connected(address)) as session:
        with session.transaction():
            _lock(session, "exclusive")
            if worked := _rows(session, "select name from leases where until > now() order by name limit 1"):
                problem = f"{worked[0][0]} is being worked by a machine that uses {shown(address)}"
                raise FerryError(Kind.LOCKED, problem, cure="stop all workers first")
            sums: dict[str, Sum] = {}
            tables = {name: _read(session, name, of, sums, copied) for name, of in schema.columns().items()}
            filled(path, tables, sums)
            _mark(session, goes_to)
        _end_sessions(session)
    return sums


def is_moved_to(address: str, place: str) -> bool:
    """Say whether this database holds what is left of a ledger that is at that place now."""
    with mapped(shown(address)), closing(connected(address)) as session:
        return version_in(PostgresSql(session)) > 0 and moved_to(PostgresSql(session)) == place


def _lock(session: psycopg.Connection[Any], mode: str) -> None:
    """Keep everybody else out to the end of the transaction, however long copying and comparing take."""
    session.execute(b"set local statement_timeout = 0")
    session.execute(b"set local idle_in_transaction_session_timeout = 0")
    session.execute(f"lock table {', '.join(('schema_version', *schema.columns()))} in {mode} mode".encode())


def _is_unused(session: psycopg.Connection[Any]) -> bool:
    return not any(_rows(session, f"select 1 from {name} limit 1") for name in _SAYS_WHAT_IS_STORED)


def _load(
    session: psycopg.Connection[Any], name: str, columns: tuple[str, ...], source: sqlite3.Connection, copied: Copied
) -> Sum:
    total = Sum()
    with session.cursor() as cursor, cursor.copy(f"copy {name} ({_listed(columns)}) from stdin".encode()) as lines:
        for row in summed(rows_of(source, name, columns), total, _of(name, copied)):
            lines.write_row(row)
    if "id" in columns:
        last = f"(select max(id) from {name})"
        setting = f"setval(pg_get_serial_sequence('{name}', 'id'), coalesce({last}, 1), {last} is not null)"
        session.execute(f"select {setting}".encode())
    return total


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _of(name: str, copied: Copied) -> Callable[[int], None]:
    return lambda rows: copied(name, rows)


def _read(
    session: psycopg.Connection[Any], name: str, columns: tuple[str, ...], sums: dict[str, Sum], copied: Copied
) -> Iterator[Row]:
    sums[name] = Sum()
    with _all_of(session, name, columns) as rows:
        yield from summed(rows, sums[name], _of(name, copied))


def _sum(session: psycopg.Connection[Any], name: str, columns: tuple[str, ...]) -> Sum:
    total = Sum()
    with _all_of(session, name, columns) as rows:
        for _row in summed(rows, total):
            pass
    return total


@contextmanager
def _all_of(session: psycopg.Connection[Any], name: str, columns: tuple[str, ...]) -> Iterator[Iterator[Row]]:
    with session.cursor(name="all_of_it") as cursor:
        cursor.itersize = 5_000
        cursor.execute(f"select {_listed(columns)} from {name}".encode())
        yield iter(cursor)


def _rows(session: psycopg.Connection[Any], statement: str) -> list[Any]:
    return session.execute(statement.encode()).fetchall()


def _mark(session: psycopg.Connection[Any], where: str) -> None:
    session.execute(b"update schema_version set moved_to = $1", (where,))


def _end_sessions(session: psycopg.Connection[Any]) -> None:
    """End what others have open: each begins again, and hears of it."""
    session.execute(
        b"select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
        b" and usename = current_user and pid != pg_backend_pid()"
    )
