"""What happened: runs, deletions (append-only), and the messages that could not be copied."""

from __future__ import annotations

import json
from collections.abc import Collection, Container, Sequence
from datetime import UTC, datetime

from migrator.errors import Kind
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import kept_numbers
from migrator.ledger.copy_rows import IN_DOUBT
from migrator.ledger.database import Database, Rows, Sql, texts
from migrator.ledger.settled import message_decided
from migrator.model import Digest, MessageRow, UniqueId
from migrator.report import STOPPED_BY, AccountReport, Problem, Status, StoppedBy, shown_unique_id, without_cure


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as it was remembered. ``ended_at`` is None while it runs, and stays so if it was killed."""

    account: str
    started_at: float
    ended_at: float | None
    status: Status | None
    report: dict[str, object]

    @property
    def stopped_by(self) -> StoppedBy | None:
        """Who ended the run before its end; None where nobody did, or it failed besides."""
        by = self.report.get(STOPPED_BY)
        return StoppedBy(by) if isinstance(by, str) and self.status is Status.PARTIAL else None


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
    accepted_at: float | None = None
    is_gone: bool = False
    """Whether this is about a proven copy that somebody took out."""
    cure: str = ""
    """What a person can do about it, with which ``text`` ends where there is something."""

    @property
    def reason(self) -> str:
        """The text without its cure."""
        return without_cure(self.text, self.cure)

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

    ``on_server`` = ``safe`` + ``waiting`` + ``failed`` + ``accepted``: messages the source last showed. What a person
    has accepted as it is neither waits nor failed, and is not meant by ``oldest_unsafe``.
    """

    on_server: int
    safe: int
    waiting: int
    failed: int
    deleted: int
    octets_safe: int
    oldest_unsafe: float | None
    accepted: int = 0


