"""What happened: runs, deletions (append-only), and the messages that could not be copied."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from migrator.errors import Kind
from migrator.ledger.connection import Connection
from migrator.model import Digest, MessageRow, UniqueId
from migrator.report import AccountReport, Problem, Status, shown_unique_id


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as it was remembered. ``ended_at`` is None while it runs, and stays so if it was killed."""

    account: str
    started_at: float
    ended_at: float | None
    status: Status | None
    report: dict[str, object]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A message that was skipped, refused, set aside or could not be proven, with the reason."""

    row: MessageRow
    account: str
    unique_id: UniqueId
    octets: int
    kind: Kind
    text: str
    destination: str | None
    attempts: int
    first_at: float
    last_at: float
    is_accepted: bool
    digest: Digest | None

    def as_json(self) -> dict[str, object]:
        """Return the message's object; times are RFC 3339."""
        return {
            "number": self.row,
            "account": self.account,
            "uidl": shown_unique_id(self.unique_id),
            "octets": self.octets,
            "digest": self.digest.hex() if self.digest else None,
            "destination": self.destination,
            "kind": str(self.kind),
            "message": self.text,
            "attempts": self.attempts,
            "first": datetime.fromtimestamp(self.first_at, UTC).isoformat(timespec="seconds"),
            "last": datetime.fromtimestamp(self.last_at, UTC).isoformat(timespec="seconds"),
            "accepted": self.is_accepted,
        }


@dataclass(frozen=True, slots=True)
class AccountNumbers:
    """Where the messages of one account stand now; times are seconds since the epoch, None where there is none.

    ``on_server`` = ``safe`` + ``waiting`` + ``failed``: messages the source last showed.
    """

    on_server: int
    safe: int
    waiting: int
    failed: int
    deleted: int
    octets_safe: int
    oldest_unsafe: float | None


