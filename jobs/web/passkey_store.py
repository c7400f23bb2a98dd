"""Whose passkeys sign in here: their public keys, and how often each was used. Part of the page's store."""

from __future__ import annotations

import secrets

from jobs.web.store import WebStore
from migrator.lazy_dataclasses import dataclass, field

MOST_PASSKEYS = 20
"""Of one user."""

_COLUMNS = "p.id, p.user, u.handle, p.credential, p.public_key, p.sign_count, p.host, p.name, p.created_at, p.used_at"
_FROM = "from passkeys p join passkey_users u on u.user = p.user"


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey. ``host`` is the name of the page that it was made for; times are seconds, None for never."""

    number: int
    user: str
    handle: bytes
    credential: bytes
    public_key: bytes = field(repr=False)
    sign_count: int
    host: str
    name: str
    created_at: float
    used_at: float | None


def handle_of(store: WebStore, user: str) -> bytes:
    """Return what authenticators know a user by; it is made where the user has none."""
    with store.transaction() as sql:
        sql.execute("insert into passkey_users values (?, ?) on conflict do nothing", (user, secrets.token_bytes(32)))
        return bytes(sql.execute("select handle from passkey_users where user = ?", (user,)).fetchone()[0])


def passkeys_of(store: WebStore, user: str) -> list[Passkey]:
    """Return the passkeys of a user, the oldest first."""
    return [Passkey(*row) for row in store.rows(f"select {_COLUMNS} {_FROM} where p.user = ? order by p.id", user)]


def passkey_with(store: WebStore, credential: bytes) -> Passkey | None:
    """Return the passkey of a credential id, None for one that is not known here."""
    rows = store.rows(f"select {_COLUMNS} {_FROM} where p.credential = ?", credential)
    return Passkey(*rows[0]) if rows else None


def keep_passkey(store: WebStore, passkey: Passkey) -> bool:
    """Keep a new passkey, whose number is given here; False where it is known, or its user has too many."""
    with store.transaction() as sql:
        count = sql.execute("select count(*) from passkeys where user = ?", (passkey.user,)).fetchone()[0]
        if count >= MOST_PASSKEYS:
            return False
        done = sql.execute(
            "insert into passkeys (credential, user, public_key, sign_count, host, name, created_at)"
            " values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
            (
                passkey.credential,
                passkey.user,
                passkey.public_key,
                passkey.sign_count,
                passkey.host,
                passkey.name,
                passkey.created_at,
            ),
        )
        return done.rowcount == 1


def use_passkey(store: WebStore, passkey: Passkey, count: int, now: float) -> bool:
    """Note that a passkey was used, with the authenticator's count; False where it was used meanwhile, or is gone.

    An authenticator that does not count says 0 each time.
    """
    with store.transaction() as sql:
        done = sql.execute(
            "update passkeys set sign_count = ?1, used_at = ?2 where id = ?3 and sign_count = ?4",
            (count, now, passkey.number, passkey.sign_count),
        )
        return done.rowcount == 1


def rename_passkey(store: WebStore, user: str, number: int, name: str) -> bool:
    """Call a passkey of a user by another name; False where the user has none of that number."""
    with store.transaction() as sql:
        done = sql.execute("update passkeys set name = ? where id = ? and user = ?", (name, number, user))
        return done.rowcount == 1


def remove_passkey(store: WebStore, user: str, number: int) -> bool:
    """Remove a passkey of a user; False where the user has none of that number."""
    with store.transaction() as sql:
        return sql.execute("delete from passkeys where id = ? and user = ?", (number, user)).rowcount == 1


def drop_passkeys(store: WebStore, user: str) -> int:
    """Remove every passkey of a user; returns how many there were."""
    with store.transaction() as sql:
        count = sql.execute("select count(*) from passkeys where user = ?", (user,)).fetchone()[0]
        sql.execute("delete from passkey_users where user = ?", (user,))
        return int(count)
