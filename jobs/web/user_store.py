"""What an administrator sees and changes of the users: last sign-ins, sessions, roles. Part of the page's store."""

from __future__ import annotations

import json

from jobs.web.people import Role, User
from jobs.web.store import WebStore, oldest_sessions
from migrator.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownUser:
    """One user as administrators see it. Times are seconds since the epoch, None for never.

    ``sessions`` counts those that go on. ``once_until`` is how long a password that was given for once is good, None
    where the user has chosen one.
    """

    user: User
    created_at: float
    signed_in_at: float | None
    signed_in_from: str
    sessions: int
    has_factor: bool
    once_until: float | None
    passkeys: int = 0


def known_users(store: WebStore, now: float) -> list[KnownUser]:
    """Return every user, by name."""
    rows = store.rows(
        "select u.name, u.role, u.accounts, u.created_at, u.signed_in_at, u.signed_in_from,"
        " (select count(*) from sessions s where s.user = u.name and s.seen_at >= ? and s.begun_at >= ?),"
        " exists (select 1 from factors f where f.user = u.name), u.once_until,"
        " (select count(*) from passkeys p where p.user = u.name) from users u order by u.folded",
        *oldest_sessions(now),
    )
    return [
        KnownUser(
            User(name, Role(role), frozenset(json.loads(accounts))),
            created,
            at,
            address,
            count,
            bool(factor),
            until,
            passkeys,
        )
        for name, role, accounts, created, at, address, count, factor, until, passkeys in rows
    ]


def change_role(store: WebStore, user: User) -> bool:
    """Give a user the role and the accounts that stand in ``user``; says whether it was done.

    It holds at once, in sessions that go on, too. Who is no administrator any more loses the tokens made as one. The
    last administrator stays one.
    """
    with store.transaction() as sql:
        if user.role is not Role.ADMINISTRATOR:
            others = sql.execute(
                "select count(*) from users where role = 'administrator' and name != ?", (user.name,)
            ).fetchone()[0]
            if not others:
                return False
            sql.execute("delete from tokens where user = ?", (user.name,))
        done = sql.execute(
            "update users set role = ?, accounts = ? where name = ?",
            (user.role, json.dumps(sorted(user.accounts)), user.name),
        )
        return done.rowcount == 1


def end_sessions(store: WebStore, name: str) -> int:
    """End every session of a user; returns how many there were, those included whose time was over."""
    with store.transaction() as sql:
        return sql.execute("delete from sessions where user = ?", (name,)).rowcount


def is_once_over(store: WebStore, name: str, now: float) -> bool:
    """Say whether a user has a password that was given for once, too long ago."""
    rows = store.rows("select 1 from users where name = ? and once_until < ?", name, now)
    return bool(rows)
