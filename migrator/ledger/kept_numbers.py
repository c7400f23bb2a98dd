"""The numbers of an account, kept in a row of their own, so that looking at many accounts counts nobody's messages.

Each change of a message, a problem or the log of deletions is noted in its transaction. Numbers are kept together
with how many changes they include: with one more they are past, and the messages are counted at each look until the
account's next run has ended. No number is ever added to or taken from: kept numbers are counted ones, or are not used.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from migrator.ledger.database import Sql, texts

Row = tuple[int, int, int, int, int, int, float | None, int]
"""On the server, safe, waiting, failed, deleted, octets that are safe, since when the oldest is not, accepted."""

_COLUMNS = "on_server, safe, waiting, failed, deleted, octets_safe, oldest_unsafe, accepted"

_ONE_MORE = "on conflict (account) do update set changes = account_numbers.changes + 1"


def numbers_changed(sql: Sql, account: str) -> None:
    """Note that messages of an account may not be what they were; part of the transaction that changes them."""
    sql.execute(f"insert into account_numbers (account, changes) values (?, 1) {_ONE_MORE}", (account,))


def numbers_changed_by(sql: Sql, rows: Sequence[int]) -> None:
    """Note the same for the accounts of these messages."""
    sql.execute(
        "insert into account_numbers (account, changes) select distinct d.account, 1 from messages m"
        f" join maildrops d on d.id = m.maildrop_id where m.id in (select value from json_each(?)) {_ONE_MORE}",
        (json.dumps(rows),),
    )


def kept(sql: Sql, account: str) -> Row | None:
    """Return the numbers that are kept, None where something has changed since they were counted."""
    row: Row | None = sql.execute(
        f"select {_COLUMNS} from account_numbers where account = ? and counted = changes", (account,)
    ).fetchone()
    return row


def all_kept(sql: Sql, accounts: Collection[str]) -> dict[str, Row]:
    """Return the same of many accounts, by account; nothing of those of which it gives None."""
    rows = sql.execute(
        f"select a.account, {_COLUMNS} from json_each(?, '$') as wanted"
        " cross join account_numbers a on a.account = wanted.value where a.counted = a.changes",
        (texts(accounts),),
    )
    return {row[0]: row[1:] for row in rows.fetchall()}


def changes(sql: Sql, account: str) -> int:
    """Return how many changes were noted; to be asked before ``counted``, for ``keep``."""
    row = sql.execute("select changes from account_numbers where account = ?", (account,)).fetchone()
    return int(row[0]) if row else 0


def counted(sql: Sql, account: str) -> Row:
    """Count where the messages of an account stand now; goes through all of them."""
    on_server, safe, failed, accepted, octets, oldest = sql.execute(
        "select count(*), count(*) filter (where m.copied_at is not null),"
        " count(*) filter (where m.copied_at is null and p.message_id is not null and p.accepted_at is null),"
        " count(*) filter (where m.copied_at is null and p.accepted_at is not null),"
        " coalesce(sum(c.octets) filter (where m.copied_at is not null), 0),"
        " min(m.first_seen) filter (where m.copied_at is null and p.accepted_at is null)"
        " from messages m join maildrops d on d.id = m.maildrop_id left join contents c on c.id = m.content_id"
        " left join problems p on p.message_id = m.id where d.account = ? and m.gone_at is null",
        (account,),
    ).fetchone()
    (deleted,) = sql.execute("select count(*) from deletions where account = ?", (account,)).fetchone()
    return on_server, safe, on_server - safe - failed - accepted, failed, deleted, octets, oldest, accepted


def keep(sql: Sql, account: str, after_changes: int, numbers: Row) -> None:
    """Keep numbers that were counted after this number of changes; with more of them by now they are not used."""
    sql.execute(
        f"insert into account_numbers (account, changes, counted, {_COLUMNS}) values (?, ?, ?, {_marks(numbers)})"
        " on conflict (account) do update set counted = excluded.counted,"
        f" {', '.join(f'{column} = excluded.{column}' for column in _COLUMNS.split(', '))}",
        (account, after_changes, after_changes, *numbers),
    )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
