"""How far an index is behind a ledger: looked at before each search, and costs next to nothing."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrator.ledger.archive import ArchiveLedger
    from migrator.search.entries import IndexProgress
    from migrator.search.index import SearchIndex


def has_everything(index: SearchIndex, ledger: ArchiveLedger) -> bool:
    """Say whether an update of the index would find nothing to do."""
    return not index.waiting() and not is_behind(index.progress, ledger, 0)


def is_behind(progress: IndexProgress, ledger: ArchiveLedger, most: int) -> bool:
    """Say whether more than a number of messages are to be taken in, or more than that were copied since."""
    return (
        ledger.count_contents_after(progress.number, most + 1) > most
        or ledger.count_copied_after(progress.sightings, most + 1) > most
        or not is_same_ledger(progress, ledger)
    )


def is_same_ledger(progress: IndexProgress, ledger: ArchiveLedger) -> bool:
    """Say whether this is the ledger that an index has followed."""
    return progress.number == 0 or fingerprint(progress.number, ledger) == progress.fingerprint


def fingerprint(number: int, ledger: ArchiveLedger) -> bytes:
    """Return what tells this ledger's contents up to a number from another's: a sample of their digests."""
    sample = [number >> shift for shift in range(number.bit_length())]
    digests = [content.digest for content in ledger.contents_numbered(sample)]
    return sha256(b"".join(digests)).digest()
