"""Correct what the ledger knows of an archive folder by all that was found in it: what was known is never forgotten.

What is found is gathered in a temporary table first, and the ledger changes in one transaction at the end: one that is
killed on the way has changed nothing, and is asked again. In that transaction each known copy is confirmed where it
stood, or placed where it stands now, or it is said what became of it; the rest of what was found is adopted, but for
what is plainly left of a damaged record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import islice

from migrator.copy_records import Found, VolumeRecord
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.database import Database, Sql
from migrator.ledger.settled import destination_worth_less
from migrator.model import ImapLocator, MaildirLocator, MboxLocator

_CHUNK = 2_000

_SCRATCH = (
    "drop table if exists temp.scanned",
    """create temp table scanned (number integer primary key, digest blob, header_digest blob, octets integer,
        message_id blob, volume text, offset integer, length integer, frame_crc integer, base_name text)""",
)
_TO_BE_MATCHED = (
    "create index temp.scanned_by_digest on scanned (digest)",
    "drop table if exists temp.known",
    """create temp table known as
        select k.id, c.digest, c.header_digest, c.message_id, k.state, v.name as volume, k.offset, k.length,
            k.frame_crc, k.base_name, cast(null as integer) as number
        from copies k join contents c on c.id = k.content_id left join volumes v on v.id = k.volume_id
        where k.destination_id = :destination""",
    "create index temp.known_by_digest on known (digest)",
    # Where a content stands several times, the place that is known is preferred.
    """update temp.known set number = coalesce(
        (select s.number from temp.scanned s where s.digest = known.digest and s.volume is known.volume
            and s.offset is known.offset and s.base_name is known.base_name),
        (select min(s.number) from temp.scanned s where s.digest = known.digest))""",
    "drop table if exists temp.lost",
    "create temp table lost as select * from temp.known where number is null and state != 'intended'",
    "create index temp.lost_by_offset on lost (volume, offset)",
    "create index temp.lost_by_frame on lost (frame_crc, length)",
    "create index temp.lost_by_base_name on lost (base_name)",
)
_IS_VOLUME_THERE = "volume in (select value from json_each(:volumes, '$'))"
_IS_UNKNOWN = "digest not in (select digest from temp.known)"

_WITHOUT_REMAINS = (
    # What stands in the place of a lost copy, or has its frame and length, is what a fault of the disk made of it; what
    # has its header, in a file that was changed, is what a mail reader made of it.
    f"""delete from temp.scanned where {_IS_UNKNOWN} and (
        base_name in (select base_name from temp.lost where base_name is not null)
        or exists (select 1 from temp.lost l where l.volume = scanned.volume and l.offset = scanned.offset)
        or exists (select 1 from temp.lost l where l.frame_crc = scanned.frame_crc and l.length = scanned.length)
        or exists (select 1 from temp.lost l where l.volume = scanned.volume and (
            l.header_digest = scanned.header_digest
            or (l.message_id = scanned.message_id and l.message_id != x''))))""",
    f"""delete from temp.scanned where {_IS_UNKNOWN} and exists (
        select 1 from remains r join contents c on c.id = r.content_id left join volumes v on v.id = r.volume_id
        where r.destination_id = :destination and (r.base_name = scanned.base_name
            or (v.name = scanned.volume and r.offset = scanned.offset and (c.header_digest = scanned.header_digest
                or (r.length = scanned.length and r.frame_crc = scanned.frame_crc)
                or (c.message_id = scanned.message_id and c.message_id != x'')))))""",
)

_VOLUME_OF = "(select v.id from volumes v where v.destination_id = :destination and v.name = s.volume)"
_RECONCILED = (
    # A damaged record whose message stands elsewhere is no message.
    """insert into remains (destination_id, content_id, volume_id, offset, length, frame_crc, base_name)
        select k.destination_id, k.content_id, k.volume_id, k.offset, k.length, k.frame_crc, k.base_name
        from temp.known n join temp.scanned s on s.number = n.number join copies k on k.id = n.id
        where k.state = 'damaged'
        and not (s.volume is n.volume and s.offset is n.offset and s.base_name is n.base_name)""",
    f"""update copies set volume_id = {_VOLUME_OF}, offset = s.offset, length = s.length, frame_crc = s.frame_crc,
        base_name = s.base_name, state = 'stored', intent_id = null, recognition = null
        from temp.known n join temp.scanned s on s.number = n.number where copies.id = n.id""",
    f"""update copies set state = 'damaged', proof = 'none', reason = 'its record is no longer in its file'
        where id in (select id from temp.lost where {_IS_VOLUME_THERE})""",
    """update copies set state = 'gone', proof = 'none', reason = 'it is no longer in the Maildir'
        where not :is_emptied and id in (select id from temp.lost where base_name is not null)""",
    """insert or ignore into contents (digest, header_digest, octets, message_id)
        select digest, header_digest, octets, message_id from temp.scanned order by number""",
    f"""insert into copies (destination_id, content_id, state, volume_id, offset, length, frame_crc, base_name)
        select :destination, c.id, 'stored', {_VOLUME_OF}, s.offset, s.length, s.frame_crc, s.base_name
        from (select min(number) as number from temp.scanned where {_IS_UNKNOWN} group by digest) as first
        join temp.scanned s on s.number = first.number join contents c on c.digest = s.digest order by s.number""",
)
_MISSED = f"""select coalesce(volume, ''), count(*) from temp.lost
    where not coalesce({_IS_VOLUME_THERE}, false) and (base_name is null or :is_emptied)
    group by volume order by volume"""

_MANY_GONE = 10
"""As many messages, or more, that vanished together were not tidied up, if they are more than half of all."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Copies that are known to stand in a volume (``""``: in the Maildir) which is not there; they stay known."""

    volume: str
    messages: int


