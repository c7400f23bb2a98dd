"""Repair damaged copies: the message comes from another destination, else from its source, and is stored again.

Everything that is damaged is read again first: what was away and is back is good again, and is not stored. Only what is
damaged then, or what somebody took out of a folder, is stored; a copy that its server altered is not, for it would be
altered again. The damaged bytes stay where they are, for a person to look at, and the ledger knows the damaged copy
until the new one stands. A volume from which everything that was damaged has been stored again is closed: it is read,
but no longer complained about. How a message is read, stored and proven is handed in (``migrator.copying.copier``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from migrator.archive.reader import ArchiveFolder, ArchiveReader, Unreachable, belonging, mends_gone
from migrator.archive.unproven import Unproven, unproven_in
from migrator.copy_records import VolumeState
from migrator.copying.copier import CopyResult, Outcome
from migrator.destinations.mbox.volumes import opened, regular_file
from migrator.errors import FerryError, Kind
from migrator.files import LockTimeout
from migrator.interchange.importer import BATCH_MESSAGES, BATCH_OCTETS
from migrator.interchange.mail_files import message_of
from migrator.ledger.archive import ArchiveLedger
from migrator.message.body import MemoryBody, Message
from migrator.model import CopyState, Digest, StoredCopy


class Storing(Protocol):
    """How copies are read again and stored, all with proof; one destination at a time, raising what concerns it all."""

    def read_again(self, archive_folder: ArchiveFolder) -> dict[Digest, FerryError]:
        """Correct what the ledger knows of a destination; returns what cannot be read just now of what is to be mended.

        What is as it should be again is no longer DAMAGED when this returns.
        """

    def copy(self, archive_folder: ArchiveFolder, messages: Sequence[Message]) -> list[Outcome]:
        """Store messages in place of their damaged copies, or of those that are gone; an outcome for each, in order."""


Fetch = Callable[[str, dict[Digest, bytes]], Iterator[Message]]
"""Fetches an account's contents, each with its unique-id, from its source; yields those that are still the same.