class History:
    """Runs, problems and deletions of all accounts."""

    def __init__(self, connection: Database) -> None:
        """Read and write through this connection."""
        self._connection = connection

    def run_started(self, account: str, now: float) -> int:
        """Note that a run of this account begins; returns its number."""
        with self._connection.transaction() as sql:
            insert = "insert into runs (account, started_at) values (?, ?) returning id"
            (number,) = sql.execute(insert, (account, now)).fetchone()
        return int(number)

    def run_ended(self, run: int, report: AccountReport, now: float) -> None:
        """Keep the report of a run, and the numbers of its account."""
        with self._connection.reading() as sql:
            (account,) = sql.execute("select account from runs where id = ?", (run,)).fetchone()
            changes = kept_numbers.changes(sql, account)
            # Not in the transaction, in which all other writers would wait: a change meanwhile shows in ``changes``.
            numbers = None if kept_numbers.kept(sql, account) else kept_numbers.counted(sql, account)
        with self._connection.transaction() as sql:
            sql.execute(
                "update runs set ended_at = ?, status = ?, report = ? where id = ?",
                (now, report.status, json.dumps(report.as_memory()), run),
            )
            if numbers is not None:
                kept_numbers.keep(sql, account, changes, numbers)

    def last_runs(self, account: str, count: int = 1) -> list[RunRecord]:
        """Return the newest runs of an account, newest first."""
        return self._runs("where account = ? order by id desc limit ?", account, count)

    def runs_before(self, account: str, moment: float, count: int) -> list[RunRecord]:
        """Return the newest runs of an account that began before a moment, newest first."""
        return self._runs("where account = ? and started_at < ? order by id desc limit ?", account, moment, count)

    def runs_of_all(
        self, accounts: Sequence[str], count: int, before: int | None = None
    ) -> list[tuple[int, RunRecord]]:
        """Return the newest runs of these accounts with their numbers, newest first; those before one, where given."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select id, account, started_at, ended_at, status, report from runs"
                " where (cast(?1 as integer) is null or id < ?1)"
                " and account in (select value from json_each(?2, '$')) order by id desc limit ?3",
                (before, texts(accounts), count),
            ).fetchall()
        return [(number, _run_record(*row)) for number, *row in rows]

    def newest_runs(self, accounts: Collection[str]) -> dict[str, RunRecord]:
        """Return the newest run of each of these accounts; nothing of those without one."""
        with self._connection.reading() as sql:
            return {row[0]: _run_record(*row) for row in newest_runs(sql, accounts).fetchall()}

    def last_successes(self, accounts: Collection[str]) -> dict[str, RunRecord]:
        """Return the newest run of each of these accounts that ended with nothing to report."""
        with self._connection.reading() as sql:
            rows = newest_runs(sql, accounts, "n.status = 'ok'").fetchall()
        return {row[0]: _run_record(*row) for row in rows}

    def _runs(self, condition: str, *values: str | float) -> list[RunRecord]:
        with self._connection.reading() as sql:
            rows = sql.execute(f"select account, started_at, ended_at, status, report from runs {condition}", values)
            return [_run_record(*row) for row in rows]

    def failed(
        self, problems: Sequence[tuple[MessageRow, Problem]], now: float, *, counted: Container[MessageRow] = ()
    ) -> None:
        """Set these messages aside with what went wrong; a message that failed before counts one more attempt.

        Those of ``counted`` do not: their attempt was counted before.
        """
        with self._connection.transaction() as sql:
            sql.executemany(
                "insert into problems (message_id, kind, text, cure, destination, attempts, first_at, last_at)"
                " values (?, ?, ?, ?, ?, 1, ?, ?) on conflict (message_id) do update set kind = excluded.kind,"
                " text = excluded.text, cure = excluded.cure, destination = excluded.destination,"
                " attempts = problems.attempts + ?, last_at = excluded.last_at",
                [
                    (row, str(p.kind), p.message, p.cure, p.destination, now, now, 0 if row in counted else 1)
                    for row, p in problems
                ],
            )
            sql.executemany(
                "update messages set state = 'quarantined' where id = ? and state = 'listed'",
                [(row,) for row, _ in problems],
            )
            kept_numbers.numbers_changed_by(sql, [row for row, _ in problems])

    def problems(self, rows: Sequence[MessageRow]) -> dict[MessageRow, Problem]:
        """Return the problems these messages had when they were last tried."""
        with self._connection.reading() as sql:
            found = sql.execute(
                "select p.message_id, p.kind, p.text, p.cure, m.unique_id, p.destination from json_each(?) as wanted"
                " cross join problems p on p.message_id = wanted.value join messages m on m.id = p.message_id",
                (json.dumps(rows),),
            )
            return {row: Problem(Kind(kind), text, uid, at, cure=cure) for row, kind, text, cure, uid, at in found}

    def set_aside(self, accounts: Sequence[str]) -> list[SetAside]:
        """Return what is set aside for these accounts, oldest first: what its source still lists.

        What was accepted is there as long as that matters, be it that a copy of it is still altered or gone.
        """
        marks = ", ".join("?" * len(accounts))
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select m.id, d.account, m.unique_id, m.announced, p.kind, p.text, p.destination, p.attempts,"
                " p.first_at, p.last_at, c.digest, p.accepted_at, p.cure"
                " from problems p join messages m on m.id = p.message_id"
                " join maildrops d on d.id = m.maildrop_id left join contents c on c.id = m.content_id"
                f" where d.account in ({marks}) and (m.gone_at is null or p.accepted_at is not null and exists"
                " (select 1 from copies k"
                f"  where k.content_id = m.content_id and {IN_DOUBT.replace('state', 'k.state')}))"
                " order by p.first_at, m.id",
                tuple(accounts),
            )
            return [
                SetAside(
                    row,
                    account,
                    uid,
                    octets,
                    Kind(kind),
                    text,
                    place,
                    tries,
                    first,
                    last,
                    at is not None,
                    digest,
                    at,
                    cure=cure,
                )
                for row, account, uid, octets, kind, text, place, tries, first, last, digest, at, cure in rows
            ]

    def retry(self, row: MessageRow) -> None:
        """Forget that this message failed: the next run treats it like a new one."""
        with self._connection.transaction() as sql:
            sql.execute("delete from problems where message_id = ?", (row,))
            sql.execute("update messages set state = 'listed' where id = ? and state = 'quarantined'", (row,))
            message_decided(sql, row)
            kept_numbers.numbers_changed_by(sql, [row])

    def accept(self, row: MessageRow, now: float) -> None:
        """Note that a person accepts this problem: the message stays where it is and is not reported again."""
        with self._connection.transaction() as sql:
            sql.execute("update problems set accepted_at = ? where message_id = ?", (now, row))
            message_decided(sql, row)
            kept_numbers.numbers_changed_by(sql, [row])

    def proven_until(self, account: str, moment: float) -> int:
        """Count what the source of an account still holds of which every copy was proven by then, first."""
        with self._connection.reading() as sql:
            (count,) = sql.execute(
                "select count(*) from messages m join maildrops d on d.id = m.maildrop_id"
                " where d.account = ? and m.gone_at is null and m.copied_at <= ?",
                (account, moment),
            ).fetchone()
        return int(count)

    def numbers(self, account: str) -> AccountNumbers:
        """Return where the messages of an account stand, exactly.

        They are counted while a run goes on and after one was killed or a person has decided about a message, until
        the next run has ended; otherwise this is quick whatever their number.
        """
        with self._connection.reading() as sql:
            return AccountNumbers(*(kept_numbers.kept(sql, account) or kept_numbers.counted(sql, account)))

    def numbers_of(self, accounts: Collection[str]) -> dict[str, AccountNumbers]:
        """Return the same of many accounts: two questions for all of them, and more only where one must be counted."""
        with self._connection.reading() as sql:
            kept = kept_numbers.all_kept(sql, accounts)
            seen = {
                account
                for (account,) in sql.execute(
                    "select d.account from json_each(?, '$') as wanted"
                    " cross join maildrops d on d.account = wanted.value",
                    (texts(accounts),),
                )
            }
        none = AccountNumbers(0, 0, 0, 0, 0, 0, None, 0)
        return {
            name: AccountNumbers(*kept[name]) if name in kept else self.numbers(name) if name in seen else none
            for name in accounts
        }


def newest_runs(
    sql: Sql,
    accounts: Collection[str],
    condition: str = "true",
    columns: str = "r.started_at, r.ended_at, r.status, r.report",
) -> Rows:
    """Ask for these columns of the newest run ``n`` of each of these accounts of which a condition holds."""
    return sql.execute(
        f"select r.account, {columns} from json_each(?, '$') as wanted cross join runs r on r.id ="
        f" (select n.id from runs n where n.account = wanted.value and {condition} order by n.id desc limit 1)",
        (texts(accounts),),
    )


def _run_record(
    account: str, started_at: float, ended_at: float | None, status: str | None, report: str | None
) -> RunRecord:
    return RunRecord(account, started_at, ended_at, Status(status) if status else None, json.loads(report or "{}"))


def log_deletions(sql: Sql, rows: Sequence[int], confirmed_by: str, now: float) -> None:
    """Append to the log of deletions: what went, where its copies are, what confirmed it.

    Part of the caller's transaction.
    """
    sql.execute(
        "insert into deletions"
        " (account, host, username, unique_id, announced, digest, copies, deleted_at, confirmed_by)"
        " select d.account, d.host, d.username, m.unique_id, m.announced, c.digest,"
        " coalesce((select json_group_array(json_object('destination', t.identity, 'volume', v.name,"
        " 'offset', k.offset, 'length', k.length, 'file', k.base_name, 'uid_validity', k.uid_validity, 'uid', k.uid))"
        " from copies k cross join destinations t on t.id = k.destination_id"
        " left join volumes v on v.id = k.volume_id where k.content_id = m.content_id and k.state = 'verified'), '[]'),"
        " ?, ?"
        " from json_each(?) as wanted cross join messages m on m.id = wanted.value"
        " join maildrops d on d.id = m.maildrop_id join contents c on c.id = m.content_id",
        (now, confirmed_by, json.dumps(rows)),
    )
