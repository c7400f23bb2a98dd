"""The storing side of a repair: damaged copies are read again, and messages are stored in their place."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from migrator.archive.reader import ArchiveFolder, mends_gone
from migrator.copying.copier import Copier, Outcome
from migrator.errors import AwayError, FerryError, Kind
from migrator.ledger.archive import ArchiveLedger
from migrator.message.body import Message
from migrator.model import CopyState, Digest
from migrator.policy import WhenCopyIsGone

_AT_ONCE = 2_000
_JUDGED = frozenset({Kind.MISMATCH, Kind.UNPROVEN})
"""What a copy is said to be that was read, or is known not to be there."""


def _is_for_now(error: FerryError, *, is_local: bool) -> bool:
    """Say whether what could not be read may be well: a server has its moods, and a disk forbids, but does not heal."""
    return isinstance(error.__cause__, PermissionError) if is_local else error.kind not in _JUDGED


class Mender:
    """Reads damaged copies again, and stores messages in their place; what a person lost of a folder, too."""

    def __init__(self, ledger: ArchiveLedger) -> None:
        """Begin with no destination."""
        self._ledger = ledger
        self._copiers: dict[str, Copier] = {}

    def read_again(self, archive_folder: ArchiveFolder) -> dict[Digest, FerryError]:
        """Adopt what happened in a destination, then read what is to be mended; returns what cannot be read just now.

        An archive of which nothing is there is away, and that is raised, unless a person has made its folder again.
        """
        copier = self._copier(archive_folder)
        try:
            copier.inspect()
        except AwayError:
            if not _is_made_again(archive_folder):
                raise
            self._ledger.lost_for_good(archive_folder.copies.destination_id)
            return {}
        states = (CopyState.DAMAGED, CopyState.GONE) if mends_gone(archive_folder) else (CopyState.DAMAGED,)
        doubtful = [copy.digest for state in states for copy in archive_folder.copies.in_doubt(state)]
        doubtful += _in_changed_volumes(archive_folder, {*doubtful})
        errors: dict[Digest, FerryError | None] = {}
        for start in range(0, len(doubtful), _AT_ONCE):
            errors |= copier.verify_again(doubtful[start : start + _AT_ONCE])
        still = {copy.digest for state in states for copy in archive_folder.copies.in_doubt(state)}
        return {
            d: e for d, e in errors.items() if e and d in still and _is_for_now(e, is_local=archive_folder.is_local)
        }

    def copy(self, archive_folder: ArchiveFolder, messages: Sequence[Message]) -> list[Outcome]:
        """Store messages in place of copies that are damaged still, or gone."""
        return self._copier(archive_folder).copy(messages)

    def _copier(self, archive_folder: ArchiveFolder) -> Copier:
        if not archive_folder.is_mailbox:
            archive_folder.destination.when_copy_is_gone = WhenCopyIsGone.RESTORE
        identity = archive_folder.destination.identity
        if identity not in self._copiers:
            self._copiers[identity] = Copier(
                archive_folder.destination, archive_folder.copies, clock=time.time, replaces_damaged=True
            )
        return self._copiers[identity]


def _is_made_again(archive_folder: ArchiveFolder) -> bool:
    """Say whether a place of which nothing is there is ready for mail: its folder was made, or its bucket answers."""
    if archive_folder.is_local:
        return Path(archive_folder.destination.identity.partition(":")[2]).is_dir()
    return not archive_folder.is_mailbox


def _in_changed_volumes(archive_folder: ArchiveFolder, known: set[Digest]) -> list[Digest]:
    """Return what stands in files that are not as they were, or not there: a run leaves that to a person."""
    copies = archive_folder.copies
    names = [name for name, _ in copies.changed_volumes()]
    return [copy.digest for name in names for copy in copies.copies_in(name) if copy.digest not in known]
