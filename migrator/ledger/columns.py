"""Columns of many rows, each as one value of one statement that takes it apart: half the time of a statement a row.

SQLite's own words: PostgreSQL has arrays. ``json_each`` gives the rows (``key`` counts them from 0).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate

_DIGITS = 20
_LENGTH_BITS = 24
"""Of a place: how long a value is; where it begins stands above."""


def number_in(column: str) -> str:
    """Return SQL for a row's number in a column that ``numbers`` made."""
    return f"cast(substr({column}, {_DIGITS} * key + 1, {_DIGITS}) as integer)"


def numbers(values: Sequence[int]) -> bytes:
    """Return a column of numbers that are not negative."""
    return b"".join([b"%020d" % value for value in values])


def octets_in(column: str, width: int) -> str:
    """Return SQL for a row's octets in a column of values that are all of this length, end to end."""
    return f"substr({column}, {width} * key + 1, {width})"


def octets_at_places_in(column: str) -> str:
    """Return SQL for a row's octets in a column of values of any length; ``value`` is what ``places`` says of them."""
    length = f"value & {(1 << _LENGTH_BITS) - 1}"
    return f"coalesce(substr({column}, (value >> {_LENGTH_BITS}) + 1, {length}), x'')"  # of nothing, it gives null


def places_of(values: Sequence[bytes]) -> str:
    """Return, as JSON, where each of these values stands once they are put end to end."""
    lengths = [len(value) for value in values]
    begins = accumulate(lengths, initial=0)
    return json.dumps([begin << _LENGTH_BITS | length for begin, length in zip(begins, lengths, strict=False)])
