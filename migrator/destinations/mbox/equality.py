"""Whether many records of a volume are the messages they should be, of a stretch of it as a whole. Pure.

The steps that cost the most are taken once for all records of a stretch, not for each: line ends are turned into CRLF,
and quoting is looked for. Only where something is not as expected, each record is taken apart by itself.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from hashlib import sha256

from migrator.copy_records import PlacedRecord
from migrator.destinations.mbox import mboxrd
from migrator.message.digest import digest_of
from migrator.model import MboxLocator

_QUOTED_FROM = re.compile(b">From ")  # as mboxrd finds it


def equal(data: bytes, records: Sequence[PlacedRecord]) -> list[bool]:
    """Say of each of these records, which stand side by side in ``data`` from its beginning, whether it is its message.

    It is if its frame is the one that was written (From_ line, closing line feed) and its content has the digest.
    """
    if _all_are(data, records):
        return [True] * len(records)
    results: list[bool] = []
    at = 0
    for record in records:
        results.append(_is(data[at : at + record.length], record))
        at += record.length
    return results


def _all_are(data: bytes, records: Sequence[PlacedRecord]) -> bool:
    """Go through the canonical form of the whole stretch, in which no quoting was undone: there must be none."""
    if _QUOTED_FROM.search(data):
        return False
    canonical = data.replace(b"\n", b"\r\n")
    view = memoryview(canonical)
    begin = at = 0
    for _, digest, octets, _, length, frame_crc, _, _ in records:
        frame_end = data.find(b"\n", begin) + 1
        frame = data[begin:frame_end]
        content = at + len(frame) + 1
        end = content + octets
        if (
            zlib.crc32(frame) != frame_crc
            or not canonical.startswith(frame[:-1], at)  # both ways of counting have come to the same place
            or sha256(view[content:end]).digest() != digest
            or not canonical.startswith(b"\r\n", end)
        ):
            return False
        begin += length
        at = end + 2
    return begin == len(data) and at == len(canonical)


def _is(data: bytes, record: PlacedRecord) -> bool:
    frame_end = data.find(b"\n") + 1
    if damage_of(data[:frame_end], data[-1:], len(data), record):
        return False
    return digest_of(mboxrd.decode(data[frame_end:-1])) == record.digest


def damage_of(frame: bytes, closing: bytes, length: int, locator: MboxLocator | PlacedRecord) -> str:
    """Say what is wrong with a record's frame, or nothing."""
    if length < locator.length:
        return "the volume ends before it does"
    if zlib.crc32(frame) != locator.frame_crc:
        return "its From_ line is not the one that was written"
    if closing != b"\n" or len(frame) >= length:
        return "its closing blank line is gone"
    return ""
