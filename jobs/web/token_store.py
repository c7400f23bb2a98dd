"""The tokens of the API, of which only hashes are kept. Part of the page's store."""

from __future__ import annotations

from hashlib import sha256

from jobs.web.people import ApiToken, Scope
from jobs.web.store import WebStore

USED_SECONDS = 60.0
"""So long a token may be used without that being written down again."""

_LARGEST = 2**63 - 1
"""The largest number that the database takes."""
_COLUMNS = "id, name, scope, user, created_at, used_at"


def add_token(store: WebStore, secret: str, name: str, scope: Scope, user: str, now: float) -> None:
    """Let a program in that has this secret; the token ends with its user."""
    with store.transaction() as sql:
        sql.execute(
            "insert into tokens (hash, name, scope, user, created_at) values (?, ?, ?, ?, ?)",
            (_hash(secret), name, scope, user, now),
        )


def tokens_of(store: WebStore) -> list[ApiToken]:
    """Return every token, the newest first."""
    return [_token(*row) for row in store.rows(f"select {_COLUMNS} from tokens order by id desc")]  # noqa: S608  # ours


def find_token(store: WebStore, secret: str, now: float) -> ApiToken | None:
    """Return what a secret is the token of, None for nothing; that it was used is noted once a minute."""
    rows = store.rows(f"select {_COLUMNS} from tokens where hash = ?", _hash(secret))  # noqa: S608  # ours
    if not rows:
        return None
    token = _token(*rows[0])
    if token.used_at is None or now - token.used_at > USED_SECONDS:
        with store.transaction() as sql:
            sql.execute("update tokens set used_at = ? where id = ?", (now, token.number))
    return token


def revoke_token(store: WebStore, number: int) -> bool:
    """End a token; False where there is none of that number."""
    if number > _LARGEST:
        return False
    with store.transaction() as sql:
        return sql.execute("delete from tokens where id = ?", (number,)).rowcount == 1


def _token(number: int, name: str, scope: str, user: str, created_at: float, used_at: float | None) -> ApiToken:
    return ApiToken(number, name, Scope(scope), user, created_at, used_at)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode(errors="replace")).digest()
