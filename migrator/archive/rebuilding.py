"""Builds anew what the archive files alone can tell: the search index, and the ledger's knowledge of copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from migrator.archive.index import SearchIndex, remove
from migrator.archive.shelves import Shelf
from migrator.destinations import Found, Recollection, VolumeSeen
from migrator.errors import FerryError, Kind
from migrator.ledger.archive import ArchiveLedger

_CHUNK = 10_000

Told = Callable[[int], None]


def emptied_index(state_dir: Path) -> SearchIndex:
    """Return a new, empty index in place of the old one; called under the lock of the index."""
    remove(state_dir)
    return SearchIndex.open(state_dir)


@dataclass(frozen=True, slots=True)
class Relearned:
    """What was found in one destination."""

    destination: str
    messages: int


def relearn(shelf: Shelf, ledger: ArchiveLedger, *, told: Told = lambda _count: None) -> Relearned:
    """Forget all copies that the ledger knows of a folder, and learn them from its files.

    Memory stays flat. Afterwards each copy is STORED, still to be proven. Killed on the way, it is simply asked again;
    what the ledger lacks until then would be adopted by the next run as well.
    """
    if not shelf.is_local:
        raise FerryError(Kind.REFUSED, f"{shelf.destination.label} is no archive folder")
    with shelf.destination.exclusive():
        ledger.forget_destination(shelf.copies.destination_id)
        count = 0
        found: list[Found] = []
        for finding in shelf.destination.recover(Recollection((), ())):
            match finding:
                case Found():
                    found.append(finding)
                    count += 1
                    if count % _CHUNK == 0:
                        told(count)
                case VolumeSeen(record):
                    shelf.copies.found(found, [record])
                    found = []
                case _:  # cannot be: where nothing is remembered nothing can differ from it
                    raise AssertionError(finding)
        shelf.copies.found(found, [])
    return Relearned(shelf.destination.label, count)