class History:
    """Runs, problems and deletions of all accounts."""

    def __init__(self, connection: Connection) -> None:
        """Read and write through this connection."""
        self._connection = connection

    def run_started(self, account: str, now: float) -> int:
        """Note that a run of this account begins; returns its number."""
        with self._connection.transaction() as sql:
            cursor = sql.execute("insert into runs (account, started_at) values (?, ?)", (account, now))
        return cursor.lastrowid or 0

    def run_ended(self, run: int, report: AccountReport, now: float) -> None:
        """Keep the report of a run."""
        with self._connection.transaction() as sql:
            sql.execute(
                "update runs set ended_at = ?, status = ?, report = ? where id = ?",
                (now, report.status, json.dumps(report.as_json()), run),
            )

    def last_runs(self, account: str, count: int = 1) -> list[RunRecord]:
        """Return the newest runs of an account, newest first."""
        return self._runs("where account = ? order by id desc limit ?", account, count)

    def last_success(self, account: str) -> RunRecord | None:
        """Return the newest run of an account that ended with nothing to report."""
        return next(iter(self._runs("where account = ? and status = 'ok' order by id desc limit 1", account)), None)

    def _runs(self, condition: str, *values: str | int) -> list[RunRecord]:
        with self._connection.reading() as sql:
            rows = sql.execute(f"select account, started_at, ended_at, status, report from runs {condition}", values)
            return [
                RunRecord(name, started, ended, Status(status) if status else None, json.loads(report or "{}"))
                for name, started, ended, status, report in rows
            ]

    def failed(self, problems: Sequence[tuple[MessageRow, Problem]], now: float) -> None:
        """Set these messages aside with what went wrong; a message that failed before counts one more attempt."""
        with self._connection.transaction() as sql:
            sql.executemany(
                "insert into problems (message_id, kind, text, destination, attempts, first_at, last_at)"
                " values (?, ?, ?, ?, 1, ?, ?) on conflict (message_id) do update set kind = excluded.kind,"
                " text = excluded.text, destination = excluded.destination, attempts = problems.attempts + 1,"
                " last_at = excluded.last_at",
                [(row, str(p.kind), p.message, p.destination, now, now) for row, p in problems],
            )
            sql.executemany(
                "update messages set state = 'quarantined' where id = ? and state = 'listed'",
                [(row,) for row, _ in problems],
            )

    def problems(self, rows: Sequence[MessageRow]) -> dict[MessageRow, Problem]:
        """Return the problems these messages had when they were last tried."""
        with self._connection.reading() as sql:
            found = sql.execute(
                "select p.message_id, p.kind, p.text, m.unique_id, p.destination from json_each(?) as wanted"
                " cross join problems p on p.message_id = wanted.value join messages m on m.id = p.message_id",
                (json.dumps(rows),),
            )
            return {row: Problem(Kind(kind), text, uid, place) for row, kind, text, uid, place in found}

    def set_aside(self, accounts: Sequence[str]) -> list[SetAside]:
        """Return what is set aside for these accounts and still listed at its source, oldest first."""
        marks = ", ".join("?" * len(accounts))
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select m.id, d.account, m.unique_id, m.announced, p.kind, p.text, p.destination, p.attempts,"
                " p.first_at, p.last_at, p.accepted_at is not null, c.digest"
                " from problems p join messages m on m.id = p.message_id"
                " join maildrops d on d.id = m.maildrop_id left join contents c on c.id = m.content_id"
                f" where m.gone_at is null and d.account in ({marks}) order by p.first_at, m.id",
                tuple(accounts),
            )
            return [
                SetAside(row, account, uid, octets, Kind(kind), text, place, tries, first, last, bool(accepted), digest)
                for row, account, uid, octets, kind, text, place, tries, first, last, accepted, digest in rows
            ]

    def retry(self, row: MessageRow) -> None:
        """Forget that this message failed: the next run treats it like a new one."""
        with self._connection.transaction() as sql:
            sql.execute("delete from problems where message_id = ?", (row,))
            sql.execute("update messages set state = 'listed' where id = ? and state = 'quarantined'", (row,))
            sql.execute("update maildrops set settled_key = null")

    def accept(self, row: MessageRow, now: float) -> None:
        """Note that a person accepts this problem: the message stays where it is and is not reported again."""
        with self._connection.transaction() as sql:
            sql.execute("update problems set accepted_at = ? where message_id = ?", (now, row))
            sql.execute("update maildrops set settled_key = null")

    def numbers(self, account: str) -> AccountNumbers:
        """Count where the messages of an account stand."""
        with self._connection.reading() as sql:
            on_server, safe, failed, octets, oldest = sql.execute(
                "select count(*), count(*) filter (where m.copied_at is not null),"
                " count(*) filter (where m.copied_at is null and p.message_id is not null),"
                " coalesce(sum(c.octets) filter (where m.copied_at is not null), 0),"
                " min(m.first_seen) filter (where m.copied_at is null)"
                " from messages m join maildrops d on d.id = m.maildrop_id left join contents c on c.id = m.content_id"
                " left join problems p on p.message_id = m.id where d.account = ? and m.gone_at is null",
                (account,),
            ).fetchone()
            (deleted,) = sql.execute("select count(*) from deletions where account = ?", (account,)).fetchone()
        return AccountNumbers(on_server, safe, on_server - safe - failed, failed, deleted, octets, oldest)


def log_deletions(sql: sqlite3.Connection, rows: Sequence[int], confirmed_by: str, now: float) -> None:
    """Append to the log of deletions: what went, where its copies are, what confirmed it.

    Part of the caller's transaction.
    """
    sql.execute(
        "insert into deletions"
        " (account, host, username, unique_id, announced, digest, copies, deleted_at, confirmed_by)"
        " select d.account, d.host, d.username, m.unique_id, m.announced, c.digest,"
        " (select json_group_array(json_object('destination', t.identity, 'volume', v.name, 'offset', k.offset,"
        " 'length', k.length, 'file', k.base_name, 'uid_validity', k.uid_validity, 'uid', k.uid))"
        " from destinations t cross join copies k on k.destination_id = t.id and k.content_id = m.content_id"
        " left join volumes v on v.id = k.volume_id where k.state = 'verified'), ?, ?"
        " from json_each(?) as wanted cross join messages m on m.id = wanted.value"
        " join maildrops d on d.id = m.maildrop_id join contents c on c.id = m.content_id",
        (now, confirmed_by, json.dumps(rows)),
    )
