"""Reading a database that cannot be written: on a mounted backup, a snapshot, a DVD, or of another user.

SQLite wants to write beside a database that it reads (its log's index); where it may not, a database without a log is
read as one that nobody changes, and one with a log is copied together with it to a place of its own.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


def can_be_written(path: Path) -> bool:
    """Say whether this user may write a file that is there, and make others beside it."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)


@contextmanager
def opened_to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a database to read from, with all that was committed to it; its folder stays as it is."""
    with ExitStack() as stack:
        sql = _opened(path, stack)
        stack.callback(sql.close)
        yield sql


def _opened(path: Path, stack: ExitStack) -> sqlite3.Connection:
    with suppress(sqlite3.OperationalError):
        return _probed(f"{path.absolute().as_uri()}?mode=ro")
    if not _has_log(path):
        return _probed(f"{path.absolute().as_uri()}?mode=ro&immutable=1")
    from tempfile import TemporaryDirectory

    folder = stack.enter_context(TemporaryDirectory(prefix="mailferry-"))
    return _probed(copied_database(path, Path(folder)).as_uri())


def copied_database(path: Path, folder: Path) -> Path:
    """Copy a database with its log into another folder (0700); returns where it is there. Raises ``OSError``."""
    for part in (path, _log_of(path)):
        if part.exists():
            shutil.copyfile(part, folder / part.name)
    return folder / path.name


def _has_log(path: Path) -> bool:
    log = _log_of(path)
    return log.exists() and log.stat().st_size > 0


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _probed(uri: str) -> sqlite3.Connection:
    """Open a database and make sure that it can be read."""
    sql = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        sql.execute("select count(*) from sqlite_schema").fetchone()
    except BaseException:
        sql.close()
        raise
    return sql
