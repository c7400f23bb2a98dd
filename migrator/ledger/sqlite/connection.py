"""One connection to the ledger's database, and what a transaction on it means.

Write-ahead logging with ``synchronous = FULL``: when ``transaction`` has returned, what was written survives a power
cut. Writers of one process queue on a lock, in order, where SQLite's own busy handler would sleep and guess.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.errors import FerryError, Kind, Scope
from migrator.events import event
from migrator.files import share_decides, storage_error, sync_file, sync_folder
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.lease import KernelLocks
from migrator.ledger.sqlite.read_only import can_be_written, opened_to_read
from migrator.transactions import transaction

if TYPE_CHECKING:
    from migrator.ledger.parts import Parts

_LOG = logging.getLogger(__name__)

VERSION = 8
"""``PRAGMA user_version`` after the newest migration; a database that has it is opened without a look at them."""

BUSY_SECONDS = 60.0
"""How long to wait for a writer in another process."""

CACHE_KIB = 8 * 1024
"""Page cache of one connection: the price in memory for random look-ups by digest staying fast."""

COPY_IN_MEMORY = 64 << 20
"""The largest ledger of which a copy to look at is held in memory."""

LOG_PAGES = 4_000
"""How long the write-ahead log grows (16 MiB): the longer, the fewer times is a page of digests written back."""


@dataclass(frozen=True, slots=True)
class SqliteOpener:
    """Opens the database at ``path``."""

    path: Path

    def open(self) -> SqliteDatabase:
        """Open it, made if need be; raises ``FerryError``."""
        return SqliteDatabase(self.path)


class SqliteDatabase:
    """An open ledger database; safe to share between the threads of one run."""

    def __init__(
        self,
        path: Path,
        *,
        writers: threading.RLock | None = None,
        is_dry: bool = False,
        is_copy: bool = False,
    ) -> None:
        """Open the database at ``path``, made (0600) and migrated if need be; raises ``FerryError``.

        ``writers`` is the lock on which all connections of one process to one database queue. A dry connection neither
        makes nor migrates: where that would be needed, or nothing may be written, it opens a copy of its own. With
        ``is_copy`` it always does, and what is written is gone with it.
        """
        self.path = path
        self.writers = writers or threading.RLock()
        self._is_dry = is_dry
        self._guard = threading.RLock()
        with self.mapped():
            self._is_private = is_copy or (is_dry and not _can_be_looked_at(path))
            self.sql = _open_copy(path) if self._is_private else _open(path, self.writers)

    @contextmanager
    def mapped(self) -> Iterator[None]:
        """Turn SQLite's errors into ours, naming the file and the cure."""
        try:
            yield
        except sqlite3.Error as error:
            raise _mapped(error, self.path) from error

    @contextmanager
    def transaction(self, *, is_long: bool = False) -> Iterator[sqlite3.Connection]:
        """Write all of it durably or nothing of it; inside another transaction, as a part of that one."""
        del is_long
        with self._guard, self.writers, self.mapped():
            is_part = self.sql.in_transaction
            if is_part:
                yield self.sql
                return
            with transaction(self.sql):
                yield self.sql

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read; other threads of this connection wait."""
        with self._guard, self.mapped():
            yield self.sql

    @contextmanager
    def scratch(self) -> Iterator[sqlite3.Connection]:
        """Change temporary tables, all or nothing; the database itself is only read."""
        with self.reading() as sql, transaction(sql, "deferred"):
            yield sql

    def filled(self, table: str) -> None:
        """Do nothing: what SQLite searches in a temporary table it finds by its indexes."""

    def problems(self) -> list[str]:
        """Check the whole database and its rules; empty when all is well. Slow on a large one."""
        with self.reading() as sql:
            found = [row[0] for row in sql.execute("pragma integrity_check") if row[0] != "ok"]
            found += [f"a row of {row[0]} points to nothing" for row in sql.execute("pragma foreign_key_check")]
        return found

    def parts(self) -> Parts:
        """Return the classes that speak to any database."""
        from migrator.ledger.parts import Parts

        return Parts()

    def another(self) -> SqliteDatabase:
        """Open the same database once more for another run of this process; the writers of both queue."""
        return SqliteDatabase(self.path, writers=self.writers, is_dry=self._is_dry)

    def opener(self) -> SqliteOpener:
        """Return what opens the same database in another process."""
        return SqliteOpener(self.path)

    def weaknesses(self) -> list[str]:
        """Return none: what it is set to is set at each opening."""
        return []

    def is_there(self) -> bool:
        """Say whether this is the ledger itself, and no copy."""
        return not self._is_private

    def backup_command(self) -> str:
        """Return nothing: ``copy_to`` makes a copy."""
        return ""

    @property
    def lease(self) -> KernelLocks:
        """What kernel locks give: the database is this machine's, and so are they."""
        return KernelLocks()

    def owning(self, name: str, patience: float = 0.0) -> AbstractContextManager[None]:
        """Do nothing: kernel locks are enough."""
        del name, patience
        return nullcontext()

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
        with share_decides():
            path.chmod(0o600)  # whatever the umask
    sql = _connected(str(path))
    with _closed_by_failure(sql):
        sql.execute("pragma synchronous = full")
        sql.execute(f"pragma wal_autocheckpoint = {LOG_PAGES}")
        if sql.execute("pragma user_version").fetchone()[0] != VERSION:
            with write_lock:
                sql.execute("pragma journal_mode = wal")
                _migrate(sql, path)
                sync_folder(path.parent)
    return sql


