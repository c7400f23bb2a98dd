"""What the ledger knows of the volumes of an mbox archive, and which copies stand in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from migrator.copy_records import PlacedRecord, VolumeRecord, VolumeState
from migrator.ledger.copy_rows import COPY, stored_copy
from migrator.ledger.database import Sql
from migrator.ledger.places import PlacesLedger
from migrator.ledger.settled import destination_worth_less
from migrator.ledger.volume_comparison import KnownRecord
from migrator.model import CopyState, MboxLocator, StoredCopy

_PART = 10_000
_placed = partial(tuple.__new__, PlacedRecord)  # as PlacedRecord._make, in a fifth of the time
_RECORDS = (
    "select k.id, c.digest, c.octets, k.offset, k.length, k.frame_crc,"
    " k.state = 'verified' and k.proof = 'exact', k.verified_at from copies k join contents c on c.id = k.content_id"
    " where k.volume_id = ? and k.state != 'intended' and (k.offset, k.id) > (?, ?) order by k.offset, k.id limit ?"
)


class VolumesLedger(PlacesLedger):
    """The volumes of one destination; every public method is one transaction."""

    def changed_volumes(self) -> list[tuple[str, str]]:
        """Return the volumes that are not as they were known, each with what is wrong."""
        with self._connection.reading() as sql:
            return sql.execute(
                "select name, problem from volumes where destination_id = ? and state = 'changed' order by name",
                (self.destination_id,),
            ).fetchall()

    def all_copies(self) -> Iterator[StoredCopy]:
        """Yield every copy in the destination, in the order in which they stand there; memory stays flat."""
        yield from self.copies_outside_volumes()
        for _, volume in self._volumes_in_order():
            yield from self._copies_in_parts("k.volume_id = ?", volume, "k.offset, k.id")

    def copies_outside_volumes(self) -> Iterator[StoredCopy]:
        """Yield every copy that stands in no volume, in the order in which they were noted."""
        yield from self._copies_in_parts("k.destination_id = ? and k.volume_id is null", self.destination_id, "k.id")

    def records(self) -> Iterator[tuple[str, list[PlacedRecord]]]:
        """Yield every copy in a volume, in parts: the volume's name, and what stands there, in its order."""
        for name, volume in self._volumes_in_order():
            last = (-1, -1)
            while True:
                with self._connection.reading() as sql:
                    rows = sql.execute(_RECORDS, (volume, *last, _PART)).fetchall()
                if not rows:
                    break
                records: list[PlacedRecord] = list(map(_placed, rows))
                yield name, records
                last = (records[-1].offset, records[-1].copy_id)

    def _volumes_in_order(self) -> list[tuple[str, int]]:
        with self._connection.reading() as sql:
            return sorted(self._volume_ids(sql).items())

    def _copies_in_parts(self, condition: str, value: int, order: str) -> Iterator[StoredCopy]:
        """Yield copies in an order that an index has: each part begins where the one before has ended."""
        marks = ", ".join("?" * len(order.split(", ")))
        last = (-1,) * len(order.split(", "))
        while True:
            with self._connection.reading() as sql:
                rows = sql.execute(
                    f"{COPY} where {condition} and k.state != 'intended' and ({order}) > ({marks})"
                    f" order by {order} limit ?",
                    (value, *last, _PART),
                ).fetchall()
            if not rows:
                return
            yield from map(stored_copy, rows)
            last = (rows[-1][5], rows[-1][0])[-len(last) :]

    def copies_in(self, volume: str) -> list[StoredCopy]:
        """Return the copies that are known to stand in a volume, in their order."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                COPY + " where k.destination_id = ? and v.name = ? and k.state != 'intended' order by k.offset",
                (self.destination_id, volume),
            )
            return [stored_copy(row) for row in rows]

    def records_in(self, volume: str) -> list[KnownRecord]:
        """Return the copies that are known to stand in a volume with what their contents are recognised by."""
        with self._connection.reading() as sql:
            rows = sql.execute(
                "select k.id, c.digest, c.header_digest, c.message_id, k.state, v.name, k.offset, k.length, k.frame_crc"
                " from volumes v join copies k on k.volume_id = v.id join contents c on c.id = k.content_id"
                " where v.destination_id = ? and v.name = ? order by k.offset",
                (self.destination_id, volume),
            )
            return [
                KnownRecord(copy_id, digest, header_digest, message_id, CopyState(state), MboxLocator(*place))
                for copy_id, digest, header_digest, message_id, state, *place in rows
            ]

    def _volumes(self, sql: Sql) -> Iterator[VolumeRecord]:
        rows = sql.execute(
            "select name, end_offset, tail_digest, stamp, state, changed_stamp from volumes where destination_id = ?"
            " order by name",
            (self.destination_id,),
        )
        for name, end, tail, stamp, state, changed_stamp in rows:
            yield VolumeRecord(name, end, tail, stamp, VolumeState(state), changed_stamp)

    def _note_volumes(self, sql: Sql, volumes: Iterable[VolumeRecord]) -> None:
        sql.executemany(
            "insert into volumes (destination_id, name, end_offset, tail_digest, stamp, state)"
            " values (?, ?, ?, ?, ?, ?)"
            " on conflict (destination_id, name) do update set end_offset = excluded.end_offset,"
            " tail_digest = excluded.tail_digest, stamp = excluded.stamp, state = excluded.state, problem = '',"
            " changed_stamp = ''",
            [(self.destination_id, v.name, v.end, v.tail_digest, v.stamp, v.state) for v in volumes],
        )

    def _volume_ids(self, sql: Sql) -> dict[str, int]:
        rows = sql.execute("select name, id from volumes where destination_id = ?", (self.destination_id,))
        return dict(rows.fetchall())

    def volume_changed(self, record: VolumeRecord, problem: str) -> None:
        """Note that a volume is not as it was known; it is not written to until it is right again or was repaired.

        What was known of it while it was right stays known; ``record.changed_stamp`` is kept beside it.
        """
        with self._connection.transaction() as sql:
            sql.execute(
                "insert into volumes"
                " (destination_id, name, end_offset, tail_digest, stamp, state, problem, changed_stamp)"
                " values (?, ?, ?, ?, ?, 'changed', ?, ?) on conflict (destination_id, name) do update set"
                " state = 'changed', problem = excluded.problem, changed_stamp = excluded.changed_stamp",
                (
                    self.destination_id,
                    record.name,
                    record.end,
                    record.tail_digest,
                    record.stamp,
                    problem,
                    record.changed_stamp,
                ),
            )
            destination_worth_less(sql, self.destination_id)
