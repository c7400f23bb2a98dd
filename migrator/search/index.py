"""The search index: one SQLite file beside the ledger, which may be deleted at any time and is built again.

It never endangers anything: no other part reads it, a damaged one is begun again, and what it says of a message is only
what helps to find it. The text itself is not kept, only which words stand where (a contentless FTS5 table).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from migrator.errors import FerryError, Kind
from migrator.model import Digest
from migrator.parse.headers import Headers
from migrator.search.query import Query
from migrator.search.sql import condition

SHOWN_ID = 20
"""Characters of a digest that are shown as a message's id."""

FILE_NAME = "search.sqlite3"
VERSION = 1
"""Raised whenever an index written before would find other things than one written now: then it is built again."""

_BUSY_SECONDS = 10.0
_CHUNK = 500
_CACHE_KIB = 32 * 1024

_TABLES = """
create table messages (
    id integer primary key autoincrement,
    digest blob not null unique,
    octets integer not null,
    date integer,
    sender text not null,
    recipients text not null,
    subject text not null,
    message_id text not null,
    attachments integer not null,
    problem text not null
) strict;
create index messages_by_date on messages (date desc, id desc);
create index messages_by_message_id on messages (message_id) where message_id != '';
create table owners (
    message integer not null,
    account text not null,
    is_seen integer not null,  -- a maildrop of this account showed it; else it stands where its mail goes
    primary key (message, account)
) strict, without rowid;
create index owners_by_account on owners (account, message);
create table waiting (number integer primary key) strict;  -- contents of the ledger that had no copy to be read yet
create table notes (name text primary key, value any) strict, without rowid;
create virtual table words using fts5 (
    sender, recipients, cc, subject, list, attachments, body,
    content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2'
);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index gets to know of one message; the words are folded. ``problem`` says why it could not be read."""

    digest: Digest
    octets: int
    headers: Headers
    words: tuple[str, str, str, str, str, str, str]
    attachments: int
    accounts: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """One message found. ``accounts`` are those it belongs to; ``date`` is None where it has no sane one."""

    digest: Digest
    accounts: tuple[str, ...]
    date: int | None
    sender: str
    recipients: str
    subject: str
    octets: int
    problem: str

    @property
    def shown_id(self) -> str:
        """What a message is called by in a list; any beginning of its digest that is its own does as well."""
        return self.digest.hex()[:SHOWN_ID]

    def as_json(self) -> dict[str, object]:
        """Return the hit's object; its date is RFC 3339 or null."""
        return {
            "id": self.shown_id,
            "account": self.accounts[0] if self.accounts else None,
            "accounts": list(self.accounts),
            "date": None if self.date is None else datetime.fromtimestamp(self.date, UTC).isoformat(),
            "from": self.sender,
            "to": self.recipients,
            "subject": self.subject,
            "octets": self.octets,
            "digest": self.digest.hex(),
            "problem": self.problem or None,
        }


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far the index has followed a ledger: the number of the last content looked at, and what that ledger is."""

    number: int = 0
    fingerprint: bytes = b""
    sightings: float = 0.0


class SearchIndex:
    """An open index."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        """Speak through an open database."""
        self._sql = sql

    @classmethod
    def open(cls, state_dir: Path) -> SearchIndex:
        """Open the index in ``state_dir``; one that is not there, damaged or of another version is begun again."""
        path = state_dir / FILE_NAME
        try:
            return cls(_open(path))
        except sqlite3.OperationalError as error:
            raise FerryError(Kind.INTERNAL, f"the search index {path} cannot be used: {error}") from error
        except sqlite3.DatabaseError:
            remove(state_dir)
            return cls(_open(path))

    def close(self) -> None:
        """Close the database."""
        self._sql.close()

    # ------------------------------------------------------------------------------------------- asking

    def search(self, query: Query, *, limit: int | None = None) -> tuple[int, list[Hit]]:
        """Return how many messages match, and the newest of them, at most ``limit``."""
        where, values = condition(query)
        rows = self._sql.execute(
            # The condition is ours; every word of the query is a value.
            f"select m.id from messages m where {where} order by m.date desc, m.id desc",  # noqa: S608  # as said
            values,
        ).fetchall()
        return len(rows), list(self._hits([row[0] for row in rows[:limit]]))

    def digests(self, query: Query) -> set[Digest]:
        """Return all that match."""
        where, values = condition(query)
        statement = f"select m.digest from messages m where {where}"  # noqa: S608  # as in search
        found = self._sql.execute(statement, values)
        return {row[0] for row in found}

    def dates(self, digests: Sequence[Digest]) -> dict[Digest, int | None]:
        """Return when each of these was written, as far as the index knows."""
        found: dict[Digest, int | None] = {}
        for digest in digests:
            row = self._sql.execute("select date from messages where digest = ?", (digest,)).fetchone()
            found[digest] = row[0] if row else None
        return found

    def _hits(self, numbers: Sequence[int]) -> Iterator[Hit]:
        for start in range(0, len(numbers), _CHUNK):
            part = numbers[start : start + _CHUNK]
            marks = ", ".join("?" * len(part))
            about = "id, digest, date, sender, recipients, subject, octets, problem"
            rows = self._sql.execute(f"select {about} from messages where id in ({marks})", part)  # noqa: S608  # ours
            known = {number: row for number, *row in rows}
            owners = self._owners(part, marks)
            for number in part:
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
        return {
            digest
            for digest in digests
            if self._sql.execute("select 1 from messages where digest = ?", (digest,)).fetchone() is None
        }

    def add(self, entries: Iterable[Entry]) -> None:
        """Take in messages, each once; they can be found when this returns."""
        with self._transaction() as sql:
            for entry in entries:
                self._insert(sql, entry)

    def _insert(self, sql: sqlite3.Connection, entry: Entry) -> None:
        cursor = sql.execute(
            "insert or ignore into messages (digest, octets, date, sender, recipients, subject, message_id,"
            " attachments, problem) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.digest,
                entry.octets,
                entry.headers.date,
                entry.headers.sender,
                entry.headers.to,
                entry.headers.subject,
                entry.headers.message_id.strip("<> "),
                entry.attachments,
                entry.problem,
            ),
        )
        if cursor.rowcount == 0:
            return
        number = cursor.lastrowid
        sql.execute(
            "insert into words (rowid, sender, recipients, cc, subject, list, attachments, body)"
            " values (?, ?, ?, ?, ?, ?, ?, ?)",
            (number, *entry.words),
        )
        sql.executemany(
            "insert into owners (message, account, is_seen) values (?, ?, 0)",
            [(number, account) for account in entry.accounts],
        )

    def followed(self, progress: IndexProgress, *, waiting: Iterable[int] = (), arrived: Iterable[int] = ()) -> None:
        """Remember how far the ledger was followed, which contents are still waiting, and which no longer are."""
        with self._transaction() as sql:
            sql.executemany("insert or ignore into waiting (number) values (?)", [(number,) for number in waiting])
            sql.executemany("delete from waiting where number = ?", [(number,) for number in arrived])
            sql.executemany(
                "insert or replace into notes (name, value) values (?, ?)",
                [("number", progress.number), ("fingerprint", progress.fingerprint), ("sightings", progress.sightings)],
            )

    def seen(self, sightings: Iterable[tuple[Digest, str]]) -> None:
        """Note whose messages these are; what was only supposed of them is forgotten."""
        with self._transaction() as sql:
            for digest, account in sightings:
                row = sql.execute("select id from messages where digest = ?", (digest,)).fetchone()
                if row is None:
                    continue
                sql.execute("delete from owners where message = ? and not is_seen", row)
                sql.execute(
                    "insert or ignore into owners (message, account, is_seen) values (?, ?, 1)", (*row, account)
                )

    def forget_all_but(self, digests: set[Digest]) -> None:
        """Drop what is not among these, and begin to follow the ledger from its start."""
        with self._transaction() as sql:
            rows = sql.execute("select id, digest from messages").fetchall()
            gone = [(number,) for number, digest in rows if digest not in digests]
            sql.executemany("delete from messages where id = ?", gone)
            sql.executemany("delete from owners where message = ?", gone)
            sql.execute("delete from waiting")
            sql.execute("delete from notes")

    def optimise(self) -> None:
        """Merge what many small additions left; worth it after a rebuild."""
        with self._transaction() as sql:
            sql.execute("insert into words (words) values ('optimize')")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._sql.execute("begin immediate")
        try:
            yield self._sql
            self._sql.execute("commit")
        except BaseException:
            if self._sql.in_transaction:
                self._sql.execute("rollback")
            raise


def remove(state_dir: Path) -> None:
    """Delete the index; nothing is lost by it."""
    for suffix in ("", "-wal", "-shm"):
        (state_dir / f"{FILE_NAME}{suffix}").unlink(missing_ok=True)


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
    sql.execute(f"pragma cache_size = -{_CACHE_KIB}")
    sql.execute("pragma temp_store = memory")
    version = sql.execute("pragma user_version").fetchone()[0]
    if version == 0:
        sql.executescript(f"begin immediate; {_TABLES} pragma user_version = {VERSION}; commit")
    elif version != VERSION:
        raise sqlite3.DatabaseError("of another version")