@contextmanager
def _closed_by_failure(sql: sqlite3.Connection) -> Iterator[None]:
    """Leave no connection open that nobody gets."""
    try:
        yield
    except BaseException:
        sql.close()
        raise


def _open_copy(path: Path) -> sqlite3.Connection:
    """Open a copy that goes with the connection: in memory, or, of a large one, in a nameless file."""
    is_large = path.exists() and path.stat().st_size > COPY_IN_MEMORY
    sql = _connected("" if is_large else ":memory:")
    with _closed_by_failure(sql):
        if path.exists():
            with opened_to_read(path) as original:
                original.backup(sql)
        if sql.execute("pragma user_version").fetchone()[0] != VERSION:
            _migrate(sql, path, is_copy=True)
    return sql


def _connected(name: str) -> sqlite3.Connection:
    sql = sqlite3.connect(name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    sql.execute("pragma foreign_keys = on")
    sql.execute(f"pragma cache_size = -{CACHE_KIB}")
    return sql


def _version_in(path: Path) -> int:
    """Return ``PRAGMA user_version`` as the file's header has it (SQLite's file format, section 1.3); 0 without one."""
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        header = file.read(64)
    return int.from_bytes(header[60:64], "big")


def _can_be_looked_at(path: Path) -> bool:
    """Say whether a database needs no migration, and stands where SQLite may write what it needs to read it."""
    return _version_in(path) == VERSION and can_be_written(path)


def _migrate(sql: sqlite3.Connection, path: Path, *, is_copy: bool = False) -> None:
    """Make a new ledger, or apply what one of an earlier program lacks, of which a copy is kept first."""
    _refuse_newer(sql, path)
    from migrator.ledger import schema  # a ledger is made once

    with transaction(sql):  # two programs may find the same ledger
        if (version := _refuse_newer(sql, path)) == VERSION:
            return
        if sql.execute("select 1 from sqlite_schema").fetchone():
            is_new, kept = False, None if is_copy else _kept(path)
            schema.migrate(sql)
        else:
            is_new, kept = True, None
            schema.create(sql)
        sql.execute(f"pragma user_version = {VERSION}")
    if not is_new:
        event(_LOG, "ledger.upgraded", before=version, now=VERSION, kept=kept)


def _kept(path: Path) -> Path:
    from migrator.ledger.sqlite.upgrading import keep_before

    try:
        return keep_before(VERSION, path)
    except OSError as error:
        raise storage_error(
            error, f"copying the ledger {path} before its upgrade", read_only="state-read-only"
        ) from error


def _refuse_newer(sql: sqlite3.Connection, path: Path) -> int:
    """Return the version of a ledger that this program can use; raises ``FerryError`` for a newer one."""
    version: int = sql.execute("pragma user_version").fetchone()[0]
    if version <= VERSION:
        return version
    from migrator.ledger.sqlite.upgrading import kept_before

    kept = kept_before(version, path.parent)
    before = f"; as it was before that, it is kept in {kept}" if kept.exists() else ""
    raise FerryError(
        Kind.INTERNAL,
        f"the ledger {path} was written by a newer mailferry (its version is {version}, this program's {VERSION})"
        f"{before}",
        cure="install the newer mailferry again",
        finding="ledger-newer",
    )


def is_damage(error: FerryError) -> bool:
    """Say whether the file is no database any more; a full disk, a lock or a newer program is another matter."""
    cause = error.__cause__
    return isinstance(cause, sqlite3.DatabaseError) and not isinstance(cause, sqlite3.OperationalError)


def _mapped(error: sqlite3.Error, path: Path) -> FerryError:
    text = str(error)
    if isinstance(error, sqlite3.OperationalError):
        if "full" in text:
            return FerryError(
                Kind.DISK_FULL,
                f"there is no room to write the ledger {path}",
                cure="make room on that disk",
                finding="disk-full",
            )
        if "locked" in text or "busy" in text:
            return FerryError(Kind.LOCKED, f"another program has held the ledger {path} for {BUSY_SECONDS:.0f} seconds")
        if "readonly" in text or "unable to open" in text:
            if path.exists() and not can_be_written(path):
                return _read_only(path)
            return FerryError(
                Kind.INTERNAL,
                f"the ledger {path} cannot be written: {text}",
                cure="check that it is a file, the permissions of its folder, and that its disk is mounted for writing",
                finding="state-read-only",
            )
    if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
        return FerryError(Kind.INTERNAL, f"the ledger {path} refused a step that would break its rules: {text}")
    return FerryError(
        Kind.INTERNAL,
        f"the ledger {path} is damaged: {text}",
        cure="stop the worker, then run `mailferry rebuild-ledger`: it sets the ledger aside and reads the archive",
        scope=Scope.SERVICE,
        finding="ledger-damaged",
    )


def _read_only(path: Path) -> FerryError:
    return FerryError(
        Kind.INTERNAL,
        f"the state folder {path.parent} is read-only",
        cure="let the user that mailferry runs as write there, or mount it for writing",
        finding="state-read-only",
    )
