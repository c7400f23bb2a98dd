"""Remains: the places of damaged records whose messages stand elsewhere in the same destination by now.

Nothing is cut from an archive, so a damaged record stays in its file when its message was stored again. Who reads
that file from the beginning later finds a message there that is none: a known one with a flipped bit. Parts of the
transactions of other modules.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from migrator.copy_records import Found
from migrator.ledger.database import Sql
from migrator.model import ImapLocator, MaildirLocator, MboxLocator

_IS_STANDING = "coalesce(k.volume_id, k.base_name, k.uid) is not null"

_NOTE = (
    "insert into remains (destination_id, content_id, volume_id, offset, length, frame_crc, base_name)"
    " select k.destination_id, k.content_id, k.volume_id, k.offset, k.length, k.frame_crc, k.base_name from copies k"
)

# What a fault of a disk makes of a record still has its frame, or its header, or at least its Message-ID.
_IN_VOLUME = (
    "select 1 from volumes v join remains r on r.volume_id = v.id and r.offset = ?3 join contents c on"
    " c.id = r.content_id where v.destination_id = ?1 and v.name = ?2 and ((r.length = ?4 and r.frame_crc = ?5)"
    " or c.header_digest = ?6 or (c.message_id = ?7 and c.message_id != x''))"
)
_IN_MAILDIR = "select 1 from remains where destination_id = ? and base_name = ?"
_HAS_COPY = "select 1 from contents c join copies k on k.content_id = c.id and k.destination_id = ? where c.digest = ?"


def note_replaced(sql: Sql, copy_ids: Sequence[int]) -> None:
    """Note where the damaged ones of these copies stand, whose replacements have been stored."""
    sql.execute(
        f"{_NOTE} where k.id in (select value from json_each(?)) and k.state = 'intended' and {_IS_STANDING}",
        (json.dumps(copy_ids),),
    )


def note_relocated(sql: Sql, destination_id: int, found: Sequence[Found]) -> None:
    """Note the places of damaged copies, and of those about to be replaced, that are found whole in other places."""
    doubtful = f"k.destination_id = ? and (k.state = 'damaged' or k.state = 'intended') and {_IS_STANDING}"
    if sql.execute(f"select 1 from copies k where {doubtful} limit 1", (destination_id,)).fetchone() is None:
        return
    sql.executemany(
        f"{_NOTE} join contents c on c.id = k.content_id left join volumes v on v.id = k.volume_id"
        f" where {doubtful} and c.digest = ? and not (v.name is ? and k.offset is ? and k.base_name is ?)",
        [(destination_id, one.digest, *_place(one)) for one in found],
    )


def without_remains(sql: Sql, destination_id: int, found: Sequence[Found]) -> list[Found]:
    """Leave out what stands in the place of a superseded record and is no copy of anything known here."""
    if sql.execute("select 1 from remains where destination_id = ? limit 1", (destination_id,)).fetchone() is None:
        return list(found)
    return [
        one
        for one in found
        if not _stands_for_remains(sql, destination_id, one)
        or sql.execute(_HAS_COPY, (destination_id, one.digest)).fetchone()
    ]


def _stands_for_remains(sql: Sql, destination_id: int, found: Found) -> bool:
    match found.locator:
        case MboxLocator(volume, offset, length, frame_crc):
            facts = (volume, offset, length, frame_crc, found.header_digest, found.message_id)
            return sql.execute(_IN_VOLUME, (destination_id, *facts)).fetchone() is not None
        case MaildirLocator(base_name):
            return sql.execute(_IN_MAILDIR, (destination_id, base_name)).fetchone() is not None
        case ImapLocator():
            return False


def _place(found: Found) -> tuple[str | None, int | None, str | None]:
    match found.locator:
        case MboxLocator(volume, offset):
            return volume, offset, None
        case MaildirLocator(base_name):
            return None, None, base_name
        case ImapLocator():
            return None, None, None
