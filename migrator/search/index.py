"""The search index: one SQLite file beside the ledger, which may be deleted at any time and is built again.

It never endangers anything: no other part reads it, a damaged one is begun again, and what it says of a message is only
what helps to find it. The text itself is not kept, only which words stand where (a contentless FTS5 table).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from migrator.errors import FerryError, Kind
from migrator.ledger.contents import places
from migrator.ledger.sqlite.read_only import opened_to_read
from migrator.model import Digest
from migrator.search.cursor import Cursor
from migrator.search.entries import Entry, Hit, IndexProgress, Page
from migrator.search.keys import IS_DIGEST, message_key
from migrator.search.numbers import EARLIEST, numbers_of, place_in_time
from migrator.search.query import Query
from migrator.search.selecting import LARGE, Selection, Statement, counted, newest, numbers, owned_by, selection
from migrator.search.sql import condition
from migrator.search.tables import TABLES, VERSION
from migrator.transactions import transaction

FILE_NAME = "search.sqlite3"
_ABOUT = f"select date, sender, subject from messages where {IS_DIGEST}"  # noqa: S608  # ours
_KNOWN = f"select 1 from messages where {IS_DIGEST}"  # noqa: S608  # ours
_IS_TAKEN = "select 1 from messages where id = ?1 union all select 1 from orphans where number = ?1"
_LAST_WITHOUT_DATE = (
    "select coalesce(max(number), 0) from (select max(id) as number from messages where id < ?1"
    " union all select max(number) from orphans where number < ?1)"
)
_BUSY_SECONDS = 10.0
_CHUNK = 500
CACHE_KIB, CACHE_TO_WRITE_KIB = 4 * 1024, 32 * 1024
"""Page cache of one connection: a page of hits is no quicker with more, and forty may be asked for at one time."""


def problem_of_index(state_dir: Path) -> str:
    """Say why the index cannot be read; empty where it can, or there is none. Nothing is changed."""
    path = state_dir / FILE_NAME
    if not path.exists():
        return ""
    try:
        with opened_to_read(path) as sql:
            (said,) = sql.execute("pragma quick_check(1)").fetchone()
    except (sqlite3.Error, OSError) as error:
        return str(error)
    return "" if said == "ok" else str(said)


class SearchIndex:
    """An open index."""

    def __init__(self, sql: sqlite3.Connection, *, replaced: int = 0) -> None:
        """Speak through an open database; ``replaced`` messages were in one of another version, which is gone."""
        self._sql = sql
        self.replaced = replaced

    @classmethod
    def open(cls, state_dir: Path) -> SearchIndex:
        """Open the index in ``state_dir``; one that is not there, damaged or of another version is begun again."""
        path = state_dir / FILE_NAME
        try:
            return cls(_open(path))
        except sqlite3.OperationalError as error:
            raise FerryError(Kind.INTERNAL, f"the search index {path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            remove(state_dir)
            return cls(_open(path), replaced=error.messages if isinstance(error, _OtherVersionError) else 0)

    def close(self) -> None:
        """Close the database."""
        self._sql.close()

    # ------------------------------------------------------------------------------------------- asking

    def search(self, query: Query, *, limit: int | None = None) -> tuple[int, list[Hit]]:
        """Return how many messages match, and the newest of them, at most ``limit``; raises ``FerryError``."""
        found = self.page(query, limit=limit)
        return found.total, found.hits

    def page(
        self, query: Query, *, limit: int | None = None, after: Cursor | None = None, most: int | None = None
    ) -> Page:
        """Return one page of what matches, newest first; raises ``FerryError``.

        It begins after a cursor that an earlier page gave. No more than ``most`` are counted, where counting costs.
        """
        chosen = selection(query)
        bound = None if most is None or chosen.is_soon_counted else most + 1
        wanted = None if limit is None else limit + 1
        with _trouble_said():
            everything = self._numbers(chosen)
            if bound and wanted and after is None:  # counted while they are gathered
                found = self._column(newest(everything, max(bound, wanted)))
                total = min(len(found), bound)
            else:
                total = self._one(counted(everything, bound))
                if after is not None:
                    chosen.below = min(after.number, chosen.below or after.number)
                found = self._column(newest(self._numbers(chosen), wanted))
            following = Cursor(found[limit - 1]) if limit and len(found) > limit else None
            is_more = total == bound
            # Numbers follow dates but for some seconds.
            hits = sorted(self._hits(found[:limit]), key=lambda hit: place_in_time(hit.date), reverse=True)
            return Page(total - is_more, is_more, hits, following)

    def _numbers(self, chosen: Selection) -> Statement:
        many = [self._one(owned_by(names)) >= LARGE for names in chosen.owners]
        has_orphans = bool(self._one(("select exists (select 1 from orphans)", [])))
        return numbers(chosen, many=many, has_orphans=has_orphans)

    def _column(self, statement: Statement) -> list[int]:
        return [number for (number,) in self._sql.execute(*statement)]

    def _one(self, statement: Statement) -> int:
        (value,) = self._sql.execute(*statement).fetchone()
        return int(value)

    def digests(self, query: Query) -> set[Digest]:
        """Return all that match; raises ``FerryError``."""
        where, values = condition(query)
        statement = f"select m.digest from messages m where {where}"  # noqa: S608  # as in search
        with _trouble_said():
            return {row[0] for row in self._sql.execute(statement, values)}

    def dates(self, digests: Sequence[Digest]) -> dict[Digest, int | None]:
        """Return when each of these was written, as far as the index knows."""
        known = self.about(digests)
        return {digest: known[digest][0] if digest in known else None for digest in digests}

    def about(self, digests: Sequence[Digest]) -> dict[Digest, tuple[int | None, str, str]]:
        """Return date, sender and subject of those of these messages that the index has."""
        found: dict[Digest, tuple[int | None, str, str]] = {}
        for digest in digests:
            row = self._sql.execute(_ABOUT, (digest,)).fetchone()
            if row:
                found[digest] = row
        return found

    def _hits(self, numbers: Sequence[int]) -> Iterator[Hit]:
        for start in range(0, len(numbers), _CHUNK):
            part = numbers[start : start + _CHUNK]
            marks = ", ".join("?" * len(part))
            about = "id, digest, date, sender, recipients, subject, octets, problem"
            rows = self._sql.execute(f"select {about} from messages where id in ({marks})", part)  # noqa: S608  # ours
            known = {number: row for number, *row in rows}
            owners = self._owners(part, marks)
            for number in (one for one in part if one in known):  # another process may just have dropped it
                digest, date, sender, recipients, subject, octets, problem = known[number]
                accounts = tuple(owners.get(number, ()))
                yield Hit(digest, accounts, date, sender, recipients, subject, octets, problem)

    def _owners(self, numbers: Sequence[int], marks: str) -> dict[int, list[str]]:
        order = "order by is_seen desc, account"
        statement = f"select message, account from owners where message in ({marks}) {order}"  # noqa: S608  # ours
        owners: dict[int, list[str]] = {}
        for number, account in self._sql.execute(statement, numbers):
            owners.setdefault(number, []).append(account)
        return owners

    # ---------------------------------------------------------------------------------------- following

    @property
    def progress(self) -> IndexProgress:
        """How far the index has followed the ledger."""
        notes = dict(self._sql.execute("select name, value from notes").fetchall())
        return IndexProgress(notes.get("number", 0), notes.get("fingerprint", b""), notes.get("sightings", 0.0))

    def waiting(self) -> list[int]:
        """Return the ledger's numbers of contents that could not be read when they were looked at."""
        return [row[0] for row in self._sql.execute("select number from waiting order by number")]

    def unknown(self, digests: Iterable[Digest]) -> set[Digest]:
        """Return those that the index does not have."""
        return {digest for digest in digests if self._sql.execute(_KNOWN, (digest,)).fetchone() is None}

    def take_room(self) -> None:
        """Take the memory that adding many messages is quicker with."""
        self._sql.execute(f"pragma cache_size = -{CACHE_TO_WRITE_KIB}")

    def add(self, entries: Iterable[Entry]) -> None:
        """Take in messages, each once; they can be found when this returns."""
        with self._transaction() as sql:
            numbered = [(number, entry) for entry in entries if (number := self._insert(sql, entry))]
            # FTS5 writes what it was given before whenever a number is smaller than the one before.
            sql.executemany(
                "insert into words (rowid, sender, recipients, cc, subject, list, attachments, body)"
                " values (?, ?, ?, ?, ?, ?, ?, ?)",
                sorted((number, *entry.words) for number, entry in numbered),
            )
            sql.executemany(
                "insert into owners (message, account, is_seen) values (?, ?, 0)",
                [(number, account) for number, entry in numbered for account in entry.accounts],
            )

    def _insert(self, sql: sqlite3.Connection, entry: Entry) -> int:
        """Take in what is known of a message but its words; returns its number, 0 where it is there already."""
        if sql.execute(_KNOWN, (entry.digest,)).fetchone():
            return 0
        number = _free_number(sql, entry)
        sql.execute(
            "insert into messages (id, digest, octets, date, sender, recipients, subject, message_key,"
            " attachments, problem) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                entry.digest,
                entry.octets,
                entry.headers.date,
                entry.headers.sender,
                entry.headers.to,
                entry.headers.subject,
                message_key(entry.headers.message_id),
                entry.attachments,
                entry.problem,
            ),
        )
        return number

    def followed(self, progress: IndexProgress, *, waiting: Iterable[int] = (), arrived: Iterable[int] = ()) -> None:
        """Remember how far the ledger was followed, which contents are still waiting, and which no longer are."""
        with self._transaction() as sql:
            sql.executemany("insert or ignore into waiting (number) values (?)", [(number,) for number in waiting])
            sql.executemany("delete from waiting where number = ?", [(number,) for number in arrived])
            sql.executemany(
                "insert or replace into notes (name, value) values (?, ?)",
                [("number", progress.number), ("fingerprint", progress.fingerprint), ("sightings", progress.sightings)],
            )

    def seen(self, account: str, digests: Sequence[Digest]) -> None:
        """Note that an account's maildrop showed these; what was only supposed of them is forgotten."""
        with self._transaction() as sql:
            fresh = sql.execute(
                "select m.id from json_each(?) as place cross join messages m"
                " on substr(m.digest, 1, 8) = substr(?2, place.value, 8) and m.digest = substr(?2, place.value, 32)"
                " where not exists (select 1 from owners o where o.message = m.id and o.account = ? and o.is_seen)",
                (*places(digests), account),
            ).fetchall()
            sql.executemany("delete from owners where message = ? and not is_seen", fresh)
            rows = [(number, account) for (number,) in fresh]
            sql.executemany("insert or ignore into owners (message, account, is_seen) values (?, ?, 1)", rows)

    def forget_all_but(self, digests: set[Digest]) -> None:
        """Drop what is not among these, and begin to follow the ledger from its start."""
        with self._transaction() as sql:
            rows = sql.execute("select id, digest from messages").fetchall()
            gone = [(number,) for number, digest in rows if digest not in digests]
            sql.executemany("delete from messages where id = ?", gone)
            sql.executemany("insert into orphans (number) values (?)", gone)
            sql.executemany("delete from owners where message = ?", gone)
            sql.execute("delete from waiting")
            sql.execute("delete from notes")

    def optimise(self) -> None:
        """Merge what many small additions left, and give back the room that they took; worth it after a rebuild.

        Where there is no room for a second index meanwhile, the file stays as long as it was.
        """
        with self._transaction() as sql:
            sql.execute("insert into words (words) values ('optimize')")
        with suppress(sqlite3.OperationalError):
            self._sql.execute("pragma temp_store = file")  # the whole index goes through it
            self._sql.execute("vacuum")
        self._sql.execute("pragma temp_store = memory")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _trouble_said(), transaction(self._sql):
            yield self._sql


