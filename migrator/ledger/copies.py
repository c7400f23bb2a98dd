"""What the ledger knows of a destination: the copies in it, and what was about to be stored.

A copy is content x destination; there is at most one row for it, whatever happens. Every method is one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import count, islice
from typing import NamedTuple

from migrator.copy_records import (
    MISSING,
    Anchor,
    Found,
    Intended,
    Intent,
    Recollection,
    VolumeRecord,
)
from migrator.lazy_dataclasses import asdict, replace
from migrator.ledger.acceptance import accepted_copies
from migrator.ledger.allowances import SharedAllowances
from migrator.ledger.contents import THE_CONTENTS, note_contents, number_contents, places
from migrator.ledger.copy_rows import (
    COPIES_OF_THE_CONTENTS,
    COPY,
    DESTINATIONS_OF_THE_CONTENTS,
    IN_DOUBT,
    PLACE_COLUMNS,
    anchor_of,
    place_of,
    stored_copy,
)
from migrator.ledger.database import Opener, Sql
from migrator.ledger.lease import Lease
from migrator.ledger.noting import note_intended, note_stored
from migrator.ledger.remains import note_relocated, note_replaced, without_remains
from migrator.ledger.settled import copies_worth_less, destination_worth_less
from migrator.ledger.volume_comparison import Compared
from migrator.ledger.volumes import VolumesLedger
from migrator.message.body import Message
from migrator.model import CopyState, Digest, ImapLocator, Locator, Proof, StoredCopy

_CHUNK = 2_000

_GRADES = {proof: grade for grade, proof in enumerate((Proof.EXACT, Proof.CANONICAL, Proof.SEMANTIC, Proof.NONE))}


class Judged(NamedTuple):
    """The outcome of reading a copy back: what it is worth now, how well it is proven, and what differs if anything."""

    copy_id: int
    state: CopyState
    proof: Proof
    reason: str = ""


class CopiesLedger(VolumesLedger):
    """One destination, shared by every account that writes there."""

    def opener(self) -> Opener:
        """Return what opens the same ledger in another process."""
        return self._connection.opener()

    @property
    def lease(self) -> Lease:
        """All that is owned through this ledger."""
        return self._connection.lease

    def owning(self, identity: str, patience: float) -> AbstractContextManager[None]:
        """Own the destination as the only one on any machine; see ``Ledger.owning``."""
        return self._connection.owning(f"destination {identity}", patience)

    def shared_allowances(self) -> SharedAllowances | None:
        """Return what all machines know of upload allowances; None where there is one machine, which has files."""
        return None

    def recollection(self) -> Recollection:
        """Return what a destination needs to know to find what happened since."""
        with self._connection.reading() as sql:
            return Recollection(tuple(self._volumes(sql)), tuple(self._intents(sql)), self)

    def before_storing(self, digests: Sequence[Digest]) -> tuple[Recollection, dict[Digest, StoredCopy]]:
        """Return ``recollection``, and what ``find`` finds of these contents: one question before each batch."""
        return self.recollection(), self.find(digests)

    def _intents(self, sql: Sql) -> Iterator[Intent]:
        rows = sql.execute(
            "select id, anchor from intents where destination_id = ? order by id", (self.destination_id,)
        ).fetchall()
        for intent_id, anchor in rows:
            messages = sql.execute(
                "select c.digest, c.octets, coalesce(k.recognition, x'') from copies k"
                " join contents c on c.id = k.content_id where k.intent_id = ? and k.state = 'intended' order by k.id",
                (intent_id,),
            )
            yield Intent(anchor_of(anchor), tuple(Intended(*row) for row in messages))

    def find(self, digests: Sequence[Digest]) -> dict[Digest, StoredCopy]:
        """Return the copies that are known of these contents; INTENDED ones cannot be trusted and are left out."""
        with self._connection.reading() as sql:
            rows = sql.execute(COPIES_OF_THE_CONTENTS, (*places(digests), self.destination_id))
            return {copy.digest: copy for copy in map(stored_copy, rows)}

    def everywhere(self, digests: Sequence[Digest]) -> dict[int, set[Digest]]:
        """Return which of these contents each destination of the ledger has, by its number: this one's, and others'.

        As in ``find``, INTENDED copies are left out. One question for all destinations: an office has hundreds.
        """
        found: dict[int, set[Digest]] = {}
        with self._connection.reading() as sql:
            for destination, digest in sql.execute(DESTINATIONS_OF_THE_CONTENTS, places(digests)):
                found.setdefault(destination, set()).add(digest)
        return found

    def intended(self, anchor: Anchor, messages: Sequence[tuple[Message, bytes]], now: float) -> dict[Digest, int]:
        """Make it durable that these messages are about to be stored from ``anchor`` on; returns the copies' numbers.

        Each message comes with what recovery will recognise it by. None of them may have a copy here already, but for
        one that is GONE, in whose place the new one comes, or DAMAGED, which is that again should nothing be stored.
        """
        text = json.dumps({"type": type(anchor).__name__, **asdict(anchor)})
        with self._connection.transaction() as sql:
            digests = [message.digest for message, _ in messages]
            self._forget_gone(sql, digests)
            replaced = self._damaged(sql, digests)
            (intent_id,) = sql.execute(
                "insert into intents (destination_id, anchor, begun_at) values (?, ?, ?) returning id",
                (self.destination_id, text, now),
            ).fetchone()
            fresh = [message for message in messages if message[0].digest not in replaced] if replaced else messages
            contents = number_contents(sql, [message for message, _ in fresh])
            (last,) = sql.execute("select coalesce(max(id), 0) from copies").fetchone()
            signs = [sign for _, sign in fresh]
            note_intended(sql, (self.destination_id, intent_id), last + 1, contents, signs)
            sql.executemany(
                "update copies set state = 'intended', intent_id = ?,"
                " recognition = coalesce(nullif(?, x''), recognition) where id = ?",
                [(intent_id, sign, replaced[m.digest]) for m, sign in messages if m.digest in replaced],
            )
            numbers = zip(
                (message.digest for message, _ in fresh) if replaced else digests, count(last + 1), strict=False
            )
            return replaced | dict(numbers)

    def _forget_gone(self, sql: Sql, digests: Sequence[Digest]) -> None:
        gone = f"from copies where destination_id = ? and state = 'gone' and {IN_DOUBT}"
        if sql.execute(f"select 1 {gone} limit 1", (self.destination_id,)).fetchone():
            sql.executemany(
                f"delete {gone} and content_id = (select id from contents where digest = ?)",
                [(self.destination_id, digest) for digest in digests],
            )

    def _damaged(self, sql: Sql, digests: Sequence[Digest]) -> dict[Digest, int]:
        """Return the numbers of the copies of these contents that are DAMAGED."""
        any_damaged = f"select 1 from copies where destination_id = ? and state = 'damaged' and {IN_DOUBT} limit 1"
        if sql.execute(any_damaged, (self.destination_id,)).fetchone() is None:
            return {}
        rows = sql.execute(
            f"select c.digest, k.id from {THE_CONTENTS} join copies k on k.content_id = c.id"
            " where k.destination_id = ? and k.state = 'damaged'",
            (*places(digests), self.destination_id),
        )
        return dict(rows.fetchall())

    def stored(self, copies: Sequence[tuple[int, Locator]], volumes: Iterable[VolumeRecord]) -> None:
        """Note where copies stand, and the archive's new end; what else was intended here was not stored."""
        with self._connection.transaction() as sql:
            self._note_volumes(sql, volumes)
            volume_ids = self._volume_ids(sql)
            note_replaced(sql, [copy_id for copy_id, _ in copies])
            note_stored(sql, copies, volume_ids)
            self._drop_intents(sql)

    def judged(self, copies: Sequence[Judged], now: float) -> None:
        """Note the outcome of reading back."""
        with self._connection.transaction() as sql:
            for (state, proof, reason), copy_ids in by_verdict(copies).items():
                is_proven = state is CopyState.VERIFIED
                sql.execute(
                    "update copies set state = ?, proof = ?, reason = ?,"
                    " verified_at = case when ? then ? else verified_at end"
                    " where id in (select value from json_each(?))",
                    (state, proof, reason, is_proven, now, json.dumps(copy_ids)),
                )
                if not is_proven:
                    copies_worth_less(sql, copy_ids)

    def confirmed(self, copy_ids: Sequence[int], now: float) -> None:
        """Note that copies which were proven were read again, and are what they were."""
        with self._connection.transaction() as sql:
            sql.execute(
                "update copies set verified_at = ? where id in (select value from json_each(?)) and state = 'verified'",
                (now, json.dumps(copy_ids)),
            )

    def never_there(self, copy_ids: Sequence[int]) -> None:
        """Forget copies that were said to be stored and that nothing ever showed, so that they are stored again."""
        if copy_ids:
            with self._connection.transaction() as sql:
                sql.execute("delete from copies where id in (select value from json_each(?))", (json.dumps(copy_ids),))

    def proven_places(self) -> list[Locator]:
        """Return where all copies stand that were proven and not found otherwise since."""
        return [copy.locator for copy in self._some_copies("k.state = 'verified'") if copy.locator is not None]

    def to_be_read_back(self) -> list[StoredCopy]:
        """Return the copies that stand here as far as is known and were never judged, in archive order."""
        return self._some_copies("k.state = 'stored'")

    def stored_in_vain(self, digests: Sequence[Digest]) -> set[Digest]:
        """Return those of these contents whose copies were stored again before, and have not been proven since."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                f"select c.digest from {THE_CONTENTS} join copies k on k.content_id = c.id and k.destination_id = ?"
                " where k.verified_at is null and exists (select 1 from remains r"
                "  where r.destination_id = k.destination_id and r.content_id = k.content_id)",
                (*places(digests), self.destination_id),
            )
            return {digest for (digest,) in rows}

    def in_doubt(self, state: CopyState) -> list[StoredCopy]:
        """Return the copies that are UNPROVEN, DAMAGED or GONE, in archive order."""
        return self._some_copies(f"k.state = '{state}' and {IN_DOUBT.replace('state', 'k.state')}")

    def accepted(self, *states: CopyState) -> set[int]:
        """Return the numbers of the copies in these states, of any destination, that a person accepted as they are."""
        with self._connection.reading() as sql:
            return {copy_id for state in states for copy_id in accepted_copies(sql, state)}

    def numbered(self, copy_ids: Sequence[int]) -> list[StoredCopy]:
        """Return the copies of these numbers, in archive order."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                f"{COPY} where k.id in (select value from json_each(?)) order by v.name, k.offset, k.id",
                (json.dumps(copy_ids),),
            )
            return [stored_copy(row) for row in rows]

    def _some_copies(self, condition: str) -> list[StoredCopy]:
        with self._connection.reading() as sql:
            rows = sql.execute(
                f"{COPY} where k.destination_id = ? and {condition} order by v.name, k.offset, k.id",
                (self.destination_id,),
            )
            return [stored_copy(row) for row in rows]

    def found(self, copies: Iterable[Found], volumes: Iterable[VolumeRecord]) -> None:
        """Adopt whole messages that stand in the destination (STORED: still to be proven), and the volumes' ends.

        One that was found in another place than a DAMAGED or GONE copy of it, or than one in a volume that is missing,
        stands in for that from now on. What a damaged record has become is no message, once its message stands
        elsewhere.
        """
        with self._connection.transaction() as sql:
            self._note_volumes(sql, volumes)
            volume_ids = self._volume_ids(sql)
            remaining = iter(copies)
            while chunk := list(islice(remaining, _CHUNK)):
                chunk = without_remains(sql, self.destination_id, chunk)
                note_relocated(sql, self.destination_id, chunk)
                self._note_contents(sql, ((f.digest, f.header_digest, f.octets, f.message_id) for f in chunk))
                for kind, names in PLACE_COLUMNS.items():
                    sql.executemany(
                        f"insert into copies (destination_id, content_id, state, {', '.join(names)})"
                        f" select ?, id, 'stored', {', '.join('?' * len(names))} from contents"
                        " where digest = ? and true on conflict (destination_id, content_id) do update set"
                        f" {', '.join(f'{column} = excluded.{column}' for column in names)}, state = 'stored'"
                        " where copies.state = 'intended' or copies.state = 'damaged' or copies.state = 'gone'"
                        " or copies.uid_validity != excluded.uid_validity or exists (select 1 from volumes"
                        f" where id = copies.volume_id and changed_stamp = '{MISSING}')",
                        [
                            (self.destination_id, *place_of(f.locator, volume_ids), f.digest)
                            for f in chunk
                            if isinstance(f.locator, kind)
                        ],
                    )
                self.forget_strangers(sql, [f.locator.uid for f in chunk if isinstance(f.locator, ImapLocator)])

    def _note_contents(self, sql: Sql, contents: Iterable[tuple[Digest, bytes, int, bytes]]) -> None:
        note_contents(sql, contents)

    def intents_resolved(self) -> None:
        """Note that recovery has looked: what was intended and is not found is not there."""
        with self._connection.transaction() as sql:
            self._drop_intents(sql)

    def _drop_intents(self, sql: Sql) -> None:
        mine = "(select id from intents where destination_id = ?)"
        is_nowhere = "coalesce(volume_id, base_name, uid) is null"
        intended = f"intent_id in {mine} and state = 'intended'"
        sql.execute(f"delete from copies where {intended} and {is_nowhere}", (self.destination_id,))
        sql.execute(f"update copies set state = 'damaged' where {intended}", (self.destination_id,))
        sql.execute(
            f"update copies set intent_id = null, recognition = null where intent_id in {mine}", (self.destination_id,)
        )
        sql.execute("delete from intents where destination_id = ?", (self.destination_id,))

    def volume_accepted(self, record: VolumeRecord, found: Iterable[Found] = ()) -> None:
        """Note that a volume is right as it stands now, with what was found in it."""
        self.found(found, [record])

    def copies_known(self) -> int:
        """Return how many copies are known to stand here, whatever they were last found to be worth."""
        with self._connection.reading() as sql:
            (count,) = sql.execute(
                "select count(*) from copies where destination_id = ? and state != 'intended' and state != 'gone'",
                (self.destination_id,),
            ).fetchone()
        return int(count)

    def base_names(self) -> Iterator[str]:
        """Yield the base names under which copies are known to stand in a Maildir."""
        last = ""
        while True:
            with self._connection.reading() as sql:
                rows = sql.execute(
                    "select base_name from copies where destination_id = ? and base_name > ? and state != 'gone'"
                    " order by base_name limit ?",
                    (self.destination_id, last, 50_000),
                ).fetchall()
            if not rows:
                return
            yield from (name for (name,) in rows)
            (last,) = rows[-1]

    def vanished(self, base_names: Sequence[str], reason: str) -> None:
        """Note that messages of a Maildir are there no more: GONE."""
        with self._connection.transaction() as sql:
            sql.executemany(
                "update copies set state = 'gone', proof = 'none', reason = ?"
                " where destination_id = ? and base_name = ? and state != 'gone'",
                [(reason, self.destination_id, name) for name in base_names],
            )
            destination_worth_less(sql, self.destination_id)

    def damaged_to_be_read_again(self) -> list[StoredCopy]:
        """Return the DAMAGED copies, in archive order; a changed volume is read as a whole when it looks otherwise."""
        return self._some_copies(
            f"k.state = 'damaged' and {IN_DOUBT.replace('state', 'k.state')} and v.state is not 'changed'"
        )

    def volume_reread(self, record: VolumeRecord, compared: Compared, problem: str) -> None:
        """Note what a volume holds that is not as it was known: CHANGED, with every copy where it stands now.

        Its stamp of when it was right is forgotten: it does not describe any more what is known of it.
        """
        with self._connection.transaction() as sql:
            self.volume_changed(replace(record, changed_stamp=record.stamp), problem)
            sql.execute(
                "update volumes set stamp = '' where destination_id = ? and name = ?",
                (self.destination_id, record.name),
            )
            self._place_again(sql, [*compared.moved, *compared.healed])
            self.found(compared.strangers, [])
            sql.executemany(
                "update copies set state = 'damaged', proof = 'none', reason = ? where id = ?",
                [(f"{record.name} no longer holds it", copy.copy_id) for copy in compared.lost],
            )

    def _place_again(self, sql: Sql, found: Iterable[Found]) -> None:
        volume_ids = self._volume_ids(sql)
        sql.executemany(
            "update copies set volume_id = ?, offset = ?, length = ?, frame_crc = ?, state = 'stored'"
            " where destination_id = ? and content_id = (select id from contents where digest = ?)",
            [(*place_of(one.locator, volume_ids), self.destination_id, one.digest) for one in found],
        )


def by_verdict(copies: Sequence[Judged]) -> dict[tuple[CopyState, Proof, str], list[int]]:
    """Group copies by what is said of them, which is mostly the same of all."""
    groups: dict[tuple[CopyState, Proof, str], list[int]] = {}
    for copy in copies:
        groups.setdefault((copy.state, copy.proof, copy.reason), []).append(copy.copy_id)
    return groups


def reaches(proof: Proof, required: Proof) -> bool:
    """Say whether a proof is at least as good as the one required."""
    return proof is not Proof.NONE and _GRADES[proof] <= _GRADES[required]
