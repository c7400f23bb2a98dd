"""What the ledger knows of contents, of whatever account and in whatever place: the view of search, export and verify.

Whose a message is follows from what maildrops showed; a message that came otherwise (imported, appended by another
program, or found by ``rebuild-ledger``) was seen by nobody.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence

from migrator.copy_records import MISSING
from migrator.errors import Kind
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.contents import THE_CONTENTS, places
from migrator.ledger.copy_rows import IN_DOUBT
from migrator.ledger.database import Database
from migrator.ledger.kept_numbers import numbers_changed_by
from migrator.ledger.relearning import Relearning
from migrator.ledger.settled import destination_worth_less, message_decided
from migrator.model import CopyState, Digest, MessageRow, Proof, UniqueId

_CHUNK = 500
_PART = 5_000


@dataclass(frozen=True, slots=True)
class NumberedContent:
    """One content, by its number in this ledger. ``has_copy`` says that something stands for it somewhere."""

    number: int
    digest: Digest
    octets: int
    has_copy: bool


@dataclass(frozen=True, slots=True)
class Sighting:
    """A maildrop of this account showed this content under this unique-id."""

    digest: Digest
    account: str
    unique_id: UniqueId


@dataclass(frozen=True, slots=True)
class Copied:
    """A message of a maildrop of this account was copied then, and is this content."""

    digest: Digest
    account: str
    at: float


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a content came from, and when; times are seconds since the epoch, None for not yet or never."""

    account: str
    host: str
    username: str
    unique_id: UniqueId
    first_seen: float
    copied_at: float | None
    gone_at: float | None


@dataclass(frozen=True, slots=True)
class DoubtfulMessage:
    """A message of which a destination (named by its identity) holds an altered copy, or none any more: UNPROVEN, GONE.

    ``is_listed`` says that its source still has it.
    """

    row: MessageRow
    unique_id: UniqueId
    octets: int
    digest: Digest
    destination: str
    state: CopyState
    proof: Proof
    reason: str
    first_seen: float
    is_listed: bool


