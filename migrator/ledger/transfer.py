"""What makes the two ledgers equal of which one was moved into the other.

A table is equal to another one when both have as many rows and the same ones, in whatever order. The sum of the rows'
hashes says so in flat memory, and in one pass over each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass

Row = tuple[Any, ...]
Copied = Callable[[str, int], None]
"""Hears of each table how many of its rows have been copied."""

MARK = "ledger.moved"
"""The file of a state folder that says where its ledger is now; without meaning while a ledger is there."""

_MODULUS = 1 << 128
_REPORT = 10_000


def moved_away(what: str, where: str) -> FerryError:
    """Say to anyone who opens what was a ledger that it is none any more."""
    cure = f'write ledger = "{where}" at the top of the configuration'
    if "://" not in where:
        cure = "take the line ledger = … out of the configuration"
    return FerryError(Kind.LOCKED, f"the ledger of {what} was moved: it is at {where} now", cure=cure)


def check_is_here(state_dir: Path, path: Path) -> None:
    """Raise ``FerryError`` where the ledger of a state folder is not at ``path`` because it was moved."""
    mark = state_dir / MARK
    if not path.exists() and mark.exists():
        raise moved_away(str(state_dir), mark.read_text(encoding="utf-8").strip())


@dataclass(slots=True)
class Sum:
    """What a table holds: how many rows, and the sum of their hashes."""

    rows: int = 0
    hashes: int = 0

    def add(self, row: Row) -> None:
        """Count a row."""
        self.rows += 1
        self.hashes = (self.hashes + int.from_bytes(blake2b(repr(row).encode(), digest_size=16).digest())) % _MODULUS


def summed(rows: Iterable[Row], into: Sum, heard: Callable[[int], None] = lambda _rows: None) -> Iterator[Row]:
    """Pass rows on, counted."""
    for row in rows:
        into.add(row)
        if into.rows % _REPORT == 0:
            heard(into.rows)
        yield row
    heard(into.rows)
