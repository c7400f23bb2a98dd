"""Which accounts at OpenID providers are whose here, and the invitations to connect one. Part of the page's store.

An account there is known by issuer and subject. What the provider calls it is kept to be shown, and decides nothing.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from jobs.web.openid.id_token import Proven
from jobs.web.store import WebStore
from migrator.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """An account at a provider that signs a user in here; times are seconds since the epoch, None for never."""

    issuer: str
    subject: str
    user: str
    label: str
    linked_at: float
    used_at: float | None


Sql = Any  # a connection, which only the store may name
_COLUMNS = "issuer, subject, user, label, linked_at, used_at"


def identity_of(store: WebStore, user: str, issuer: str) -> Identity | None:
    """Return the account of a user at a provider, None for none. A slash at the end of an issuer is no part of it."""
    for one in identities_of(store, user):
        if one.issuer.rstrip("/") == issuer.rstrip("/"):
            return one
    return None


def identities_of(store: WebStore, user: str) -> list[Identity]:
    """Return the accounts of a user at all providers there ever were."""
    return [Identity(*row) for row in store.rows(f"select {_COLUMNS} from identities where user = ?", user)]  # noqa: S608  # ours


def use_identity(store: WebStore, proven: Proven, now: float) -> str:
    """Return whose account has signed in, and note when; empty where it is nobody's."""
    with store.transaction() as sql:
        row = (now, proven.label, proven.issuer, proven.subject)
        sql.execute("update identities set used_at = ?, label = ? where issuer = ? and subject = ?", row)
        return _owner(sql, proven)


def _owner(sql: Sql, proven: Proven) -> str:
    where = (proven.issuer, proven.subject)
    found = sql.execute("select user from identities where issuer = ? and subject = ?", where).fetchone()
    return str(found[0]) if found else ""


def connect_identity(store: WebStore, user: str, proven: Proven, now: float) -> bool:
    """Have an account sign a user in, in place of one before at that provider; False where it is somebody else's."""
    with store.transaction() as sql:
        return _connected(sql, user, proven, now)


def _connected(sql: Sql, user: str, proven: Proven, now: float) -> bool:
    if _owner(sql, proven) not in {"", user}:
        return False
    sql.execute("delete from identities where user = ? and issuer = ?", (user, proven.issuer))
    row = (proven.issuer, proven.subject, user, proven.label, now)
    sql.execute("insert into identities (issuer, subject, user, label, linked_at) values (?, ?, ?, ?, ?)", row)
    return True


def disconnect_identities(store: WebStore, user: str) -> int:
    """Have no account at any provider sign a user in, nor an invitation; returns how many accounts there were."""
    with store.transaction() as sql:
        sql.execute("delete from invitations where user = ?", (user,))
        return sql.execute("delete from identities where user = ?", (user,)).rowcount


def invite(store: WebStore, user: str, secret: str, until: float) -> None:
    """Let somebody who has this secret connect an account with a user, once; an earlier one is good no more."""
    with store.transaction() as sql:
        sql.execute("delete from invitations where user = ?", (user,))
        sql.execute("insert into invitations (user, hash, until) values (?, ?, ?)", (user, _hash(secret), until))


def invited(store: WebStore, secret: str, now: float) -> str:
    """Return whom an invitation is for; empty for one that was used, is over, or never was."""
    rows = store.rows("select user from invitations where hash = ? and until > ?", _hash(secret), now)
    return str(rows[0][0]) if rows else ""


def accept_invitation(store: WebStore, secret: str, proven: Proven, now: float) -> str:
    """Connect an account with the user that an invitation is for, and use it up; returns the user.

    Empty, and nothing is changed, where the invitation is good no more or the account is somebody else's.
    """
    with store.transaction() as sql:
        where = (_hash(secret), now)
        found = sql.execute("select user from invitations where hash = ? and until > ?", where).fetchone()
        if not found or not _connected(sql, str(found[0]), proven, now):
            return ""
        sql.execute("delete from invitations where user = ?", (found[0],))
        return str(found[0])


def confirm_session(store: WebStore, user: str, form_token: str, now: float) -> bool:
    """Note that the user of a session has just shown again who they are; False where the session has ended."""
    with store.transaction() as sql:
        row = (now, user, form_token)
        return sql.execute("update sessions set confirmed_at = ? where user = ? and form_token = ?", row).rowcount == 1


def _hash(secret: str) -> bytes:
    return sha256(secret.encode(errors="replace")).digest()