class ArchiveLedger:
    """Contents of all destinations and accounts."""

    def __init__(self, connection: Database) -> None:
        """Read through this connection."""
        self._connection = connection

    def known_destinations(self) -> dict[str, int]:
        """Return the numbers of the destinations that the ledger knows, by identity, former ones included."""
        with self._connection.reading() as sql:
            return dict(
                sql.execute(
                    "select identity, destination_id from former_names union all select identity, id from destinations"
                ).fetchall()
            )

    def holdings(self, identities: Collection[str]) -> dict[str, tuple[int, int]]:
        """Return how many proven copies each of these destinations holds, and their octets, by identity."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select d.identity, count(*), sum(c.octets) from destinations d"
                " cross join copies k on k.destination_id = d.id join contents c on c.id = k.content_id"
                " where d.identity in (select value from json_each(?, '$')) and k.state = 'verified' group by d.id",
                (json.dumps(list(identities)),),
            ).fetchall()
        return {identity: (count, octets) for identity, count, octets in rows}

    def contents_after(self, number: int, limit: int) -> list[NumberedContent]:
        """Return the contents with greater numbers, in their order."""
        return self._contents("c.id > ? order by c.id limit ?", number, limit)

    def count_contents_after(self, number: int, most: int) -> int:
        """Count the contents with greater numbers, up to ``most``."""
        with self._connection.reading() as sql:
            statement = "select count(*) from (select 1 from contents where id > ? limit ?) as found"
            return int(sql.execute(statement, (number, most)).fetchone()[0])

    def contents_numbered(self, numbers: Sequence[int]) -> list[NumberedContent]:
        """Return the contents with these numbers, in their order."""
        marks = ", ".join("?" * len(numbers))
        return self._contents(f"c.id in ({marks}) order by c.id", *numbers)

    def contents_like(self, first: bytes, last: bytes, limit: int = 10) -> list[NumberedContent]:
        """Return contents whose digests lie between two, both included."""
        return self._contents("c.digest between ? and ? order by c.digest limit ?", first, last, limit)

    def _contents(self, condition: str, *values: int | bytes) -> list[NumberedContent]:
        has_copy = "exists (select 1 from copies k where k.content_id = c.id and k.state != 'intended')"
        with self._connection.reading() as sql:
            rows = sql.execute(f"select c.id, c.digest, c.octets, {has_copy} from contents c where {condition}", values)
            return [NumberedContent(number, digest, octets, bool(exists)) for number, digest, octets, exists in rows]

    def copied_since(self, moment: float) -> Iterator[list[Copied]]:
        """Yield what was copied from maildrops at or after a moment, in parts of one account; memory stays flat."""
        with self._connection.reading() as sql:
            maildrops = sql.execute("select id, account from maildrops order by id").fetchall()
        for maildrop, account in maildrops:
            last = (moment, 0)
            while part := self._copied_from(maildrop, last):
                yield [Copied(digest, account, copied_at) for _, digest, copied_at in part]
                last = (part[-1][2], part[-1][0])

    def _copied_from(self, maildrop: int, last: tuple[float, int]) -> list[tuple[int, Digest, float]]:
        with self._connection.reading() as sql:
            return sql.execute(
                "select m.id, c.digest, m.copied_at from messages m join contents c on c.id = m.content_id"
                " where m.maildrop_id = ? and m.copied_at is not null and (m.copied_at, m.id) > (?, ?)"
                " order by m.copied_at, m.id limit ?",
                (maildrop, *last, _PART),
            ).fetchall()

    def count_copied_after(self, moment: float, most: int) -> int:
        """Count what was copied from maildrops after a moment, up to ``most``."""
        with self._connection.reading() as sql:
            (count,) = sql.execute(
                "select count(*) from (select 1 from maildrops d cross join messages m on m.maildrop_id = d.id"
                " and m.copied_at is not null and m.copied_at > ? limit ?) as found",
                (moment, most),
            ).fetchone()
        return int(count)

    def sightings(self, digests: Sequence[Digest]) -> Iterator[Sighting]:
        """Yield every sighting of these contents."""
        for start in range(0, len(digests), _CHUNK):
            part = digests[start : start + _CHUNK]
            marks = ", ".join("?" * len(part))
            with self._connection.reading() as sql:
                rows = sql.execute(
                    "select c.digest, d.account, m.unique_id from contents c join messages m on m.content_id = c.id"
                    f" join maildrops d on d.id = m.maildrop_id where c.digest in ({marks}) order by m.id",
                    part,
                ).fetchall()
            yield from (Sighting(*row) for row in rows)

    def origins(self, digest: Digest) -> list[Origin]:
        """Return every message that a source showed with this content, in the order in which they were seen."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select d.account, d.host, d.username, m.unique_id, m.first_seen, m.copied_at, m.gone_at"
                " from contents c join messages m on m.content_id = c.id join maildrops d on d.id = m.maildrop_id"
                " where c.digest = ? order by m.id",
                (digest,),
            ).fetchall()
        return [Origin(*row) for row in rows]

    def owners(self, digests: Sequence[Digest]) -> dict[Digest, list[str]]:
        """Return the accounts that each of these contents was seen by, in the order in which they saw it."""
        found: dict[Digest, dict[str, None]] = {}
        for sighting in self.sightings(digests):
            found.setdefault(sighting.digest, {})[sighting.account] = None
        return {digest: list(accounts) for digest, accounts in found.items()}

    def message_ids(self, digests: Sequence[Digest]) -> dict[Digest, bytes]:
        """Return the Message-ID of each of these contents, ``b""`` for those without one."""
        found: dict[Digest, bytes] = {}
        for start in range(0, len(digests), _CHUNK):
            part = digests[start : start + _CHUNK]
            marks = ", ".join("?" * len(part))
            with self._connection.reading() as sql:
                found |= dict(
                    sql.execute(f"select digest, message_id from contents where digest in ({marks})", part).fetchall()
                )
        return found

    def has_doubtful(self) -> bool:
        """Say whether any copy was altered, or is gone, in whatever destination."""
        with self._connection.reading() as sql:
            any_doubtful = f"select exists (select 1 from copies where {IN_DOUBT} and state != 'damaged')"
            return bool(sql.execute(any_doubtful).fetchone()[0])

    def doubtful(self, account: str, identities: Sequence[str]) -> list[DoubtfulMessage]:
        """Return the messages of an account whose copy in one of these destinations was altered, or is gone.

        Of a content that the source does not list any more, the message that was seen last stands for all.
        """
        is_newer = "n.content_id = m.content_id and e.account = d.account and (n.gone_at is null or n.id > m.id)"
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select m.id, m.unique_id, m.announced, c.digest, t.identity, k.state, k.proof, k.reason, m.first_seen,"
                " m.gone_at is null from destinations t cross join copies k on k.destination_id = t.id"
                f" and (k.state = 'gone' or k.state = 'unproven') and {IN_DOUBT.replace('state', 'k.state')}"
                " join contents c on c.id = k.content_id join messages m on m.content_id = c.id"
                " join maildrops d on d.id = m.maildrop_id"
                " where t.identity in (select value from json_each(?, '$')) and d.account = ? and (m.gone_at is null"
                f" or not exists (select 1 from messages n join maildrops e on e.id = n.maildrop_id where {is_newer}))"
                " order by m.id",
                (json.dumps(identities), account),
            )
            return [
                DoubtfulMessage(
                    row, uid, octets, digest, place, CopyState(state), Proof(proof), reason, copied_at, bool(is_listed)
                )
                for row, uid, octets, digest, place, state, proof, reason, copied_at, is_listed in rows
            ]

    def sharing_unique_id(self, row: MessageRow) -> list[Digest]:
        """Return what was retrieved from the maildrop of a message under the message's unique-id."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select distinct c.digest from messages m join messages s on s.maildrop_id = m.maildrop_id"
                " and s.unique_id = m.unique_id and s.is_retrieved = 1 and (s.id = m.id or m.unique_id != x'')"
                " join contents c on c.id = s.content_id where m.id = ? order by c.digest",
                (row,),
            ).fetchall()
        return [digest for (digest,) in rows]

    def accept_doubtful(self, message: DoubtfulMessage, now: float) -> None:
        """Note that a person accepts how a copy of this message stands."""
        kind = Kind.UNPROVEN if message.state is CopyState.UNPROVEN else Kind.MISMATCH
        with self._connection.transaction() as sql:
            sql.execute(
                "insert into problems (message_id, kind, text, destination, attempts, first_at, last_at, accepted_at)"
                " values (?1, ?2, ?3, ?4, 1, ?5, ?5, ?5) on conflict (message_id) do update set accepted_at = ?5",
                (message.row, kind, message.reason, message.destination, now),
            )
            message_decided(sql, message.row)
            numbers_changed_by(sql, [message.row])

    def accepted(self, digests: Sequence[Digest], accounts: Sequence[str]) -> set[Digest]:
        """Return those of these contents whose messages a person has accepted as they are, in one of these accounts."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                f"select c.digest from {THE_CONTENTS} where exists (select 1 from messages m join problems p"
                " on p.message_id = m.id join maildrops d on d.id = m.maildrop_id where m.content_id = c.id"
                " and p.accepted_at is not null and d.account in (select value from json_each(?, '$')))",
                (*places(digests), json.dumps(accounts)),
            )
            return {digest for (digest,) in rows}

    def relearning(self, destination_id: int) -> Relearning:
        """Begin to gather what is found in a folder, by which the ledger is to be corrected."""
        return Relearning(self._connection, destination_id)

    def lost_for_good(self, destination_id: int) -> None:
        """Note that nothing of a folder is there any more, and that a person wants what stood in it stored again."""
        with self._connection.transaction(is_long=True) as sql:
            sql.execute(
                "update copies set state = case when base_name is null then 'damaged' else 'gone' end, proof = 'none',"
                " reason = 'the whole archive is gone' where destination_id = ? and state != 'intended'",
                (destination_id,),
            )
            # A Maildir has no volumes, but one record of when it was last looked at.
            sql.execute(
                "delete from volumes where destination_id = ?1 and"
                " (select kind from destinations where id = ?1) = 'maildir'",
                (destination_id,),
            )
            sql.execute(
                "update volumes set state = 'changed', problem = name || ' is missing', changed_stamp = ?"
                " where destination_id = ?",
                (MISSING, destination_id),
            )
            destination_worth_less(sql, destination_id)

    def forget_volume(self, destination_id: int, name: str) -> None:
        """Forget a volume that is gone and in which nothing is known to stand any more."""
        mine = "(select id from volumes where destination_id = ? and name = ?)"
        with self._connection.transaction() as sql:
            if sql.execute(f"select 1 from copies where volume_id = {mine}", (destination_id, name)).fetchone() is None:
                sql.execute(f"delete from remains where volume_id = {mine}", (destination_id, name))
                sql.execute("delete from volumes where destination_id = ? and name = ?", (destination_id, name))
