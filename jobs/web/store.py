"""Who may use the page, who is signed in, and what was done there: one SQLite file beside the ledger.

The ledger knows nothing of it. Passwords and the ids of sessions are kept as hashes only. The audit is append-only:
triggers refuse any change of it. Times are seconds since the epoch.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from jobs.web.people import Role, User
from jobs.web.tables import MORE_TABLES, SIGN_IN_TABLES
from migrator.errors import FerryError, Kind
from migrator.files import Device, make_folder, sync_folder
from migrator.lazy_dataclasses import dataclass
from migrator.transactions import transaction

FILE_NAME = "web.sqlite3"
VERSION = 2
IDLE_SECONDS = 8 * 3600.0
LONGEST_SECONDS = 24 * 3600.0
MOST_SESSIONS = 10
"""Sessions of one user at one time; the one that is oldest gives way."""

_BUSY_SECONDS = 10.0
_SEEN_SECONDS = 60.0
"""So long a session may go on without its last use being written down again."""

_TABLES = """
create table users (
    name text primary key,
    folded text not null unique,
    role text not null check (role in ('administrator', 'auditor', 'reader')),
    accounts text not null,
    password text not null,
    created_at real not null,
    language text not null default '',
    signed_in_at real,
    signed_in_from text not null default '',
    once_until real     -- how long the password is good that somebody else chose; null for one of the user's own
) strict, without rowid;
create table sessions (
    id blob primary key,
    user text not null references users (name) on delete cascade,
    form_token text not null,
    begun_at real not null,
    seen_at real not null,
    confirmed_at real not null  -- when the password was given last
) strict, without rowid;
create index sessions_by_user on sessions (user, begun_at);
create table factors (
    user text primary key references users (name) on delete cascade,
    secret text not null,
    last_step integer not null
) strict, without rowid;
create table recovery_codes (
    user text not null references factors (user) on delete cascade,
    hash text not null,
    primary key (user, hash)
) strict, without rowid;
create table audit (
    id integer primary key autoincrement,
    at real not null,
    user text not null,
    address text not null,
    action text not null,
    subject text not null,
    outcome text not null
) strict;
create trigger audit_is_kept before delete on audit begin select raise(abort, 'the audit is append-only'); end;
create trigger audit_is_true before update on audit begin select raise(abort, 'the audit is append-only'); end;
"""

_STEPS = (_TABLES + MORE_TABLES, SIGN_IN_TABLES)
"""What each version has beside the one before."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in. ``form_token`` stands in every form that this session is sent.

    ``confirmed_at`` is when the password was given last: at the sign-in, or again since; ``language`` is the tag of
    the one that the user has chosen, empty for none.
    """

    user: User
    form_token: str
    confirmed_at: float
    language: str = ""
    must_change: bool = False
    """Whether the password was given for once: the user chooses another before anything else."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was done on the page. ``subject`` is the account, message or user it was done to."""

    at: float
    user: str
    address: str
    action: str
    subject: str
    outcome: str
    number: int = 0


