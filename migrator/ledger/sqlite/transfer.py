"""A whole ledger in SQLite, as another database takes it over, and as one that is filled from another."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path

from migrator.errors import FerryError, Kind
from migrator.files import sync_file, sync_folder
from migrator.ledger.sqlite.connection import SqliteDatabase
from migrator.ledger.transfer import Row, Sum, summed

_CHUNK = 5_000


def columns_of(sql: sqlite3.Connection, name: str) -> tuple[str, ...]:
    """Return the columns of a table."""
    return tuple(row[1] for row in sql.execute(f"pragma table_info({name})"))


def rows_of(sql: sqlite3.Connection, name: str, columns: tuple[str, ...]) -> Iterator[Row]:
    """Yield the rows of a table, in flat memory."""
    return sql.execute(f"select {_listed(columns)} from {name}")


def whole(path: Path) -> SqliteDatabase:
    """Open a ledger that is to be moved; raises ``FerryError`` where it is damaged."""
    database = SqliteDatabase(path)
    if problems := database.problems():
        database.close()
        cure = "mailferry rebuild-ledger makes a whole one of the archives"
        raise FerryError(Kind.INTERNAL, f"the ledger {path} is damaged: {problems[0]}", cure=cure)
    return database


def set_aside(path: Path) -> Path:
    """Give a ledger that nobody has open another name, durably, with all that was committed to it; returns that."""
    with closing(sqlite3.connect(path)) as sql:
        sql.execute("pragma wal_checkpoint(truncate)")
        sql.execute("pragma journal_mode = delete")
    free = (path.with_name(f"{path.name}.moved{number}") for number in ("", *(f"-{n}" for n in range(2, 1000))))
    aside = next(one for one in free if not one.exists())
    path.rename(aside)
    sync_folder(path.parent)
    return aside


def filled(path: Path, tables: Mapping[str, Iterable[Row]], before: Mapping[str, Sum]) -> None:
    """Make a new ledger of the rows of all tables: durable on return, and equal to what was read of ``before``.

    Of a file that stands there, nothing is left. Raises ``FerryError`` where what was written is not what was read.
    """
    for old in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        old.unlink(missing_ok=True)
    with closing(SqliteDatabase(path)) as database:
        columns = {name: columns_of(database.sql, name) for name in tables}
        with database.transaction() as sql:
            for name, rows in tables.items():
                _insert(sql, name, columns[name], rows)
        for name in tables:
            after = Sum()
            for _row in summed(rows_of(database.sql, name, columns[name]), after):
                pass
            if after != before[name]:
                raise FerryError(Kind.INTERNAL, f"{path}: the table {name} is not what was read", cure="try again")
        database.sql.execute("pragma wal_checkpoint(truncate)")
    sync_file(path)
    sync_folder(path.parent)


def _insert(sql: sqlite3.Connection, name: str, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
    marks = ", ".join("?" * len(columns))
    remaining = iter(rows)
    while chunk := list(islice(remaining, _CHUNK)):
        sql.executemany(f"insert into {name} ({_listed(columns)}) values ({marks})", chunk)


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(columns)


def put_in_place(arriving: Path, path: Path) -> None:
    """Let a ledger that was filled stand under its name, durably; nothing may stand there."""
    os.link(arriving, path)  # fails where something stands there, as a rename would not
    arriving.unlink()
    sync_folder(path.parent)