A message's body is good until the next is asked for.
"""

_LOCK_PATIENCE = 30.0
_NO_COPY = "no other destination holds a good copy"


@dataclass(frozen=True, slots=True)
class RepairedCopy:
    """One copy that was stored again, and from where."""

    destination: str
    digest: Digest
    origin: str


@dataclass(frozen=True, slots=True)
class Unrepairable:
    """One copy that could not be mended, and why."""

    accounts: tuple[str, ...]
    destination: str
    digest: Digest
    reason: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did. ``acknowledged`` are volumes about which nothing is left to complain.

    ``unproven`` copies are left as they are, and of destinations that are ``unreachable`` nothing was touched.
    """

    mended: tuple[RepairedCopy, ...] = ()
    hopeless: tuple[Unrepairable, ...] = ()
    acknowledged: tuple[str, ...] = ()
    unproven: tuple[Unproven, ...] = ()
    unreachable: tuple[Unreachable, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether nothing is damaged any more, as far as can be known."""
        return not self.hopeless and not self.unreachable

    def as_json(self) -> dict[str, object]:
        """Return the document of ``repair``."""
        return {
            "repaired": [
                {"destination": one.destination, "digest": one.digest.hex(), "from": one.origin} for one in self.mended
            ],
            "damaged": [
                {
                    "accounts": list(one.accounts),
                    "destination": one.destination,
                    "digest": one.digest.hex(),
                    "reason": one.reason,
                }
                for one in self.hopeless
            ],
            "acknowledged": list(self.acknowledged),
            "unproven": sum(one.count for one in self.unproven),
            "errors": [
                {
                    "accounts": list(one.accounts),
                    "destination": one.destination,
                    "kind": str(one.error.kind),
                    "message": str(one.error),
                }
                for one in self.unreachable
            ],
        }


class Repair:
    """One repair of the accounts asked for."""

    def __init__(self, reader: ArchiveReader, ledger: ArchiveLedger, storing: Storing, fetch: Fetch) -> None:
        """Prepare."""
        self._reader = reader
        self._ledger = ledger
        self._storing = storing
        self._fetch = fetch
        self._mended: list[RepairedCopy] = []
        self._hopeless: list[Unrepairable] = []
        self._acknowledged: list[str] = []
        self._unproven: list[Unproven] = []
        self._unreachable: list[Unreachable] = []

    def make(self, accounts: Sequence[str]) -> Repaired:
        """Mend what is damaged still, and store what a folder lacks; asked again, it finds nothing to do."""
        for archive_folder in self._reader.all:
            if set(accounts) & set(archive_folder.accounts):
                try:
                    self._mend(archive_folder, accounts)
                except FerryError as error:
                    self._unreachable.append(
                        Unreachable(archive_folder.accounts, archive_folder.destination.label, error)
                    )
        return Repaired(
            tuple(self._mended),
            tuple(self._hopeless),
            tuple(self._acknowledged),
            tuple(self._unproven),
            tuple(self._unreachable),
        )

    def _mend(self, archive_folder: ArchiveFolder, accounts: Sequence[str]) -> None:
        unread = self._storing.read_again(archive_folder)
        job = _Job(archive_folder, self._missed(archive_folder, unread))
        try:
            self._fill(job, accounts)
        finally:
            self._hopeless += [
                Unrepairable(archive_folder.accounts, archive_folder.destination.label, digest, reason)
                for digest, reason in job.hopeless(unread).items()
            ]
        self._unproven += unproven_in(archive_folder)
        self._acknowledge(archive_folder, job.remaining.keys())

    def _missed(self, archive_folder: ArchiveFolder, unread: dict[Digest, FerryError]) -> dict[Digest, str]:
        """Return what is to be stored in place of copies that are damaged, or gone where that is to be mended."""
        states = (CopyState.DAMAGED, CopyState.GONE) if mends_gone(archive_folder) else (CopyState.DAMAGED,)
        missed = [copy.digest for state in states for copy in archive_folder.copies.in_doubt(state)]
        return {digest: _NO_COPY for digest in missed if digest not in unread}

    def _fill(self, job: _Job, accounts: Sequence[str]) -> None:
        job.refuse(
            job.archive_folder.copies.stored_in_vain(list(job.remaining)), "it was stored anew before, and came to harm"
        )
        others = self._reader.only(one for one in self._reader.all if one is not job.archive_folder)
        wanted = dict.fromkeys([*job.remaining, *self._lacking(job.archive_folder, accounts)])
        for batch in _batches(_good_copies(others, wanted)):
            self._store(job, batch, "another destination")
        for account in job.archive_folder.accounts:
            for batch in _batches(self._from_source(account, job)):
                self._store(job, batch, "the source")

    def _lacking(self, archive_folder: ArchiveFolder, accounts: Sequence[str]) -> Iterator[Digest]:
        """Yield what other destinations of the accounts hold and of which nothing is known in this one."""
        for account in set(accounts) & set(archive_folder.accounts):
            chunk: list[Digest] = []
            for digest in belonging(account, self._reader, self._ledger):
                chunk.append(digest)
                if len(chunk) == BATCH_MESSAGES:
                    yield from _absent(archive_folder, chunk)
                    chunk = []
            yield from _absent(archive_folder, chunk)

    def _from_source(self, account: str, job: _Job) -> Iterator[Message]:
        unique_ids = {
            sighting.digest: bytes(sighting.unique_id)
            for sighting in self._ledger.sightings(list(job.remaining))
            if sighting.account == account and sighting.unique_id
        }
        if not unique_ids:
            return
        job.remaining |= dict.fromkeys(unique_ids, f"{_NO_COPY}, and the source no longer gives it")
        try:
            yield from self._fetch(account, unique_ids)
        except FerryError as error:
            cannot_be_asked = f"{_NO_COPY}, and the source cannot be asked: {error}"
            job.remaining |= dict.fromkeys(unique_ids.keys() & job.remaining.keys(), cannot_be_asked)

    def _store(self, job: _Job, messages: Sequence[Message], origin: str) -> None:
        """Store messages and note what became of each."""
        for message, outcome in zip(messages, self._storing.copy(job.archive_folder, messages), strict=True):
            if isinstance(outcome, FerryError) and outcome.kind is not Kind.UNPROVEN:
                job.remaining[message.digest] = f"it could not be stored: {outcome}"
                continue
            job.remaining.pop(message.digest, None)
            if outcome is CopyResult.COPIED:
                self._mended.append(RepairedCopy(job.archive_folder.destination.label, message.digest, origin))

    def _acknowledge(self, archive_folder: ArchiveFolder, still_damaged: Iterable[Digest]) -> None:
        """Close the changed volumes in which nothing damaged is known any more, as they stand now."""
        if archive_folder.destination.kind != "mbox":
            return
        for name, _ in archive_folder.copies.changed_volumes():
            copies = archive_folder.copies.copies_in(name)
            if any(copy.digest in still_damaged or copy.state is CopyState.DAMAGED for copy in copies):
                continue
            self._close(archive_folder, name, copies)

    def _close(self, archive_folder: ArchiveFolder, name: str, copies: Sequence[StoredCopy]) -> None:
        folder = Path(archive_folder.destination.identity.removeprefix("mbox:"))
        if regular_file(folder / name) is None:
            if copies:
                return
            self._ledger.forget_volume(archive_folder.copies.destination_id, name)
        else:
            with archive_folder.destination.exclusive(), opened(folder, name, LockTimeout(_LOCK_PATIENCE)) as volume:
                archive_folder.copies.volume_accepted(volume.record(state=VolumeState.CLOSED))
        self._acknowledged.append(str(folder / name))


@dataclass(slots=True)
class _Job:
    """What is left to be mended in one destination, each with why it is."""

    archive_folder: ArchiveFolder
    remaining: dict[Digest, str]
    _refused: dict[Digest, str] = field(default_factory=dict)

    def refuse(self, digests: Iterable[Digest], reason: str) -> None:
        """Store these no more."""
        for digest in digests:
            del self.remaining[digest]
            self._refused[digest] = reason

    def hopeless(self, unread: dict[Digest, FerryError]) -> dict[Digest, str]:
        """Return what was not mended, and what cannot be judged."""
        cannot_be_read = {digest: f"it cannot be read at present: {error}" for digest, error in unread.items()}
        return self.remaining | self._refused | cannot_be_read


def _absent(archive_folder: ArchiveFolder, digests: Sequence[Digest]) -> list[Digest]:
    known = archive_folder.copies.find(digests)
    return [digest for digest in digests if digest not in known]


def _batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Yield messages in batches; a long one, which must be consumed before the next is asked for, ends its batch."""
    batch: list[Message] = []
    octets = 0
    for message in messages:
        batch.append(message)
        octets += message.octets
        if not isinstance(message.body, MemoryBody) or len(batch) == BATCH_MESSAGES or octets >= BATCH_OCTETS:
            yield batch
            batch, octets = [], 0
    if batch:
        yield batch


def _good_copies(reader: ArchiveReader, digests: Iterable[Digest]) -> Iterator[Message]:
    """Yield what good copies there are; a body is good until the next is asked for."""
    for digest, body in reader.read(digests):
        if isinstance(body, FerryError):
            continue
        message = message_of(body)
        if message.digest != digest:
            raise FerryError(Kind.MISMATCH, "a good copy changed while it was read; try again")
        yield message
