"""A batch's copies, written down by few statements. Parts of the transactions of ``copies``, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Sequence

from migrator.ledger import columns
from migrator.ledger.copy_rows import PLACE_COLUMNS, place_of
from migrator.ledger.database import Sql
from migrator.model import ImapLocator, Locator, MaildirLocator, MboxLocator

_INTEND = (
    "insert into copies (id, destination_id, content_id, state, intent_id, recognition)"
    " select ?1 + key, ?2, value, 'intended', ?3, nullif(substr(?4, ?5 * key + 1, ?5), x'') from json_each(?6)"
)
_IS_STORED = "intent_id = null, recognition = null, state = 'stored', proof = 'none', reason = '', verified_at = null"
_PLACE_RECORDS = (
    f"update copies set volume_id = ?1, offset = at.begin, length = at.length, frame_crc = at.frame, {_IS_STORED} from"
    f" (select value as id, {columns.number_in('?2')} as begin, {columns.number_in('?3')} as length,"
    f" {columns.number_in('?4')} as frame from json_each(?5)) as at where copies.id = at.id"
)


def note_intended(
    sql: Sql, intent: tuple[int, int], first: int, contents: Sequence[int], signs: Sequence[bytes]
) -> None:
    """Add a copy for each of these contents, numbered from ``first`` on, to an intent (destination and number).

    What recovery will recognise each by is mostly as long as that of the others.
    """
    widths = set(map(len, signs))
    is_even, width = len(widths) == 1, max(widths, default=0)
    together = b"".join(signs) if is_even else b""
    sql.execute(_INTEND, (first, *intent, together, width, json.dumps(contents)))
    if not is_even:
        sql.executemany(
            "update copies set recognition = ? where id = ?",
            [(sign, number) for number, sign in enumerate(signs, first) if sign],
        )


def note_stored(sql: Sql, copies: Sequence[tuple[int, Locator]], volume_ids: dict[str, int]) -> None:
    """Note where copies stand; records of a volume, which come by thousands, in one statement."""
    records: dict[str, list[tuple[int, MboxLocator]]] = {}
    for copy_id, at in copies:
        if isinstance(at, MboxLocator):
            records.setdefault(at.volume, []).append((copy_id, at))
    for volume, placed in records.items():
        _, offsets, lengths, frames = zip(*(at for _, at in placed), strict=True)
        places = (columns.numbers(offsets), columns.numbers(lengths), columns.numbers(frames))
        sql.execute(_PLACE_RECORDS, (volume_ids[volume], *places, json.dumps([copy_id for copy_id, _ in placed])))
    for kind in (MaildirLocator, ImapLocator):
        place = ", ".join(f"{column} = ?" for column in PLACE_COLUMNS[kind])
        sql.executemany(
            f"update copies set {place}, {_IS_STORED} where id = ?",
            [(*place_of(at, volume_ids), copy_id) for copy_id, at in copies if isinstance(at, kind)],
        )
