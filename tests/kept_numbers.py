"""Holds the numbers that a ledger keeps of its accounts against its messages; by SQL of its own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from migrator.ledger import FILE_NAME
from migrator.ledger.database import Sql

_KEPT = (
    "select account, on_server, safe, waiting, failed, deleted, octets_safe, oldest_unsafe, accepted"
    " from account_numbers where counted = changes"
)

_MESSAGES = (
    "select m.copied_at is not null, c.octets, m.first_seen, p.message_id is not null, p.accepted_at is not null"
    " from maildrops d join messages m on m.maildrop_id = d.id left join contents c on c.id = m.content_id"
    " left join problems p on p.message_id = m.id where d.account = ? and m.state not in ('deleted', 'vanished')"
)

Numbers = tuple[int, int, int, int, int, int, float | None, int]


def wrongly_kept(state_dir: Path) -> dict[str, tuple[Numbers, Numbers]]:
    """Return the accounts whose kept numbers are not what counting gives, with both; empty where all is well."""
    if not (state_dir / FILE_NAME).exists():
        return {}
    with closing(sqlite3.connect(state_dir / FILE_NAME)) as sql:
        if not sql.execute("select 1 from sqlite_schema").fetchone():
            return {}  # the program was killed before it had made its tables
        return wrongly_kept_in(sql)


def wrongly_kept_in(sql: Sql) -> dict[str, tuple[Numbers, Numbers]]:
    """Return the same of a ledger that is open."""
    both = {account: (tuple(kept), _counted(sql, account)) for account, *kept in sql.execute(_KEPT).fetchall()}
    return {account: pair for account, pair in both.items() if pair[0] != pair[1]}


def kept_accounts_in(sql: Sql) -> set[str]:
    """Return the accounts whose numbers need not be counted."""
    return {account for account, *_ in sql.execute(_KEPT).fetchall()}


def _counted(sql: Sql, account: str) -> Numbers:
    rows = sql.execute(_MESSAGES, (account,)).fetchall()
    safe = [octets for is_safe, octets, *_ in rows if is_safe]
    unsafe = [tuple(row[2:]) for row in rows if not row[0]]
    accepted = sum(is_accepted for *_, is_accepted in unsafe)
    failed = sum(has_problem and not is_accepted for _, has_problem, is_accepted in unsafe)
    oldest = min((seen for seen, _, is_accepted in unsafe if not is_accepted), default=None)
    (deleted,) = sql.execute("select count(*) from deletions where account = ?", (account,)).fetchone()
    waiting = len(unsafe) - accepted - failed
    return len(rows), len(safe), waiting, failed, deleted, sum(safe), oldest, accepted
