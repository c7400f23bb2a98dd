"""How everything stands, in few statements: what findings are made of. Only reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from migrator.ledger.acceptance import accepted_copies
from migrator.ledger.copies import reaches
from migrator.ledger.copy_rows import IN_DOUBT
from migrator.ledger.database import Database, Sql
from migrator.ledger.history import RunRecord
from migrator.model import CopyState, Proof
from migrator.report import STOPPED_BY, Status

_ACCEPTED = (
    "exists (select 1 from messages m join problems p on p.message_id = m.id"
    " where m.content_id = k.content_id and p.accepted_at is not null)"
)
"""A person has accepted how a content stands."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """The copies of one destination that are not as they should be, but for what a person has accepted.

    ``differences`` are the reasons of the unproven ones, the most frequent first; ``proof`` is what all of these reach.
    """

    damaged: int = 0
    unproven: int = 0
    gone: int = 0
    differences: tuple[str, ...] = ()
    proof: Proof = Proof.NONE


@dataclass(frozen=True, slots=True)
class LastRun:
    """The newest run of an account that came to its end, and how many in a row have not ended well, since when."""

    run: RunRecord
    failures: int
    failing_since: float


@dataclass(frozen=True, slots=True)
class Contents:
    """How many different messages, and their octets."""

    messages: int
    octets: int


class Overview:
    """Reads across accounts and destinations."""

    def __init__(self, connection: Database) -> None:
        """Read through this connection."""
        self._connection = connection

    def doubts(self) -> dict[str, Doubts]:
        """Return what is doubtful in each destination that has any, by its identity.

        Altered copies, and those that are gone, are accepted wherever they are; damage where it was accepted.
        """
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select d.identity, k.state, k.proof, k.reason, count(*) from copies k"
                " join destinations d on d.id = k.destination_id"
                f" where {IN_DOUBT.replace('state', 'k.state')} and (k.state = 'damaged' or not {_ACCEPTED})"
                " group by 1, 2, 3, 4 order by 5 desc"
            ).fetchall()
            accepted = Counter(accepted_copies(sql, CopyState.DAMAGED).values())
        found: dict[str, list[tuple[str, Proof, str, int]]] = {}
        for identity, state, proof, reason, count in rows:
            found.setdefault(identity, []).append((state, Proof(proof), reason, count))
        doubts = {identity: _doubts(groups, accepted[identity]) for identity, groups in found.items()}
        return {identity: one for identity, one in doubts.items() if one != Doubts()}

    def has_copies(self, identity: str) -> bool:
        """Say whether any copy is known in a destination."""
        with self._connection.reading() as sql:
            return bool(
                sql.execute(
                    "select exists (select 1 from copies k join destinations d on d.id = k.destination_id"
                    " where d.identity = ? and k.state != 'intended')",
                    (identity,),
                ).fetchone()[0]
            )

    def is_written_to(self, identity: str) -> bool:
        """Say whether something was to be stored in a destination of which nobody knows yet how that ended."""
        with self._connection.reading() as sql:
            return bool(
                sql.execute(
                    "select exists (select 1 from intents i join destinations d on d.id = i.destination_id"
                    " where d.identity = ?)",
                    (identity,),
                ).fetchone()[0]
            )

    def lacking(self, account: str, target: str, sources: Sequence[str]) -> int:
        """Count what an account has proven in any of some destinations and not at all in another.

        Of a shared destination, a content belongs to those whose maildrops showed it, and to all if none did.
        """
        with self._connection.reading() as sql:
            (count,) = sql.execute(
                "select count(distinct s.content_id) from destinations d cross join copies s on s.destination_id = d.id"
                " where d.identity in (select value from json_each(?1, '$')) and s.state = 'verified'"
                " and not exists (select 1 from destinations e join copies t on t.destination_id = e.id"
                "  where e.identity = ?2 and t.content_id = s.content_id and t.state != 'intended')"
                " and (exists (select 1 from messages m join maildrops o on o.id = m.maildrop_id"
                "   where m.content_id = s.content_id and o.account = ?3)"
                "  or not exists (select 1 from messages m where m.content_id = s.content_id))",
                (json.dumps(sources), target, account),
            ).fetchone()
        return int(count)

    def last_run(self, account: str) -> LastRun | None:
        """Return the newest run of an account that came to its end, None if none has."""
        with self._connection.reading() as sql:
            row = sql.execute(
                "select account, started_at, ended_at, status, report from runs"
                " where account = ? and ended_at is not null order by id desc limit 1",
                (account,),
            ).fetchone()
            if row is None:
                return None
            name, started, ended, status, report = row
            failures, since = (0, 0.0) if status == Status.OK else _failing(sql, account)
        run = RunRecord(name, started, ended, Status(status), json.loads(report or "{}"))
        return LastRun(run, failures, since)

    def runs_since(
        self, moment: float, after: int = 0, again: Sequence[int] = ()
    ) -> list[tuple[int, str, float, str | None, str | None]]:
        """Return the runs since a moment, in their order: number, account, when it began, status, who stopped it.

        Only those numbered above ``after``, and those of ``again``. Status is None while one goes on, or was killed.
        """
        with self._connection.reading() as sql:
            first = max(after + 1, _first_run_since(sql, moment))
            return sql.execute(
                "select id, account, started_at, status,"
                f" case when status = 'partial' then json_extract(report, '$.{STOPPED_BY}') end from runs"
                " where id >= ?1 or id in (select value from json_each(?2)) order by id",
                (first, json.dumps(list(again))),
            ).fetchall()

    def newest_runs(self) -> dict[str, RunRecord]:
        """Return the newest run of every account, of its report only who stopped it."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                f"select account, started_at, ended_at, status, json_extract(report, '$.{STOPPED_BY}') from runs"
                " where id in (select max(id) from runs group by account)"
            )
            return {
                name: RunRecord(name, started, ended, Status(status) if status else None, {STOPPED_BY: by})
                for name, started, ended, status, by in rows
            }

    def newest_listed(self) -> dict[str, float]:
        """Return when the newest run ended that saw what the source holds, by account."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select a.account, (select r.ended_at from runs r where r.account = a.account"
                " and r.status in ('ok', 'partial') order by r.id desc limit 1)"
                " from (select distinct account from runs) a"
            )
            return {account: ended_at for account, ended_at in rows if ended_at is not None}

    def last_listed(self, account: str) -> float | None:
        """Return when the newest run ended that saw what the source holds, None if none has."""
        with self._connection.reading() as sql:
            row = sql.execute(
                "select ended_at from runs where account = ? and status in ('ok', 'partial') order by id desc limit 1",
                (account,),
            ).fetchone()
        return None if row is None else float(row[0])

    def first_copy(self, account: str) -> float:
        """Return when the first message of an account was proven everywhere, 0.0 for none."""
        with self._connection.reading() as sql:
            (first,) = sql.execute(
                "select min((select min(m.copied_at) from messages m where m.maildrop_id = d.id"
                " and m.copied_at is not null)) from maildrops d where d.account = ?",
                (account,),
            ).fetchone()
        return float(first or 0.0)

    def contents_of(self, account: str) -> Contents:
        """Count the contents that an account's source has shown and that were proven everywhere, each once."""
        with self._connection.reading() as sql:
            messages, octets = sql.execute(
                "select count(*), coalesce(sum(c.octets), 0) from contents c where c.id in (select m.content_id"
                " from messages m join maildrops d on d.id = m.maildrop_id"
                " where d.account = ? and m.copied_at is not null)",
                (account,),
            ).fetchone()
        return Contents(messages, octets)

    def clock_doubted_at(self, account: str) -> float:
        """Return since when deletion by age waits for somebody to look at the clock, 0.0 if it does not."""
        with self._connection.reading() as sql:
            (since,) = sql.execute(
                "select max(clock_doubted_at) from maildrops where account = ?", (account,)
            ).fetchone()
        return float(since or 0.0)


