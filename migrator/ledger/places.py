"""What the ledger knows of a place beyond its copies: how far a mailbox was looked through, and the strangers in it.

It is what destinations know as ``KnownPlaces``. Every method is one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence

from migrator.copy_records import Lost, Moved, Relocated, Stranger
from migrator.ledger.database import Database, Sql
from migrator.ledger.settled import destination_worth_less
from migrator.model import CopyState, ImapLocator, Proof

_AT_ONCE = 2_000


class PlacesLedger:
    """One destination, shared by every account that writes there."""

    def __init__(self, connection: Database, destination_id: int) -> None:
        """Stand for a destination that the ledger has given a number."""
        self._connection = connection
        self.destination_id = destination_id

    def unknown_names(self, base_names: Sequence[str]) -> list[str]:
        """Return those of a Maildir's base names under which no copy is known to stand, in order."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select value from json_each(?, '$') where not exists (select 1 from copies"
                " where destination_id = ? and base_name = value and state != 'gone')",
                (json.dumps(base_names), self.destination_id),
            )
            return [name for (name,) in rows]

    def seen_up_to(self, uid_validity: int) -> int:
        """Return the UID from which on a mailbox was not looked at yet; 1 under a UIDVALIDITY that is new here.

        Copies of our own that follow without a gap need no look.
        """
        with self._connection.reading() as sql:
            row = sql.execute(
                "select uid_next from destinations where id = ? and uid_validity = ?",
                (self.destination_id, uid_validity),
            ).fetchone()
            first: int = row[0] if row else 1
            count, last = sql.execute(
                "select count(*), max(uid) from copies where destination_id = ? and uid_validity = ? and uid >= ?",
                (self.destination_id, uid_validity, first),
            ).fetchone()
        return last + 1 if count and last - first + 1 == count else first

    def seen(self, uid_validity: int, uid_next: int, strangers: Iterable[Stranger]) -> None:
        """Remember what stands in a mailbox below ``uid_next``; what is known as a copy is left out.

        Under a new UIDVALIDITY all that was remembered before is forgotten first.
        """
        with self._connection.transaction() as sql:
            sql.execute(
                "delete from strangers where destination_id = ?1 and not exists"
                " (select 1 from destinations where id = ?1 and uid_validity = ?2)",
                (self.destination_id, uid_validity),
            )
            sql.executemany(
                "insert into strangers (destination_id, uid, octets, message_id) select ?1, ?2, ?3, ?4"
                " where not exists (select 1 from copies where destination_id = ?1 and uid_validity = ?5 and uid = ?2)"
                " on conflict (destination_id, uid) do update set octets = excluded.octets,"
                " message_id = excluded.message_id",
                ((self.destination_id, one.uid, one.octets, one.message_id, uid_validity) for one in strangers),
            )
            sql.execute(
                "update destinations set uid_validity = ?, uid_next = ? where id = ?",
                (uid_validity, uid_next, self.destination_id),
            )

    def strangers(self, message_ids: Collection[bytes], sizes: Collection[tuple[int, int]]) -> list[Stranger]:
        """Return the remembered strangers with one of these Message-ID keys, and of those without one some by size.

        ``sizes`` are ranges, their ends included. A stranger comes once.
        """
        mine = "select uid, octets, message_id from strangers where destination_id = ?"
        with self._connection.reading() as sql:
            if not sql.execute(f"{mine} limit 1", (self.destination_id,)).fetchone():
                return []
            rows = {
                row: None
                for key in message_ids
                if key
                for row in sql.execute(f"{mine} and message_id = ?", (self.destination_id, key))
            } | {
                row: None
                for low, high in sizes
                for row in sql.execute(
                    f"{mine} and message_id = x'' and octets between ? and ?", (self.destination_id, low, high)
                )
            }
        return [Stranger(*row) for row in rows]

    def strangers_gone(self, uids: Sequence[int]) -> None:
        """Forget strangers that are not there any more."""
        with self._connection.transaction() as sql:
            self.forget_strangers(sql, uids)

    def forget_strangers(self, sql: Sql, uids: Iterable[int]) -> None:
        """Forget strangers, as a part of a transaction."""
        sql.executemany(
            "delete from strangers where destination_id = ? and uid = ?", [(self.destination_id, uid) for uid in uids]
        )

    def unknown_uids(self, uid_validity: int, uids: Sequence[int]) -> list[int]:
        """Return those of a mailbox's UIDs under which no copy is known, in order."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select value from json_each(?) where not exists (select 1 from copies"
                " where destination_id = ? and uid_validity = ? and uid = value)",
                (json.dumps(uids), self.destination_id, uid_validity),
            )
            return [uid for (uid,) in rows]

    def has_copies(self) -> bool:
        """Say whether any copy is known that nobody took out."""
        with self._connection.reading() as sql:
            known = "select 1 from copies where destination_id = ? and state != 'gone' and state != 'intended' limit 1"
            return sql.execute(known, (self.destination_id,)).fetchone() is not None

    def stand_under(self, uid_validity: int) -> bool:
        """Say whether copies are known to stand under this UIDVALIDITY."""
        with self._connection.reading() as sql:
            known = "select 1 from copies where destination_id = ? and uid_validity = ? limit 1"
            return sql.execute(known, (self.destination_id, uid_validity)).fetchone() is not None

    def uids(self, uid_validity: int, *, most: int = 0) -> list[int]:
        """Return the UIDs under which copies are known to stand; at ``most`` that many, spread over all."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select uid from (select uid, row_number() over (order by uid) as place, count(*) over () as known"
                " from copies where destination_id = ? and uid_validity = ? and state not in ('gone', 'intended'))"
                " as standing where ? = 0 or place % ((known + ? - 1) / ?) = 0",
                (self.destination_id, uid_validity, most, most, max(1, most)),
            )
            return [uid for (uid,) in rows]

    def moved(self, uid_validity: int) -> Iterator[Moved]:
        """Yield the copies, but for those that are GONE, whose place is of another UIDVALIDITY than this."""
        yield from self._moved("<", uid_validity)
        yield from self._moved(">", uid_validity)

    def _moved(self, side: str, uid_validity: int) -> Iterator[Moved]:
        last = (0, 0, 0)
        while True:
            with self._connection.reading() as sql:
                rows = sql.execute(
                    "select k.uid_validity, k.uid, k.id, c.digest, c.header_digest, c.message_id, c.octets, k.proof,"
                    " k.state from copies k join contents c on c.id = k.content_id where k.destination_id = ?"
                    f" and k.uid is not null and k.uid_validity {side} ? and (k.uid_validity, k.uid, k.id) > (?, ?, ?)"
                    " and k.state != 'gone' order by k.uid_validity, k.uid, k.id limit ?",
                    (self.destination_id, uid_validity, *last, _AT_ONCE),
                ).fetchall()
            if not rows:
                return
            for validity, uid, copy_id, digest, headers, message_id, octets, proof, state in rows:
                place = ImapLocator(validity, uid)
                yield Moved(copy_id, place, digest, headers, message_id, octets, Proof(proof), CopyState(state))
            last = rows[-1][:3]

    def relocated(self, copies: Sequence[Relocated]) -> None:
        """Note the new places of copies whose UIDVALIDITY had changed; they are worth what they were worth.

        A DAMAGED one that was found whole is STORED. A place at which another copy is known is not taken twice.
        """
        with self._connection.transaction() as sql:
            sql.executemany(
                "update copies set uid_validity = ?2, uid = ?3,"
                " state = case state when 'damaged' then 'stored' else state end"
                " where id = ?1 and uid_validity != ?2 and not exists"
                " (select 1 from copies where destination_id = ?4 and uid_validity = ?2 and uid = ?3)",
                [(copy_id, *locator, self.destination_id) for copy_id, locator in copies],
            )
            self.forget_strangers(sql, [locator.uid for _, locator in copies])

    def lost(self, copies: Sequence[Lost]) -> None:
        """Note that copies are GONE from their mailbox; what another run has found in it meanwhile is not."""
        with self._connection.transaction() as sql:
            sql.executemany(
                "update copies set state = 'gone', proof = 'none', reason = 'it is no longer in the mailbox'"
                " where id = ? and uid_validity = ? and uid = ?",
                [(copy_id, *locator) for copy_id, locator, _ in copies],
            )
            if copies:
                destination_worth_less(sql, self.destination_id)
