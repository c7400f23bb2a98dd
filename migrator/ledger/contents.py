"""Contents: what a message is, in whatever place, known by its digest. Parts of the transactions of other modules."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from migrator.ledger import columns
from migrator.ledger.database import Sql
from migrator.message.body import Message
from migrator.model import Digest

THE_CONTENTS = "json_each(?) as place cross join contents c on c.digest = substr(?, place.value, 32)"
"""The known ones of many contents, in their order, as a table to select from; ``places`` makes its two values.

One statement for all takes half the time of one for each, and other threads are not held up between them.
"""

_NUMBER = (
    "insert into contents (id, digest, header_digest, octets, message_id)"
    f" select ?1 + key, {columns.octets_in('?2', 32)}, {columns.octets_in('?3', 32)}, {columns.number_in('?4')},"
    f" {columns.octets_at_places_in('?5')} from json_each(?6) where true on conflict (digest) do nothing"
)


def places(digests: Sequence[Digest]) -> tuple[str, bytes]:
    """Return what ``THE_CONTENTS`` stands for: the digests end to end, and where each of them begins."""
    return json.dumps(list(range(1, 32 * len(digests), 32))), b"".join(digests)


def note_contents(sql: Sql, contents: Iterable[tuple[Digest, bytes, int, bytes]]) -> None:
    """Give each digest that has none a number; with it come header digest, octets and Message-ID."""
    sql.executemany(
        "insert or ignore into contents (digest, header_digest, octets, message_id) values (?, ?, ?, ?)", contents
    )


def number_contents(sql: Sql, messages: Sequence[Message]) -> list[int]:
    """Give each digest that has none a number, as ``note_contents`` does, and return the numbers of all, in order."""
    (last,) = sql.execute("select coalesce(max(id), 0) from contents").fetchone()
    numbers = list(range(last + 1, last + 1 + len(messages)))
    if not numbers:
        return []
    digests, header_digests, message_ids, octets, *_ = zip(*messages, strict=True)
    sql.execute(
        _NUMBER,
        (
            last + 1,
            b"".join(digests),
            b"".join(header_digests),
            columns.numbers(octets),
            b"".join(message_ids),
            columns.places_of(message_ids),
        ),
    )
    (noted,) = sql.execute("select count(*) from contents where id > ?", (last,)).fetchone()
    if noted == len(messages):  # all are new, as is usual
        return numbers
    return [number for (number,) in sql.execute(f"select c.id from {THE_CONTENTS}", places(digests))]
