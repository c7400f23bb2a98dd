"""Repair damaged copies: the message comes from another destination, else from its source, and is stored again.

Everything that is damaged is read again first: what was away and is back is good again, and is not stored. Only what is
damaged then, or what somebody took out of a folder, is stored; a copy that its server altered is not, for it would be
altered again. The damaged bytes stay where they are, for a person to look at, and the ledger knows the damaged copy
until the new one stands. A volume from which everything that was damaged has been stored again is closed: it is read,
but no longer complained about. How a message is read, stored and proven is handed in (``migrator.copying.copier``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from migrator.archive.batches import in_batches
from migrator.archive.reader import ArchiveFolder, ArchiveReader, Unreachable, belonging, mends_gone
from migrator.archive.unproven import Unproven, unproven_in
from migrator.copy_records import VolumeRecord
from migrator.copying.copier import CopyResult, Outcome
from migrator.destinations import HasVolumes
from migrator.errors import FerryError, Kind
from migrator.interchange.importer import BATCH_MESSAGES, BATCH_OCTETS
from migrator.interchange.mail_files import archived_message
from migrator.lazy_dataclasses import dataclass, field
from migrator.ledger.archive import ArchiveLedger
from migrator.message.body import MemoryBody, Message
from migrator.model import CopyState, Digest, StoredCopy
from migrator.policy import WhenCopyIsGone


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
    ``taken_out`` is how many copies a person took out of each mailbox whose setting does not have them stored again.
    """

    mended: tuple[RepairedCopy, ...] = ()
    hopeless: tuple[Unrepairable, ...] = ()
    acknowledged: tuple[str, ...] = ()
    unproven: tuple[Unproven, ...] = ()
    unreachable: tuple[Unreachable, ...] = ()
    taken_out: tuple[tuple[str, int], ...] = ()

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
            "taken_out": sum(count for _, count in self.taken_out),
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
        self._taken_out: list[tuple[str, int]] = []

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
            tuple(self._taken_out),
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
        if count := self._left_taken_out(archive_folder):
            self._taken_out.append((archive_folder.destination.label, count))
        self._acknowledge(archive_folder, job.remaining.keys())

    def _left_taken_out(self, archive_folder: ArchiveFolder) -> int:
        """Return how many copies were taken out, of which nobody has said yet what that means."""
        destination = archive_folder.destination
        if mends_gone(archive_folder) or destination.when_copy_is_gone is WhenCopyIsGone.ACCEPT:
            return 0
        gone = [copy.digest for copy in archive_folder.copies.in_doubt(CopyState.GONE)]
        return len(set(gone) - self._ledger.accepted(gone, archive_folder.accounts))

    def _missed(self, archive_folder: ArchiveFolder, unread: dict[Digest, FerryError]) -> dict[Digest, str]:
        """Return what is to be stored in place of copies that are damaged, or gone where that is to be mended."""
        states = (CopyState.DAMAGED, CopyState.GONE) if mends_gone(archive_folder) else (CopyState.DAMAGED,)
        missed = [copy.digest for state in states for copy in archive_folder.copies.in_doubt(state)]
        return {digest: _NO_COPY for digest in missed if digest not in unread}

    def _fill(self, job: _Job, accounts: Sequence[str]) -> None:
        job.refuse(
            job.archive_folder.copies.stored_in_vain(list(job.remaining)), "it was stored again before, and was damaged"
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
        if not isinstance(archive_folder.destination, HasVolumes):
            return
        for name, _ in archive_folder.copies.changed_volumes():
            copies = archive_folder.copies.copies_in(name)
            if any(copy.digest in still_damaged or copy.state is CopyState.DAMAGED for copy in copies):
                continue
            with archive_folder.destination.exclusive():
                self._close(archive_folder, name, copies, archive_folder.destination.as_it_is(name))

    def _close(
        self, archive_folder: ArchiveFolder, name: str, copies: Sequence[StoredCopy], now: VolumeRecord | None
    ) -> None:
        if now is not None:
            archive_folder.copies.volume_accepted(now)
        elif not copies:
            self._ledger.forget_volume(archive_folder.copies.destination_id, name)
        else:
            return
        self._acknowledged.append(f"{archive_folder.destination.identity.partition(':')[2]}/{name}")


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
    return in_batches(
        messages, BATCH_MESSAGES, BATCH_OCTETS, is_last=lambda message: not isinstance(message.body, MemoryBody)
    )


def _good_copies(reader: ArchiveReader, digests: Iterable[Digest]) -> Iterator[Message]:
    """Yield what good copies there are; a body is good until the next is asked for."""
    for digest, body in reader.read(digests):
        if isinstance(body, FerryError):
            continue
        message = archived_message(body)
        if message.digest != digest:
            raise FerryError(Kind.MISMATCH, "a good copy changed while it was read; try again")
        yield message