class WebStore:
    """The open store; safe to share between threads. Each method is one durable transaction."""

    def __init__(self, state_dir: Path) -> None:
        """Open the store in a state folder, made (0600) if it is not there; raises ``FerryError``."""
        make_folder(state_dir, Device())
        self.path = state_dir / FILE_NAME
        self._lock = threading.RLock()
        with self._mapped():
            self._sql = _open(self.path)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise FerryError(
                Kind.INTERNAL,
                f"the page's store {self.path} cannot be used: {error}",
                cure="if it is damaged, move it away and add the users again: mailferry users add NAME",
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all of it durably or nothing of it."""
        with self._lock, self._mapped(), transaction(self._sql):
            yield self._sql

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what a statement finds."""
        with self._lock, self._mapped():
            return self._sql.execute(statement, values).fetchall()

    def close(self) -> None:
        """Close the store; what was committed stays."""
        with self._lock:
            self._sql.close()

    def users(self) -> list[User]:
        """Return every user, by name."""
        return [_user(*row) for row in self.rows("select name, role, accounts from users order by folded")]

    def has_users(self) -> bool:
        """Say whether anybody may sign in."""
        return bool(self.rows("select exists (select 1 from users)")[0][0])

    def user(self, name: str) -> tuple[User, str] | None:
        """Return a user, whatever the case the name is written in, and the hash of the password; None for nobody."""
        rows = self.rows("select name, role, accounts, password from users where folded = ?", name.casefold())
        return (_user(*rows[0][:3]), str(rows[0][3])) if rows else None

    def add(self, user: User, password: str, now: float, *, is_first: bool = False) -> bool:
        """Add a user with the hash of a password; says whether it was done: not where the name is taken.

        ``is_first`` adds only where there is no user yet.
        """
        with self.transaction() as sql:
            if is_first and sql.execute("select exists (select 1 from users)").fetchone()[0]:
                return False
            row = (user.name, user.name.casefold(), user.role, json.dumps(sorted(user.accounts)), password, now)
            done = sql.execute(
                "insert into users (name, folded, role, accounts, password, created_at) values (?, ?, ?, ?, ?, ?)"
                " on conflict do nothing",
                row,
            )
            return done.rowcount == 1

    def change_password(self, name: str, password: str, *, once_until: float | None = None) -> bool:
        """Give a user another password, by its hash, and end all of the user's sessions; False for nobody.

        With ``once_until`` it is good until then, and for nothing but to choose another.
        """
        with self.transaction() as sql:
            folded = name.casefold()
            row = (password, once_until, folded)
            done = sql.execute("update users set password = ?, once_until = ? where folded = ?", row)
            sql.execute("delete from sessions where user in (select name from users where folded = ?)", (folded,))
            return done.rowcount == 1

    def rehashed(self, name: str, password: str) -> None:
        """Keep the same password under another hash."""
        with self.transaction() as sql:
            sql.execute("update users set password = ? where folded = ?", (password, name.casefold()))

    def remove(self, name: str, *, keeps_administrator: bool = False) -> bool:
        """Remove a user and end all of the user's sessions; says whether it was done.

        ``keeps_administrator`` does not remove the last administrator.
        """
        with self.transaction() as sql:
            others = sql.execute(
                "select count(*) from users where role = 'administrator' and folded != ?", (name.casefold(),)
            ).fetchone()[0]
            if keeps_administrator and not others:
                return False
            return sql.execute("delete from users where folded = ?", (name.casefold(),)).rowcount == 1

    def sign_in(
        self,
        user: User,
        secret: str,
        form_token: str,
        now: float,
        address: str = "",
        *,
        confirmed_at: float | None = None,
    ) -> None:
        """Begin a session that is known by ``secret``, of which only the hash is kept.

        ``confirmed_at`` is when the user has shown who they are; now, where it is not given.
        """
        with self.transaction() as sql:
            sql.execute("delete from sessions where seen_at < ? or begun_at < ?", oldest_sessions(now))
            row = (now, address, user.name)
            sql.execute("update users set signed_in_at = ?, signed_in_from = ? where name = ?", row)
            sql.execute(
                "delete from sessions where id in (select id from sessions where user = ?"
                " order by begun_at desc limit -1 offset ?)",
                (user.name, MOST_SESSIONS - 1),
            )
            begun = (_id(secret), user.name, form_token, now, now, now if confirmed_at is None else confirmed_at)
            sql.execute("insert into sessions values (?, ?, ?, ?, ?, ?)", begun)

    def session(self, secret: str, now: float, *, is_use: bool = True) -> Session | None:
        """Return the session that is known by ``secret``, None where it never was or has ended.

        It goes on by being used; a page that is open and keeps itself up to date does not use it (``is_use``).
        """
        rows = self.rows(
            "select u.name, u.role, u.accounts, u.language, s.form_token, s.confirmed_at, s.seen_at,"
            " u.once_until is not null from sessions s"
            " join users u on u.name = s.user where s.id = ? and s.seen_at >= ? and s.begun_at >= ?",
            _id(secret),
            *oldest_sessions(now),
        )
        if not rows:
            return None
        name, role, accounts, language, form_token, confirmed_at, seen_at, is_once = rows[0]
        if is_use and now - seen_at > _SEEN_SECONDS:
            with self.transaction() as sql:
                sql.execute("update sessions set seen_at = ? where id = ?", (now, _id(secret)))
        return Session(_user(name, role, accounts), form_token, confirmed_at, language, bool(is_once))

    def confirm(self, secret: str, now: float) -> None:
        """Note that the user of a session has just given the password again."""
        with self.transaction() as sql:
            sql.execute("update sessions set confirmed_at = ? where id = ?", (now, _id(secret)))

    def sign_out(self, secret: str) -> None:
        """End a session."""
        with self.transaction() as sql:
            sql.execute("delete from sessions where id = ?", (_id(secret),))

    def note(self, entry: AuditEntry) -> None:
        """Append to the audit."""
        with self.transaction() as sql:
            sql.execute(
                "insert into audit (at, user, address, action, subject, outcome) values (?, ?, ?, ?, ?, ?)",
                (entry.at, entry.user, entry.address, entry.action, entry.subject, entry.outcome),
            )

    def audit(self, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Return the newest entries of the audit, newest first; those before a number, where one is given."""
        rows = self.rows(
            "select at, user, address, action, subject, outcome, id from audit"
            " where ?1 is null or id < ?1 order by id desc limit ?2",
            before,
            limit,
        )
        return [AuditEntry(*row) for row in rows]


def _open(path: Path) -> sqlite3.Connection:
    if is_new := not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        path.chmod(0o600)  # whatever the umask
    sql = sqlite3.connect(str(path), timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    sql.execute("pragma journal_mode = wal")
    sql.execute("pragma synchronous = full")
    sql.execute("pragma foreign_keys = on")
    with transaction(sql):
        version = sql.execute("pragma user_version").fetchone()[0]
        if version > VERSION:
            raise sqlite3.DatabaseError("a newer mailferry wrote it")
        for script in _STEPS[version:]:
            for statement in _statements(script):
                sql.execute(statement)
        sql.execute(f"pragma user_version = {VERSION}")
    if is_new:
        sync_folder(path.parent, Device())
    return sql


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; ``executescript`` would commit before it."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _user(name: str, role: str, accounts: str) -> User:
    return User(name, Role(role), frozenset(json.loads(accounts)))


def _id(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def oldest_sessions(now: float) -> tuple[float, float]:
    """Return since when a session must have been used, and since when begun."""
    return now - IDLE_SECONDS, now - LONGEST_SECONDS