def _first_run_since(sql: Sql, moment: float) -> int:
    """Return the number from which on runs began since a moment: they are numbered in the order in which they began."""
    low, high = 1, sql.execute("select coalesce(max(id), 0) + 1 from runs").fetchone()[0]
    while low < high:
        middle = (low + high) // 2
        number, began = sql.execute(
            "select id, started_at from runs where id >= ? order by id limit 1", (middle,)
        ).fetchone()
        if began < moment:
            low = number + 1
        else:
            high = middle
    return int(low)


def _failing(sql: Sql, account: str) -> tuple[int, float]:
    count, since = sql.execute(
        "select count(*), min(started_at) from runs where account = ?1 and ended_at is not null and id >"
        " (select coalesce(max(id), 0) from runs where account = ?1 and status = 'ok')",
        (account,),
    ).fetchone()
    return int(count), float(since or 0.0)


def _doubts(groups: Sequence[tuple[str, Proof, str, int]], accepted_damage: int) -> Doubts:
    def count(state: str) -> int:
        return sum(group[3] for group in groups if group[0] == state)

    unproven = [group for group in groups if group[0] == "unproven"]
    reached = [proof for proof in (Proof.EXACT, Proof.CANONICAL, Proof.SEMANTIC) if _all_reach(unproven, proof)]
    return Doubts(
        count("damaged") - accepted_damage,
        count("unproven"),
        count("gone"),
        tuple(dict.fromkeys(reason for _, _, reason, _ in unproven if reason)),
        reached[0] if reached else Proof.NONE,
    )


def _all_reach(groups: Sequence[tuple[str, Proof, str, int]], wanted: Proof) -> bool:
    return bool(groups) and all(reaches(proof, wanted) for _, proof, _, _ in groups)
