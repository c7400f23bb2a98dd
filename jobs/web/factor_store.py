"""Which users have a second factor: its secret, the last step that was used, and what is left of the recovery codes.

Part of the page's store. Recovery codes are kept as hashes; a secret cannot be, since codes are computed from it.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.web.store import WebStore
from migrator.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Factor:
    """The second factor of one user. ``recovery`` counts the recovery codes that are left."""

    secret: str
    last_step: int
    recovery: int


def factor_of(store: WebStore, name: str) -> Factor | None:
    """Return the second factor of a user, None for none."""
    rows = store.rows(
        "select secret, last_step, (select count(*) from recovery_codes r where r.user = f.user)"
        " from factors f where f.user = ?",
        name,
    )
    return Factor(*rows[0]) if rows else None


def keep_factor(store: WebStore, name: str, secret: str, step: int, recovery: Sequence[str]) -> None:
    """Give a user a second factor, in place of one before, and end the user's sessions."""
    with store.transaction() as sql:
        sql.execute("delete from factors where user = ?", (name,))
        sql.execute("insert into factors (user, secret, last_step) values (?, ?, ?)", (name, secret, step))
        sql.executemany("insert into recovery_codes (user, hash) values (?, ?)", [(name, code) for code in recovery])
        sql.execute("delete from sessions where user = ?", (name,))


def drop_factor(store: WebStore, name: str) -> None:
    """Take a user's second factor away; harmless where there is none."""
    with store.transaction() as sql:
        sql.execute("delete from factors where user = ?", (name,))


def use_step(store: WebStore, name: str, step: int) -> bool:
    """Note that the code of a step was used; False where it, or a later one, was used before."""
    with store.transaction() as sql:
        done = sql.execute("update factors set last_step = ?1 where user = ?2 and last_step < ?1", (step, name))
        return done.rowcount == 1


def use_recovery(store: WebStore, name: str, code_hash: str) -> bool:
    """Use a recovery code up; False where the user has none of that hash."""
    with store.transaction() as sql:
        done = sql.execute("delete from recovery_codes where user = ? and hash = ?", (name, code_hash))
        return done.rowcount == 1
