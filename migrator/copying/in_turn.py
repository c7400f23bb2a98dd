"""Batches of what comes from files and not from a run: into several destinations, or in place of damaged copies."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from migrator.archive.reader import ArchiveFolder, mends_gone
from migrator.copying.copier import Copier, CopyResult
from migrator.errors import AwayError, FerryError, Kind
from migrator.interchange.importer import Outcome, Way
from migrator.ledger.archive import ArchiveLedger
from migrator.message.body import Message
from migrator.model import CopyState, Digest
from migrator.policy import WhenCopyIsGone

_AT_ONCE = 2_000
_JUDGED = frozenset({Kind.MISMATCH, Kind.UNPROVEN})
"""What a copy is said to be that was read, or is known not to be there."""


class CopyToAll:
    """Several destinations as one. One that fails as a whole is not tried again: a dead server costs one time-out."""

    def __init__(self, carriers: Sequence[Copier]) -> None:
        """Bring by ``carriers``."""
        self._carriers = carriers
        self._broken: dict[int, FerryError] = {}

    def bring(self, batch: Sequence[Message]) -> list[Outcome]:
        """Make sure that each destination holds a proven copy of each message; an outcome for each, in order."""
        columns = [self._brought(place, carrier, batch) for place, carrier in enumerate(self._carriers)]
        return [_together(outcomes) for outcomes in zip(*columns, strict=True)]

    def _brought(self, place: int, carrier: Copier, batch: Sequence[Message]) -> Sequence[CopyResult | FerryError]:
        if place not in self._broken:
            try:
                return carrier.bring(batch)
            except FerryError as error:
                self._broken[place] = error
        return [self._broken[place]] * len(batch)


def _together(outcomes: Sequence[CopyResult | FerryError]) -> Outcome:
    failed = next((outcome for outcome in outcomes if isinstance(outcome, FerryError)), None)
    if failed is not None:
        return failed
    return Way.COPIED if CopyResult.COPIED in outcomes else Way.DUPLICATE


def _is_for_now(error: FerryError, *, is_local: bool) -> bool:
    """Say whether what could not be read may be well: a server has its moods, and a disk forbids, but does not heal."""
    return isinstance(error.__cause__, PermissionError) if is_local else error.kind not in _JUDGED


class Mender:
    """Reads damaged copies again, and stores messages in their place; what a person lost of a folder, too."""

    def __init__(self, ledger: ArchiveLedger) -> None:
        """Begin with no destination."""
        self._ledger = ledger
        self._carriers: dict[str, Copier] = {}

    def read_again(self, shelf: ArchiveFolder) -> dict[Digest, FerryError]:
        """Adopt what happened in a destination, then read what is to be mended; returns what cannot be read just now.

        An archive of which nothing is there is away, and that is raised, unless a person has made its folder anew.
        """
        carrier = self._carrier(shelf)
        try:
            carrier.inspect()
        except AwayError:
            if not shelf.is_local or not Path(shelf.destination.identity.partition(":")[2]).is_dir():
                raise
            self._ledger.lost_for_good(shelf.copies.destination_id)
            return {}
        states = (CopyState.DAMAGED, CopyState.GONE) if mends_gone(shelf) else (CopyState.DAMAGED,)
        doubtful = [copy.digest for state in states for copy in shelf.copies.in_doubt(state)]
        errors: dict[Digest, FerryError | None] = {}
        for start in range(0, len(doubtful), _AT_ONCE):
            errors |= carrier.reprove(doubtful[start : start + _AT_ONCE])
        still = {copy.digest for state in states for copy in shelf.copies.in_doubt(state)}
        return {d: e for d, e in errors.items() if e and d in still and _is_for_now(e, is_local=shelf.is_local)}

    def bring(self, shelf: ArchiveFolder, messages: Sequence[Message]) -> list[Outcome]:
        """Store messages in place of copies that are damaged still, or gone."""
        return [_together([outcome]) for outcome in self._carrier(shelf).bring(messages)]

    def _carrier(self, shelf: ArchiveFolder) -> Copier:
        if shelf.is_local:
            shelf.destination.when_copy_is_gone = WhenCopyIsGone.RESTORE
        identity = shelf.destination.identity
        if identity not in self._carriers:
            self._carriers[identity] = Copier(shelf.destination, shelf.copies, clock=time.time, replaces_damaged=True)
        return self._carriers[identity]
