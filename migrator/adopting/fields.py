"""Header fields as lines: found by their own mark among the first ones, and taken out, never a byte of another touched.

Pure. A block is as ``message.digest.header_block`` gives it: lines with their CRLF, without the empty line.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_FIELD = re.compile(rb"[^\r\n]*(?:\r\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*")
_AMONG_THE_FIRST = 12


def first_fields(block: bytes) -> list[bytes]:
    """Return the first fields of a block, each with its continuations and line ends."""
    fields: list[bytes] = []
    position = 0
    while position < len(block) and len(fields) < _AMONG_THE_FIRST:
        found = _FIELD.match(block, position)
        if found is None or not found[0]:
            break
        fields.append(found[0])
        position = found.end()
    return fields


def without(block: bytes, fields: list[bytes], places: Collection[int]) -> bytes:
    """Return the block without some of its first fields."""
    rest = block[sum(map(len, fields)) :]
    return b"".join(field for place, field in enumerate(fields) if place not in places) + rest


def place_of(fields: list[bytes], mark: re.Pattern[bytes]) -> int | None:
    """Return which field is the first that a mark matches."""
    return next((place for place, field in enumerate(fields) if mark.match(field)), None)


def name_of(field: bytes) -> bytes:
    """Return the name of a field in small letters."""
    return field.partition(b":")[0].strip().lower()


def without_marked(block: bytes, mark: re.Pattern[bytes]) -> tuple[bytes, str] | None:
    """Take out the first field that a mark matches; returns the rest and what its group says, None without one."""
    fields = first_fields(block)
    place = place_of(fields, mark)
    if place is None:
        return None
    found = mark.match(fields[place])
    said = found[1].decode("latin-1") if found else ""
    return without(block, fields, {place}), said
