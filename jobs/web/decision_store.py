"""What people decided on the page about messages that were set aside: who, when, about how many. Part of its store."""

from __future__ import annotations

import json
from collections.abc import Collection

from jobs.web.store import WebStore
from migrator.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision, on messages of one account; ``at`` is what the ledger has of an acceptance, too."""

    at: float
    user: str
    account: str
    decision: str
    messages: int


def keep_decision(store: WebStore, decided: Decided) -> None:
    """Keep a decision, durably."""
    with store.transaction() as sql:
        sql.execute(
            "insert into decisions (at, user, account, decision, messages) values (?, ?, ?, ?, ?)",
            (decided.at, decided.user, decided.account, decided.decision, decided.messages),
        )


def last_decisions(store: WebStore, accounts: Collection[str], count: int) -> list[Decided]:
    """Return the newest decisions about these accounts, newest first."""
    rows = store.rows(
        "select at, user, account, decision, messages from decisions"
        " where account in (select value from json_each(?)) order by id desc limit ?",
        json.dumps(list(accounts)),
        count,
    )
    return [Decided(*row) for row in rows]


def who_decided(store: WebStore, moments: Collection[float]) -> dict[tuple[str, float], str]:
    """Return who decided on the page at these moments (a few hundred at most), by account and moment."""
    marks = ", ".join("?" * len(moments))
    rows = store.rows(f"select account, at, user from decisions where at in ({marks})", *moments)  # noqa: S608  # marks
    return {(account, at): user for account, at, user in rows}
