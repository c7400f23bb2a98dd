"""The log of deletions as it is read: what went, what confirmed it, and where its copies are now.

The log is append-only (triggers of ``schema`` hold that); it outlives accounts, messages and destinations. Where the
ledger knows a copy no more, the place that the log has from the day of the deletion stands in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from migrator.lazy_dataclasses import dataclass
from migrator.ledger.contents import THE_CONTENTS, places
from migrator.ledger.database import Database
from migrator.model import Digest, UniqueId

_PAGE = 500
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class KeptCopy:
    """One copy of a message that is gone from its source.

    ``destination`` is the identity. ``state`` is that of the ledger, ``""`` where it knows the copy no more: then the
    place is the one at the day of the deletion. ``verified_at`` is when it was last read and found equal.
    """

    destination: str
    state: str
    verified_at: float | None
    volume: str | None = None
    offset: int | None = None
    length: int | None = None
    file: str | None = None
    uid_validity: int | None = None
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class Deletion:
    """One confirmed deletion. ``octets`` is the size of the content, else what LIST announced.

    ``number`` is its place in the log.
    """

    number: int
    account: str
    host: str
    username: str
    unique_id: UniqueId
    digest: Digest
    octets: int
    deleted_at: float
    confirmed_by: str
    copies: tuple[KeptCopy, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deletions to read: of these accounts (of all, for none), since a moment, before one, of some contents."""

    accounts: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    digests: tuple[bytes, bytes] | None = None


@dataclass(frozen=True, slots=True)
class DayOfDeletions:
    """How many messages of an account were deleted on one day (as RFC 3339 writes it), and their octets."""

    day: str
    messages: int
    octets: int


class ReceiptsLedger:
    """The log of deletions of all accounts, those that are configured no more included."""

    def __init__(self, connection: Database) -> None:
        """Read through this connection."""
        self._connection = connection

    def accounts(self) -> list[str]:
        """Return the names of the accounts of which something was deleted."""
        with self._connection.reading() as sql:
            return [name for (name,) in sql.execute("select distinct account from deletions order by account")]

    def deletions(self, wanted: Filter) -> Iterator[Deletion]:
        """Yield the deletions that were asked for, oldest first, in flat memory."""
        names, last = self._present_names(), 0
        while rows := self._page(wanted, "d.id > ?", last, "d.id", _PAGE):
            yield from self._read(rows, names)
            last = rows[-1][0]

    def newest(self, wanted: Filter, limit: int, before: int | None = None) -> list[Deletion]:
        """Return the newest deletions that were asked for, newest first; those before a number, where one is given."""
        below = before if before is not None else _LARGEST
        rows = self._page(wanted, "d.id < ?", below, "d.id desc", limit)
        return list(self._read(rows, self._present_names()))

    def numbered(self, number: int) -> Deletion | None:
        """Return the deletion that has this place in the log, None where there is none."""
        rows = self._page(Filter(), "d.id = ?", number, "d.id", 1)
        return next(self._read(rows, self._present_names()), None)

    def by_day(self, account: str) -> list[DayOfDeletions]:
        """Return how much of an account was deleted on each day, oldest first; a day begins here, at midnight."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select cast(d.deleted_at / 900 as integer) as quarter, count(*),"
                " sum(coalesce(c.octets, d.announced)) from deletions d left join contents c on c.digest = d.digest"
                " where d.account = ? group by quarter order by quarter",
                (account,),
            ).fetchall()
        # Time zones are whole quarters of an hour from UTC, and a database does not know which one is ours.
        quarters = groupby(rows, lambda row: str(datetime.fromtimestamp(row[0] * 900, UTC).astimezone().date()))
        days = ((day, list(of_day)) for day, of_day in quarters)
        return [DayOfDeletions(day, sum(row[1] for row in rows), sum(row[2] for row in rows)) for day, rows in days]

    def _read(self, rows: Sequence[tuple[Any, ...]], names: Mapping[str, str]) -> Iterator[Deletion]:
        now = self.copies([Digest(row[5]) for row in rows])
        for row in rows:
            recorded = [_recorded(copy, names) for copy in json.loads(row[9])]
            present = now.get(row[5], [])
            known = {copy.destination for copy in present}
            left = [copy for copy in recorded if copy.destination not in known]
            number, account, host, username, unique_id, digest, octets, deleted_at, confirmed_by = row[:9]
            copies = (*present, *left)
            yield Deletion(number, account, host, username, unique_id, digest, octets, deleted_at, confirmed_by, copies)

    def _page(self, wanted: Filter, beyond: str, number: int, order: str, limit: int) -> list[tuple[Any, ...]]:
        condition, values = _condition(wanted)
        with self._connection.reading() as sql:
            return sql.execute(
                "select d.id, d.account, d.host, d.username, d.unique_id, d.digest, coalesce(c.octets, d.announced),"
                " d.deleted_at, d.confirmed_by, d.copies from deletions d left join contents c on c.digest = d.digest"
                f" where {beyond} and {condition} order by {order} limit ?",
                (number, *values, limit),
            ).fetchall()

    def _present_names(self) -> dict[str, str]:
        """Return what destinations are called now that had another name when they were written down."""
        with self._connection.reading() as sql:
            return dict(
                sql.execute(
                    "select f.identity, d.identity from former_names f join destinations d on d.id = f.destination_id"
                ).fetchall()
            )

    def copies(self, digests: Sequence[Digest]) -> dict[Digest, list[KeptCopy]]:
        """Return where each of these contents stands now, in whatever destination."""
        found: dict[Digest, list[KeptCopy]] = {}
        wanted = list(dict.fromkeys(digests))
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select c.digest, t.identity, k.state, k.verified_at, v.name, k.offset, k.length, k.base_name,"
                f" k.uid_validity, k.uid from {THE_CONTENTS} cross join copies k on k.content_id = c.id"
                " cross join destinations t on t.id = k.destination_id"
                " left join volumes v on v.id = k.volume_id where k.state != 'intended' order by t.id",
                places(wanted),
            )
            for digest, *copy in rows:
                found.setdefault(digest, []).append(KeptCopy(*copy))
        return found


def _condition(wanted: Filter) -> tuple[str, list[object]]:
    parts: list[str] = ["true"]
    values: list[object] = []
    if wanted.accounts:
        parts.append("d.account in (select value from json_each(?, '$'))")
        values.append(json.dumps(wanted.accounts))
    if wanted.since is not None:
        parts.append("d.deleted_at >= ?")
        values.append(wanted.since)
    if wanted.until is not None:
        parts.append("d.deleted_at < ?")
        values.append(wanted.until)
    if wanted.digests is not None:
        parts.append("d.digest between ? and ?")
        values += wanted.digests
    return " and ".join(parts), values


def _recorded(copy: dict[str, Any], names: Mapping[str, str]) -> KeptCopy:
    """Read a copy as ``log_deletions`` wrote it down."""
    destination = names.get(copy["destination"], copy["destination"])
    return KeptCopy(**{**copy, "destination": destination}, state="", verified_at=None)
