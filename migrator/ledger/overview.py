"""How everything stands, in few statements: what findings are made of. Only reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from migrator.copy_records import VolumeRecord, VolumeState
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.acceptance import accepted_copies
from migrator.ledger.copies import reaches
from migrator.ledger.copy_rows import IN_DOUBT
from migrator.ledger.database import Database, Sql, texts
from migrator.ledger.history import RunRecord, newest_runs
from migrator.model import CopyState, Proof
from migrator.report import STOPPED_BY, Status

_ACCEPTED = (
    "exists (select 1 from messages m join problems p on p.message_id = m.id"
    " where m.content_id = k.content_id and p.accepted_at is not null)"
)
"""A person has accepted how a content stands."""

_LACKING = (
    # Without the cast, SQLite finds no account among those that ask of the same destinations but by going through all.
    "with wanted as (select cast(json_extract(value, '$.account') as text) as account,"
    " json_extract(value, '$.target') as target, json_extract(value, '$.source') as source from json_each(?, '$')),"
    # Accounts that share destinations ask the same: gone through once.
    " pairs as (select distinct w.source, w.target from wanted w),"
    " lacking as (select p.source, p.target, s.content_id from pairs p"
    "  cross join destinations d on d.identity = p.source"
    "  cross join copies s on s.destination_id = d.id and s.state = 'verified'"
    "  where not exists (select 1 from destinations e join copies t on t.destination_id = e.id"
    "   where e.identity = p.target and t.content_id = s.content_id and t.state != 'intended')),"
    " found as (select w.account, w.target, l.content_id from lacking l"
    "  cross join messages m on m.content_id = l.content_id cross join maildrops o on o.id = m.maildrop_id"
    "  cross join wanted w on w.account = o.account and w.target = l.target and w.source = l.source"
    "  union select w.account, w.target, l.content_id from lacking l"
    "  cross join wanted w on w.target = l.target and w.source = l.source"
    "  where not exists (select 1 from messages m where m.content_id = l.content_id))"
    " select f.account, f.target, count(*) from found f group by f.account, f.target"
)


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
class KnownDestination:
    """A destination by its number in this ledger.

    ``is_written_to``: something was to be stored in it, and nobody knows yet how that ended.
    """

    number: int
    has_copies: bool
    is_written_to: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """How many different messages, and their octets."""

    messages: int
    octets: int


class Overview:
    """Reads across accounts and destinations; each method is one question, or two, however many there are."""

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

    def destinations(self, identities: Collection[str]) -> dict[str, KnownDestination]:
        """Return those of these destinations that the ledger knows, by identity."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select d.identity, d.id,"
                " exists (select 1 from copies k where k.destination_id = d.id and k.state != 'intended'),"
                " d.id in (select i.destination_id from intents i)"
                " from json_each(?, '$') as wanted cross join destinations d on d.identity = wanted.value",
                (texts(identities),),
            ).fetchall()
        return {
            identity: KnownDestination(number, bool(has_copies), bool(is_written_to))
            for identity, number, has_copies, is_written_to in rows
        }

    def copies_known(self, identities: Collection[str]) -> dict[str, int]:
        """Count the copies that are known to stand in each of these destinations that has any, by its identity."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select d.identity, count(*) from json_each(?, '$') as wanted"
                " cross join destinations d on d.identity = wanted.value cross join copies k on k.destination_id = d.id"
                " where k.state != 'intended' and k.state != 'gone' group by d.identity",
                (texts(identities),),
            ).fetchall()
        return dict(rows)

    def volumes(self, identities: Collection[str]) -> dict[str, list[VolumeRecord]]:
        """Return the volumes of each of these destinations that has any, by its identity, in the order of their names.

        Those of a store are its objects.
        """
        found: dict[str, list[VolumeRecord]] = {}
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select d.identity, v.name, v.end_offset, v.tail_digest, v.stamp, v.state, v.changed_stamp"
                " from json_each(?, '$') as wanted cross join destinations d on d.identity = wanted.value"
                " cross join volumes v on v.destination_id = d.id order by v.name",
                (texts(identities),),
            )
            for identity, name, end, tail, stamp, state, changed_stamp in rows:
                record = VolumeRecord(name, end, tail, stamp, VolumeState(state), changed_stamp)
                found.setdefault(identity, []).append(record)
        return found

    def lacking(self, places: Mapping[str, Collection[str]]) -> dict[tuple[str, str], int]:
        """Count what accounts have proven in any of their destinations and not at all in another of them.

        By account and identity of the destination that lacks it; nothing of those that lack nothing. Of a shared
        destination, a content belongs to those whose maildrops showed it, and to all if none did.
        """
        wanted = [
            {"account": account, "target": target, "source": source}
            for account, own in places.items()
            for target in own
            for source in own
            if source != target
        ]
        if not wanted:
            return {}
        with self._connection.reading() as sql:
            rows = sql.execute(_LACKING, (json.dumps(wanted),)).fetchall()
        return {(account, target): count for account, target, count in rows}

    def last_runs(self, accounts: Collection[str]) -> dict[str, LastRun]:
        """Return the newest run of each of these accounts that came to its end; nothing of those of which none has."""
        with self._connection.reading() as sql:
            rows = newest_runs(sql, accounts, "n.ended_at is not null").fetchall()
            failing = _failing(sql, [account for account, _, _, status, _ in rows if status != Status.OK])
        return {
            account: LastRun(
                RunRecord(account, started, ended, Status(status), json.loads(report or "{}")),
                *failing.get(account, (0, 0.0)),
            )
            for account, started, ended, status, report in rows
        }

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

    def newest_listed(self, accounts: Collection[str]) -> dict[str, float]:
        """Return when the newest run of each of these accounts ended that saw what its source holds."""
        with self._connection.reading() as sql:
            rows = newest_runs(sql, accounts, "n.status in ('ok', 'partial')", "r.ended_at").fetchall()
        return dict(rows)

    def first_copies(self, accounts: Collection[str]) -> dict[str, float]:
        """Return when the first message of each of these accounts was proven everywhere; nothing of those without."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select d.account, min((select min(m.copied_at) from messages m where m.maildrop_id = d.id"
                " and m.copied_at is not null)) from json_each(?, '$') as wanted"
                " cross join maildrops d on d.account = wanted.value group by d.account",
                (texts(accounts),),
            ).fetchall()
        return {account: first for account, first in rows if first is not None}

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

    def clocks_doubted_at(self, accounts: Collection[str]) -> dict[str, float]:
        """Return since when deletion by age waits for somebody to look at the clock, by account; where it does."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select d.account, max(d.clock_doubted_at) from json_each(?, '$') as wanted"
                " cross join maildrops d on d.account = wanted.value where d.clock_doubted_at is not null"
                " group by d.account",
                (texts(accounts),),
            ).fetchall()
        return dict(rows)


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


def _failing(sql: Sql, accounts: Sequence[str]) -> dict[str, tuple[int, float]]:
    """Return how many runs of each of these accounts have ended since its last that ended well, and since when."""
    if not accounts:
        return {}
    rows = sql.execute(
        "select r.account, count(*), min(r.started_at) from json_each(?, '$') as wanted"
        " cross join runs r on r.account = wanted.value and r.ended_at is not null and r.id > coalesce("
        " (select n.id from runs n where n.account = wanted.value and n.status = 'ok' order by n.id desc limit 1), 0)"
        " group by r.account",
        (texts(accounts),),
    )
    return {account: (count, since) for account, count, since in rows.fetchall()}


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
