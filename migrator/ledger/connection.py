"""One connection to the ledger's database, and what a transaction on it means.

Write-ahead logging with ``synchronous = FULL``: when ``transaction`` has returned, what was written survives a power
cut. Writers of one process queue on a lock, in order, where SQLite's own busy handler would sleep and guess.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from migrator.errors import FerryError, Kind, Scope
from migrator.files import sync_file, sync_folder

VERSION = 4
"""``PRAGMA user_version`` after the newest migration; a database that has it is opened without a look at them."""

BUSY_SECONDS = 60.0
"""How long to wait for a writer in another process."""

CACHE_KIB = 8 * 1024
"""Page cache of one connection: the price in memory for random look-ups by digest staying fast."""

LOG_PAGES = 4_000
"""How long the write-ahead log grows (16 MiB): the longer, the fewer times is a page of digests written back."""


class Connection:
    """An open ledger database; safe to share between the threads of one run."""

    def __init__(self, path: Path, *, writers: threading.RLock | None = None, is_dry: bool = False) -> None:
        """Open the database at ``path``, made (0600) and migrated if need be; raises ``FerryError``.

        ``writers`` is the lock on which all connections of one process to one database queue. A dry connection neither
        makes nor migrates: where that would be needed it opens a copy in memory.
        """
        self.path = path
        self.writers = writers or threading.RLock()
        self._guard = threading.RLock()
        with self.mapped():
            self.sql = _open_copy(path) if is_dry and _version_in(path) != VERSION else _open(path, self.writers)

    @contextmanager
    def mapped(self) -> Iterator[None]:
        """Turn SQLite's errors into ours, naming the file and the cure."""
        try:
            yield
        except sqlite3.Error as error:
            raise _mapped(error, self.path) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all of it durably or nothing of it; inside another transaction, as a part of that one."""
        with self._guard, self.writers, self.mapped():
            is_part = self.sql.in_transaction
            if is_part:
                yield self.sql
                return
            self.sql.execute("begin immediate")
            try:
                yield self.sql
                self.sql.execute("commit")
            except BaseException:
                if self.sql.in_transaction:
                    self.sql.execute("rollback")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read; other threads of this connection wait."""
        with self._guard, self.mapped():
            yield self.sql

    @contextmanager
    def scratch(self) -> Iterator[sqlite3.Connection]:
        """Change temporary tables, all or nothing; the database itself is only read."""
        with self.reading() as sql:
            sql.execute("begin")
            try:
                yield sql
                sql.execute("commit")
            except BaseException:
                sql.execute("rollback")
                raise

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the database to a new file (0600), synced, while others write."""
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with self.reading() as sql, closing(sqlite3.connect(str(path))) as copy:
            sql.backup(copy)
            # A copy that nobody else has open needs no log beside it.
            copy.execute("pragma journal_mode = delete")
        sync_file(path)

    def rest(self) -> None:
        """Give back the memory of the page cache."""
        with self.reading() as sql:
            sql.execute("pragma shrink_memory")

    def close(self) -> None:
        """Close the database; what was committed stays."""
        with self._guard:
            self.sql.close()


def _open(path: Path, write_lock: threading.RLock) -> sqlite3.Connection:
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        path.chmod(0o600)  # whatever the umask
    sql = _connected(str(path))
    sql.execute("pragma synchronous = full")
    sql.execute(f"pragma wal_autocheckpoint = {LOG_PAGES}")
    if sql.execute("pragma user_version").fetchone()[0] != VERSION:
        with write_lock:
            sql.execute("pragma journal_mode = wal")
            _migrate(sql, path)
            sync_folder(path.parent)
    return sql


def _open_copy(path: Path) -> sqlite3.Connection:
    sql = _connected(":memory:")
    if path.exists():
        with closing(sqlite3.connect(str(path), timeout=BUSY_SECONDS)) as original:
            original.backup(sql)
    _migrate(sql, path)
    return sql


def _connected(name: str) -> sqlite3.Connection:
    sql = sqlite3.connect(name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    sql.execute("pragma foreign_keys = on")
    sql.execute(f"pragma cache_size = -{CACHE_KIB}")
    return sql


def _version_in(path: Path) -> int:
    """Return ``PRAGMA user_version`` as the file's header has it (SQLite's file format, section 1.3); 0 without one."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        header = file.read(64)
    return int.from_bytes(header[60:64], "big")


def _migrate(sql: sqlite3.Connection, path: Path) -> None:
    version = sql.execute("pragma user_version").fetchone()[0]
    if version > VERSION:
        raise FerryError(
            Kind.INTERNAL,
            f"the ledger {path} was written by a newer mailferry (its version is {version}, this program's {VERSION})",
            cure="install the newer mailferry again",
        )
    from migrator.ledger import schema  # a ledger is made once

    sql.execute("begin immediate")  # two programs may find the same new ledger
    try:
        if sql.execute("select 1 from sqlite_schema").fetchone():
            schema.migrate(sql)
        else:
            schema.create(sql)
        sql.execute(f"pragma user_version = {VERSION}")
        sql.execute("commit")
    except BaseException:
        if sql.in_transaction:
            sql.execute("rollback")
        raise


def is_damage(error: FerryError) -> bool:
    """Say whether the file is no database any more; a full disk, a lock or a newer program is another matter."""
    cause = error.__cause__
    return isinstance(cause, sqlite3.DatabaseError) and not isinstance(cause, sqlite3.OperationalError)


def _mapped(error: sqlite3.Error, path: Path) -> FerryError:
    text = str(error)
    if isinstance(error, sqlite3.OperationalError):
        if "full" in text:
            return FerryError(
                Kind.DISK_FULL, f"there is no room to write the ledger {path}", cure="make room on that disk"
            )
        if "locked" in text or "busy" in text:
            return FerryError(Kind.LOCKED, f"another program has held the ledger {path} for {BUSY_SECONDS:.0f} seconds")
        if "readonly" in text or "unable to open" in text:
            return FerryError(
                Kind.INTERNAL,
                f"the ledger {path} cannot be written: {text}",
                cure="check that it is a file, and the permissions of its folder",
            )
    if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
        return FerryError(Kind.INTERNAL, f"the ledger {path} refused a step that would break its rules: {text}")
    return FerryError(
        Kind.INTERNAL,
        f"the ledger {path} is damaged: {text}",
        cure="move it away (keep it) and run again: what the archive holds is found again, and nothing is stored twice",
        scope=Scope.SERVICE,
    )