def _free_number(sql: sqlite3.Connection, entry: Entry) -> int:
    """Return a number that nobody has for a message; those of orphans still have words."""
    if entry.headers.date is not None:
        for number in numbers_of(entry.headers.date, entry.digest):
            if sql.execute(_IS_TAKEN, (number,)).fetchone() is None:
                return number
    (last,) = sql.execute(_LAST_WITHOUT_DATE, (EARLIEST,)).fetchone()
    return int(last) + 1  # no mail has that many of one second: it is found by all but its date


def remove(state_dir: Path) -> None:
    """Delete the index; nothing is lost by it."""
    for suffix in ("", "-wal", "-shm"):
        (state_dir / f"{FILE_NAME}{suffix}").unlink(missing_ok=True)


class _OtherVersionError(sqlite3.DatabaseError):
    """The index was written by another version of this program, and holds this number of messages."""

    def __init__(self, messages: int) -> None:
        super().__init__("of another version")
        self.messages = messages


@contextmanager
def _trouble_said() -> Iterator[None]:
    """Say in words what only using the file has shown: damage, or that somebody else writes it for too long."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise FerryError(Kind.INTERNAL, f"the search index cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        cure = "`mailferry reindex` builds it again from the archive"
        raise FerryError(Kind.INTERNAL, f"the search index cannot be read: {error}", cure=cure) from error


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    sql = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _set_up(sql)
    except BaseException:
        sql.close()
        raise
    return sql


def _set_up(sql: sqlite3.Connection) -> None:
    sql.execute("pragma journal_mode = wal")
    sql.execute("pragma synchronous = normal")  # a power cut may cost the newest additions, which are made again
    sql.execute(f"pragma cache_size = -{CACHE_KIB}")
    sql.execute("pragma temp_store = memory")
    version = sql.execute("pragma user_version").fetchone()[0]
    if version == 0:
        sql.executescript(f"begin immediate; {TABLES} pragma user_version = {VERSION}; commit")
    elif version != VERSION:
        raise _OtherVersionError(sql.execute("select count(*) from messages").fetchone()[0])
