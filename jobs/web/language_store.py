"""The language that a user has chosen; without a choice the browser's wish holds."""

from __future__ import annotations

from jobs.web.store import WebStore


def choose_language(store: WebStore, user: str, tag: str) -> None:
    """Keep what a user has chosen; empty for what the browser wishes."""
    with store.transaction() as sql:
        sql.execute("update users set language = ? where name = ?", (tag, user))


def chosen_language(store: WebStore, user: str) -> str:
    """Return what a user has chosen, empty for nothing."""
    rows = store.rows("select language from users where name = ?", user)
    return str(rows[0][0]) if rows else ""
