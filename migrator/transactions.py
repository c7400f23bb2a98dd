"""One transaction of an SQLite database that is opened with ``isolation_level=None``: all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection


@contextmanager
def transaction(sql: Connection, kind: str = "immediate") -> Iterator[Connection]:
    """Commit what is done inside; roll back whatever ends it otherwise, but for what SQLite has rolled back itself.

    ``immediate`` takes the lock for writing at once, so that nobody else writes between reading and writing inside.
    """
    sql.execute(f"begin {kind}")
    try:
        yield sql
        sql.execute("commit")
    except BaseException:
        if sql.in_transaction:
            sql.execute("rollback")
        raise