class Relearning:
    """What is found in one folder, until the ledger is corrected by it."""

    def __init__(self, connection: Database, destination_id: int) -> None:
        """Begin with nothing found."""
        self._connection = connection
        self._destination_id = destination_id
        with connection.scratch() as sql:
            for statement in _SCRATCH:
                sql.execute(statement)

    def found(self, messages: Iterable[Found]) -> None:
        """Gather whole messages of the folder; the ledger does not change."""
        remaining = iter(messages)
        while chunk := list(islice(remaining, _CHUNK)):
            with self._connection.scratch() as sql:
                sql.executemany(
                    "insert into temp.scanned (digest, header_digest, octets, message_id, volume, offset, length,"
                    " frame_crc, base_name) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(f.digest, f.header_digest, f.octets, f.message_id, *_place(f)) for f in chunk],
                )

    def finished(self, volumes: Sequence[VolumeRecord]) -> list[Missed]:
        """Correct the ledger, durably, by what was found in these volumes and in no other.

        Afterwards whatever stands in the folder is STORED, still to be proven. Returns what was not looked for, since
        the volume that it stands in is not there (or the Maildir looks emptied): of that, everything is as it was.
        """
        values: dict[str, object] = {
            "destination": self._destination_id,
            "volumes": json.dumps([record.name for record in volumes]),
        }
        with self._connection.transaction(is_long=True) as sql:
            for statement in _TO_BE_MATCHED:
                sql.execute(statement, values)
            for table in ("scanned", "known", "lost"):
                self._connection.filled(table)
            for statement in _WITHOUT_REMAINS:
                sql.execute(statement, values)
            values["is_emptied"] = self._is_emptied(sql)
            self._note(sql, volumes)
            for statement in _RECONCILED:
                sql.execute(statement, values)
            destination_worth_less(sql, self._destination_id)
            return [Missed(*row) for row in sql.execute(_MISSED, values).fetchall()]

    def _is_emptied(self, sql: Sql) -> bool:
        """Say whether the files of a Maildir are missing as if its disk was."""
        known, lost = sql.execute(
            "select count(*), count(*) filter (where number is null) from temp.known where base_name is not null"
            " and state != 'gone' and state != 'intended'"
        ).fetchone()
        return bool(known and lost == known) or bool(lost >= _MANY_GONE and 2 * lost > known)

    def _note(self, sql: Sql, volumes: Sequence[VolumeRecord]) -> None:
        sql.executemany(
            "insert into volumes (destination_id, name, end_offset, tail_digest, stamp, state)"
            " values (?, ?, ?, ?, ?, ?)"
            " on conflict (destination_id, name) do update set end_offset = excluded.end_offset, problem = '',"
            " tail_digest = excluded.tail_digest, stamp = excluded.stamp, state = excluded.state, changed_stamp = ''",
            [(self._destination_id, v.name, v.end, v.tail_digest, v.stamp, v.state) for v in volumes],
        )


def _place(found: Found) -> tuple[str | int | None, ...]:
    match found.locator:
        case MboxLocator(volume, offset, length, frame_crc):
            return volume, offset, length, frame_crc, None
        case MaildirLocator(base_name):
            return None, None, None, None, base_name
        case ImapLocator():
            raise TypeError(f"not a place in a folder: {found.locator}")
