"""What the ledger knows of a destination: its volumes, the copies in it, and what was about to be stored.

A copy is content x destination; there is at most one row for it, whatever happens. Every method is one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from migrator.destinations import (
    Anchor,
    Found,
    ImapAnchor,
    Intended,
    Intent,
    MaildirAnchor,
    MboxAnchor,
    Recollection,
    VolumeRecord,
    VolumeState,
)
from migrator.ledger.connection import Connection
from migrator.ledger.contents import THE_CONTENTS, note_contents, number_contents, places
from migrator.model import (
    CopyState,
    Digest,
    ImapLocator,
    Locator,
    MaildirLocator,
    MboxLocator,
    Message,
    Proof,
    StoredCopy,
)

_CHUNK = 2_000

_COPY_COLUMNS = (
    "k.id, c.digest, c.octets, k.state, v.name, k.offset, k.length, k.frame_crc, k.base_name,"
    " k.uid_validity, k.uid, k.proof, k.reason, k.verified_at"
)
_COPY = (
    f"select {_COPY_COLUMNS} from copies k join contents c on c.id = k.content_id"
    " left join volumes v on v.id = k.volume_id"
)
_COPIES_OF_THE_CONTENTS = (
    f"select {_COPY_COLUMNS} from {THE_CONTENTS} cross join copies k on k.content_id = c.id"
    " left join volumes v on v.id = k.volume_id where k.destination_id = ? and k.state != 'intended'"
)

_PLACE: dict[type[Locator], tuple[str, ...]] = {
    MboxLocator: ("volume_id", "offset", "length", "frame_crc"),
    MaildirLocator: ("base_name",),
    ImapLocator: ("uid_validity", "uid"),
}
"""The columns that say where a copy stands; those of other kinds are null."""

_ANCHORS: dict[str, type[MboxAnchor | MaildirAnchor | ImapAnchor]] = {
    anchor.__name__: anchor for anchor in (MboxAnchor, MaildirAnchor, ImapAnchor)
}


class Judged(NamedTuple):
    """The outcome of reading a copy back: how well it is proven, and what differs if it is not equal."""

    copy_id: int
    proof: Proof
    reason: str = ""


class CopiesLedger:
    """One destination, shared by every account that writes there."""

    def __init__(self, connection: Connection, destination_id: int) -> None:
        """Stand for a destination that the ledger has given a number."""
        self._connection = connection
        self.destination_id = destination_id

    @property
    def ledger_path(self) -> Path:
        """Where the database is."""
        return self._connection.path

    def recollection(self) -> Recollection:
        """Return what a destination needs to know to find what happened since."""
        with self._connection.reading() as sql:
            return Recollection(tuple(self._volumes(sql)), tuple(self._intents(sql)))

    def _volumes(self, sql: sqlite3.Connection) -> Iterator[VolumeRecord]:
        rows = sql.execute(
            "select name, end_offset, tail_digest, stamp, state from volumes where destination_id = ? order by name",
            (self.destination_id,),
        )
        for name, end, tail, stamp, state in rows:
            yield VolumeRecord(name, end, tail, stamp, VolumeState(state))

    def _intents(self, sql: sqlite3.Connection) -> Iterator[Intent]:
        rows = sql.execute(
            "select id, anchor from intents where destination_id = ? order by id", (self.destination_id,)
        ).fetchall()
        for intent_id, anchor in rows:
            messages = sql.execute(
                "select c.digest, c.octets, coalesce(k.recognition, x'') from copies k"
                " join contents c on c.id = k.content_id where k.intent_id = ? and k.state = 'intended' order by k.id",
                (intent_id,),
            )
            yield Intent(_anchor(anchor), tuple(Intended(*row) for row in messages))

    def changed_volumes(self) -> list[tuple[str, str]]:
        """Return the volumes that are not as they were known, each with what is wrong."""
        with self._connection.reading() as sql:
            return sql.execute(
                "select name, problem from volumes where destination_id = ? and state = 'changed' order by name",
                (self.destination_id,),
            ).fetchall()

    def find(self, digests: Sequence[Digest]) -> dict[Digest, StoredCopy]:
        """Return the copies that are known of these contents; INTENDED ones cannot be trusted and are left out."""
        with self._connection.reading() as sql:
            rows = sql.execute(_COPIES_OF_THE_CONTENTS, (*places(digests), self.destination_id))
            return {copy.digest: copy for copy in map(_stored_copy, rows)}

    def intended(self, anchor: Anchor, messages: Sequence[tuple[Message, bytes]], now: float) -> dict[Digest, int]:
        """Make it durable that these messages are about to be stored from ``anchor`` on; returns the copies' numbers.

        Each message comes with what recovery will recognise it by. None of them may have a copy here already.
        """
        text = json.dumps({"type": type(anchor).__name__, **asdict(anchor)})
        with self._connection.transaction() as sql:
            intent_id = sql.execute(
                "insert into intents (destination_id, anchor, begun_at) values (?, ?, ?)",
                (self.destination_id, text, now),
            ).lastrowid
            contents = number_contents(sql, [(m.digest, m.header_digest, m.octets, m.message_id) for m, _ in messages])
            (last,) = sql.execute("select coalesce(max(id), 0) from copies").fetchone()
            sql.execute(
                "insert into copies (id, destination_id, content_id, state, intent_id)"
                " select ? + key, ?, value, 'intended', ? from json_each(?)",
                (last + 1, self.destination_id, intent_id, json.dumps(contents)),
            )
            sql.executemany(
                "update copies set recognition = ? where id = ?",
                [(sign, number) for number, (_, sign) in enumerate(messages, last + 1) if sign],
            )
            return {m.digest: number for number, (m, _) in enumerate(messages, last + 1)}

    def stored(self, copies: Sequence[tuple[int, Locator]], volumes: Iterable[VolumeRecord]) -> None:
        """Note where copies stand, and the archive's new end; what else was intended here was not stored."""
        with self._connection.transaction() as sql:
            self._note_volumes(sql, volumes)
            volume_ids = self._volume_ids(sql)
            for kind, columns in _PLACE.items():
                place = ", ".join(f"{column} = ?" for column in columns)
                sql.executemany(
                    f"update copies set {place}, intent_id = null, recognition = null, state = 'stored' where id = ?",
                    [(*_place(at, volume_ids), copy_id) for copy_id, at in copies if isinstance(at, kind)],
                )
            self._drop_intents(sql)

    def judged(self, copies: Sequence[Judged], required: Proof, now: float) -> None:
        """Note the outcome of reading back: VERIFIED where the proof reaches ``required``, else MISMATCH."""
        with self._connection.transaction() as sql:
            for (proof, reason), copy_ids in _by_verdict(copies).items():
                is_proven = reaches(proof, required)
                sql.execute(
                    "update copies set state = ?, proof = ?, reason = ?,"
                    " verified_at = case when ? then ? else verified_at end"
                    " where id in (select value from json_each(?))",
                    ("verified" if is_proven else "mismatch", proof, reason, is_proven, now, json.dumps(copy_ids)),
                )
                if not is_proven:
                    sql.execute("update maildrops set settled_key = null")

    def found(self, copies: Iterable[Found], volumes: Iterable[VolumeRecord]) -> None:
        """Adopt whole messages that stand in the destination (STORED: still to be proven), and the volumes' ends."""
        with self._connection.transaction() as sql:
            self._note_volumes(sql, volumes)
            volume_ids = self._volume_ids(sql)
            remaining = iter(copies)
            while chunk := list(islice(remaining, _CHUNK)):
                note_contents(sql, ((f.digest, f.header_digest, f.octets, f.message_id) for f in chunk))
                for kind, columns in _PLACE.items():
                    sql.executemany(
                        f"insert into copies (destination_id, content_id, state, {', '.join(columns)})"
                        f" select ?, id, 'stored', {', '.join('?' * len(columns))} from contents"
                        " where digest = ? and true on conflict do update set"
                        f" {', '.join(f'{column} = excluded.{column}' for column in columns)}, state = 'stored'"
                        " where copies.state = 'intended'",
                        [
                            (self.destination_id, *_place(f.locator, volume_ids), f.digest)
                            for f in chunk
                            if isinstance(f.locator, kind)
                        ],
                    )

    def intents_resolved(self) -> None:
        """Note that recovery has looked: what was intended and is not found is not there."""
        with self._connection.transaction() as sql:
            self._drop_intents(sql)

    def _drop_intents(self, sql: sqlite3.Connection) -> None:
        mine = "(select id from intents where destination_id = ?)"
        sql.execute(f"delete from copies where intent_id in {mine} and state = 'intended'", (self.destination_id,))
        sql.execute(f"update copies set intent_id = null where intent_id in {mine}", (self.destination_id,))
        sql.execute("delete from intents where destination_id = ?", (self.destination_id,))

    def volume_changed(self, record: VolumeRecord, problem: str) -> None:
        """Note that a volume is not as it was known; it is not written to until a person has looked."""
        with self._connection.transaction() as sql:
            sql.execute(
                "update volumes set state = 'changed', problem = ? where destination_id = ? and name = ?",
                (problem, self.destination_id, record.name),
            )
            sql.execute("update maildrops set settled_key = null")

    def volume_accepted(self, record: VolumeRecord) -> None:
        """Note that a volume is right as it stands now."""
        with self._connection.transaction() as sql:
            self._note_volumes(sql, [record])

    def copies_in(self, volume: str) -> list[StoredCopy]:
        """Return the copies that are known to stand in a volume, in their order."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                _COPY + " where k.destination_id = ? and v.name = ? and k.state != 'intended' order by k.offset",
                (self.destination_id, volume),
            )
            return [_stored_copy(row) for row in rows]

    def all_copies(self) -> Iterator[StoredCopy]:
        """Yield every copy in the destination, in the order in which they stand there; memory stays flat."""
        last: tuple[str, int, int] = ("", -1, -1)
        while True:
            with self._connection.reading() as sql:
                rows = sql.execute(
                    _COPY + " where k.destination_id = ? and k.state != 'intended'"
                    " and (coalesce(v.name, ''), coalesce(k.offset, 0), k.id) > (?, ?, ?)"
                    " order by coalesce(v.name, ''), coalesce(k.offset, 0), k.id limit ?",
                    (self.destination_id, *last, 50_000),
                ).fetchall()
            if not rows:
                return
            yield from (_stored_copy(row) for row in rows)
            last = (rows[-1][4] or "", rows[-1][5] or 0, rows[-1][0])

    def _note_volumes(self, sql: sqlite3.Connection, volumes: Iterable[VolumeRecord]) -> None:
        sql.executemany(
            "insert into volumes (destination_id, name, end_offset, tail_digest, stamp, state)"
            " values (?, ?, ?, ?, ?, ?)"
            " on conflict (destination_id, name) do update set end_offset = excluded.end_offset,"
            " tail_digest = excluded.tail_digest, stamp = excluded.stamp, state = excluded.state, problem = ''",
            [(self.destination_id, v.name, v.end, v.tail_digest, v.stamp, v.state) for v in volumes],
        )

    def _volume_ids(self, sql: sqlite3.Connection) -> dict[str, int]:
        rows = sql.execute("select name, id from volumes where destination_id = ?", (self.destination_id,))
        return dict(rows.fetchall())


def _by_verdict(copies: Sequence[Judged]) -> dict[tuple[Proof, str], list[int]]:
    """Group copies by what is said of them, which is mostly the same of all."""
    groups: dict[tuple[Proof, str], list[int]] = {}
    for copy in copies:
        groups.setdefault((copy.proof, copy.reason), []).append(copy.copy_id)
    return groups


def reaches(proof: Proof, required: Proof) -> bool:
    """Say whether a proof is at least as good as the one required."""
    order = (Proof.EXACT, Proof.CANONICAL, Proof.SEMANTIC, Proof.NONE)
    return proof is not Proof.NONE and order.index(proof) <= order.index(required)


def _anchor(text: str) -> Anchor:
    fields = json.loads(text)
    return _ANCHORS[fields.pop("type")](**fields)


def _place(locator: Locator, volume_ids: dict[str, int]) -> tuple[int | str, ...]:
    match locator:
        case MboxLocator(volume, offset, length, frame_crc):
            return (volume_ids[volume], offset, length, frame_crc)
        case MaildirLocator(base_name):
            return (base_name,)
        case ImapLocator(uid_validity, uid):
            return (uid_validity, uid)


def _stored_copy(row: tuple[Any, ...]) -> StoredCopy:
    copy_id, digest, octets, state, volume, offset, length, crc, base_name, validity, uid, proof, reason, verified = row
    return StoredCopy(
        copy_id=copy_id,
        digest=digest,
        octets=octets,
        state=CopyState(state),
        locator=_locator(volume, offset, length, crc, base_name, validity, uid),
        proof=Proof(proof),
        reason=reason,
        verified_at=None if verified is None else datetime.fromtimestamp(verified, UTC),
    )


def _locator(
    volume: str | None, offset: int, length: int, crc: int, base_name: str | None, validity: int, uid: int | None
) -> Locator | None:
    if volume is not None:
        return MboxLocator(volume, offset, length, crc)
    if base_name is not None:
        return MaildirLocator(base_name)
    return ImapLocator(validity, uid) if uid is not None else None
