"""What the ledger knows of contents, of whatever account and in whatever place: the view of search, export and verify.

Whose a message is follows from what maildrops showed; a message that came otherwise (imported, appended by another
program, or found by ``rebuild-ledger``) was seen by nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from migrator.copy_records import MISSING
from migrator.ledger.connection import Connection
from migrator.ledger.contents import THE_CONTENTS, places
from migrator.ledger.copy_rows import IN_DOUBT
from migrator.ledger.relearning import Relearning
from migrator.model import Digest, MessageRow, UniqueId

_CHUNK = 500


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
class TakenOut:
    """A message at a source of which a person took the copy out of a destination (named by its identity)."""

    row: MessageRow
    unique_id: UniqueId
    octets: int
    digest: Digest
    destination: str
    reason: str
    copied_at: float | None


class ArchiveLedger:
    """Contents of all destinations and accounts."""

    def __init__(self, connection: Connection) -> None:
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

    def holdings(self) -> dict[str, tuple[int, int]]:
        """Return how many proven copies each destination holds, and their octets, by identity."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select d.identity, count(*), sum(c.octets) from copies k"
                " join destinations d on d.id = k.destination_id join contents c on c.id = k.content_id"
                " where k.state = 'verified' group by d.id"
            ).fetchall()
        return {identity: (count, octets) for identity, count, octets in rows}

    def contents_after(self, number: int, limit: int) -> list[NumberedContent]:
        """Return the contents with greater numbers, in their order."""
        return self._contents("c.id > ? order by c.id limit ?", number, limit)

    def contents_numbered(self, numbers: Sequence[int]) -> list[NumberedContent]:
        """Return the contents with these numbers, in their order."""
        marks = ", ".join("?" * len(numbers))
        return self._contents(f"c.id in ({marks}) order by c.id", *numbers)

    def contents_like(self, first: bytes, last: bytes, limit: int = 10) -> list[NumberedContent]:
        """Return contents whose digests lie between two, both included."""
        return self._contents("c.digest between ? and ? order by c.digest limit ?", first, last, limit)

    def _contents(self, condition: str, *values: int | bytes) -> list[NumberedContent]:
        # Copies are indexed by destination first: CROSS JOIN has SQLite go through those few, not through all copies.
        has_copy = (
            "exists (select 1 from destinations t cross join copies k on k.destination_id = t.id"
            " and k.content_id = c.id where k.state != 'intended')"
        )
        with self._connection.reading() as sql:
            rows = sql.execute(f"select c.id, c.digest, c.octets, {has_copy} from contents c where {condition}", values)
            return [NumberedContent(number, digest, octets, bool(exists)) for number, digest, octets, exists in rows]

    def sightings_since(self, moment: float) -> tuple[list[tuple[Digest, str]], float]:
        """Return whose contents were copied from a maildrop at or after a moment, and when the last one was."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select c.digest, d.account, m.copied_at from messages m join contents c on c.id = m.content_id"
                " join maildrops d on d.id = m.maildrop_id where m.copied_at >= ?",
                (moment,),
            ).fetchall()
        return [(digest, account) for digest, account, _ in rows], max((row[2] for row in rows), default=moment)

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

    def taken_out(self, account: str, identities: Sequence[str]) -> list[TakenOut]:
        """Return the messages at an account's source of which a copy is gone from one of these destinations."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select m.id, m.unique_id, m.announced, c.digest, t.identity, k.reason, m.copied_at"
                " from destinations t cross join copies k on k.destination_id = t.id and k.state = 'gone'"
                f" and {IN_DOUBT.replace('state', 'k.state')} join contents c on c.id = k.content_id"
                " join messages m on m.content_id = c.id and m.gone_at is null join maildrops d on d.id = m.maildrop_id"
                " where t.identity in (select value from json_each(?)) and d.account = ? order by m.id",
                (json.dumps(identities), account),
            )
            return [TakenOut(*row) for row in rows]

    def accept_taken_out(self, message: TakenOut, now: float) -> None:
        """Note that a person accepts that a copy of this message is gone."""
        with self._connection.transaction() as sql:
            sql.execute(
                "insert into problems (message_id, kind, text, destination, attempts, first_at, last_at, accepted_at)"
                " values (?1, 'mismatch', ?2, ?3, 1, ?4, ?4, ?4) on conflict do update set accepted_at = ?4",
                (message.row, message.reason, message.destination, now),
            )

    def accepted(self, digests: Sequence[Digest], accounts: Sequence[str]) -> set[Digest]:
        """Return those of these contents whose messages a person has accepted as they are, in one of these accounts."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                f"select c.digest from {THE_CONTENTS} where exists (select 1 from messages m join problems p"
                " on p.message_id = m.id join maildrops d on d.id = m.maildrop_id where m.content_id = c.id"
                " and p.accepted_at is not null and d.account in (select value from json_each(?)))",
                (*places(digests), json.dumps(accounts)),
            )
            return {digest for (digest,) in rows}

    def relearning(self, destination_id: int) -> Relearning:
        """Begin to gather what is found in a folder, by which the ledger is to be corrected."""
        return Relearning(self._connection, destination_id)

    def lost_for_good(self, destination_id: int) -> None:
        """Note that nothing of a folder is there any more, and that a person wants what stood in it stored again."""
        with self._connection.transaction() as sql:
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
            sql.execute("update maildrops set settled_key = null")

    def forget_volume(self, destination_id: int, name: str) -> None:
        """Forget a volume that is gone and in which nothing is known to stand any more."""
        mine = "(select id from volumes where destination_id = ? and name = ?)"
        with self._connection.transaction() as sql:
            if sql.execute(f"select 1 from copies where volume_id = {mine}", (destination_id, name)).fetchone() is None:
                sql.execute(f"delete from remains where volume_id = {mine}", (destination_id, name))
                sql.execute("delete from volumes where destination_id = ? and name = ?", (destination_id, name))
