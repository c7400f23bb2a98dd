"""Read stored copies again, as they are on the disk or the server now, and compare them with what the ledger knows.

Nothing is repaired here. What differs is recorded, so that no later run deletes its source on the strength of it; a
copy that reads well again is VERIFIED again. What its server altered is no damage. A volume that is missing or was cut
names every message in it; a destination that is away as a whole, or looks emptied, is unreachable, and nothing is
recorded.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import TypeVar

from migrator.archive.batches import in_batches
from migrator.archive.reader import ArchiveFolder, ArchiveReader, Unreachable, mends_gone
from migrator.archive.unproven import unproven_in
from migrator.archive.verification import Damage, Selection, Verification
from migrator.copy_records import PlacedRecord
from migrator.copying.judging import judge
from migrator.copying.relocating import refuse_if_emptied, relocate
from migrator.destinations import Comparing
from migrator.errors import FerryError, Kind
from migrator.ledger.archive import ArchiveLedger, Sighting
from migrator.ledger.copies import Judged
from migrator.message.body import Body
from migrator.message.digest import HEADER_LIMIT, digest_of_body, header_block, header_facts
from migrator.model import CopyState, Digest, ImapLocator, MaildirLocator, MboxLocator, Proof, StoredCopy
from migrator.policy import WhenCopyIsGone

_CHUNK = 2_000
_CHUNK_OCTETS = 64 << 20
"""After this much the outcome is written to the ledger, and progress is reported."""

_Copy = TypeVar("_Copy", StoredCopy, PlacedRecord)
_Verdict = tuple[StoredCopy, Judged | FerryError | None]

OnRead = Callable[[int, int], None]
"""Hears, after each chunk, how many copies and octets were read so far."""


class Check:
    """One check of the archive."""

    def __init__(
        self,
        reader: ArchiveReader,
        ledger: ArchiveLedger,
        *,
        clock: Callable[[], float],
        chance: random.Random | None = None,
        on_progress: OnRead = lambda _copies, _octets: None,
    ) -> None:
        """Prepare. ``chance`` picks a sample."""
        self._reader = reader
        self._ledger = ledger
        self._clock = clock
        self._chance = chance or random.Random()
        self._on_progress = on_progress
        self._found = Verification()

    def make(self, selection: Selection) -> Verification:
        """Read the selected copies of every destination; what was found is recorded in the ledger when this returns."""
        since = None if selection.since is None else self._digests_since(selection.since)
        for archive_folder in self._reader.all:
            if selection.accounts and not set(selection.accounts) & set(archive_folder.accounts):
                continue
            try:
                self._check(archive_folder, selection, since)
            except FerryError as error:
                self._found.unreachable.append(
                    Unreachable(archive_folder.accounts, archive_folder.destination.label, error)
                )
            self._found.altered += unproven_in(archive_folder)
        return self._found

    def _digests_since(self, moment: float) -> set[Digest]:
        return {copied.digest for part in self._ledger.copied_since(moment) for copied in part}

    def _check(self, archive_folder: ArchiveFolder, selection: Selection, since: set[Digest] | None) -> None:
        relocate(archive_folder.destination, archive_folder.copies)
        copies = archive_folder.copies.all_copies()
        if isinstance(archive_folder.destination, Comparing):
            for volume, records in archive_folder.copies.records():
                for part in in_batches(records, _CHUNK, _CHUNK_OCTETS):
                    if chosen := self._chosen(part, archive_folder, selection, since):
                        others = self._compare(archive_folder, archive_folder.destination, volume, chosen)
                        self._check_chunk(archive_folder, archive_folder.copies.numbered(others), selection)
                        self._on_progress(self._found.checked, self._found.octets)
            copies = archive_folder.copies.copies_outside_volumes()
        for chunk in in_batches(copies, _CHUNK, _CHUNK_OCTETS):
            if one_by_one := self._chosen(chunk, archive_folder, selection, since):
                self._check_chunk(archive_folder, one_by_one, selection)
                self._on_progress(self._found.checked, self._found.octets)

    def _chosen(
        self, copies: list[_Copy], archive_folder: ArchiveFolder, selection: Selection, since: set[Digest] | None
    ) -> list[_Copy]:
        chosen = copies
        if since is not None:
            chosen = [copy for copy in copies if copy.digest in since or _is_newer(copy, selection)]
        if selection.parts > 1:
            chosen = [copy for copy in chosen if selection.has(copy.digest)]
        if selection.share < 1:
            chosen = [copy for copy in chosen if self._chance.random() < selection.share]
        if not selection.accounts or set(archive_folder.accounts) <= set(selection.accounts):
            return chosen
        owners = self._ledger.owners([copy.digest for copy in chosen])
        asked = set(selection.accounts)
        return [copy for copy in chosen if asked & set(owners.get(copy.digest, archive_folder.accounts))]

    def _compare(
        self, archive_folder: ArchiveFolder, destination: Comparing, volume: str, records: list[PlacedRecord]
    ) -> list[int]:
        """Note which copies are what they should be; returns the numbers of the others, to be read one by one."""
        told = destination.equal(volume, records)
        equal = records if all(told) else list(compress(records, told))
        proven = [record.copy_id for record in equal if record.is_proven]
        if proven:  # that they are as they were costs less to note than a verdict does
            archive_folder.copies.confirmed(proven, self._clock())
        if len(proven) < len(equal):
            archive_folder.copies.judged(
                [Judged(record.copy_id, CopyState.VERIFIED, Proof.EXACT) for record in equal if not record.is_proven],
                self._clock(),
            )
        self._found.checked += len(equal)
        self._found.ok += len(equal)
        self._found.octets += sum(record.octets for record in equal)
        return [record.copy_id for record, is_equal in zip(records, told, strict=True) if not is_equal]

    def _check_chunk(self, archive_folder: ArchiveFolder, copies: Sequence[StoredCopy], selection: Selection) -> None:
        if not copies:
            return
        judged = [(copy, self._judge(archive_folder, copy, body)) for copy, body in _read(archive_folder, copies)]
        _refuse_if_emptied(archive_folder, judged)
        verdicts = [verdict for _, verdict in judged if isinstance(verdict, Judged)]
        if verdicts:
            archive_folder.copies.judged(verdicts, self._clock())
        accepted = self._accepted(archive_folder, judged)
        damaged: dict[Digest, tuple[StoredCopy, Judged]] = {}
        for copy, verdict in judged:
            if isinstance(verdict, FerryError):
                unshown = Unreachable(archive_folder.accounts, archive_folder.destination.label, verdict)
                self._found.unreachable += [] if unshown in self._found.unreachable else [unshown]
                continue
            self._found.checked += 1
            self._found.octets += copy.octets
            match verdict:
                case None | Judged(state=CopyState.VERIFIED):
                    self._found.ok += 1
                case Judged() if copy.copy_id in accepted:
                    self._found.accepted += 1
                case Judged(state=CopyState.UNPROVEN):
                    self._found.unproven += 1
                case Judged():
                    damaged[copy.digest] = copy, verdict
        self._found.damaged += self._named(archive_folder, damaged, selection)

    def _accepted(self, archive_folder: ArchiveFolder, judged: Sequence[_Verdict]) -> set[int]:
        """Return those of the copies found otherwise which a setting or a person has accepted as they are."""
        otherwise = [copy for copy, verdict in judged if isinstance(verdict, Judged) and not _is_good(verdict)]
        gone = [copy for copy, verdict in judged if _is_gone(verdict)]
        if archive_folder.destination.when_copy_is_gone is WhenCopyIsGone.ACCEPT:
            absent = {copy.digest for copy in gone}
        else:
            absent = self._ledger.accepted([copy.digest for copy in gone], archive_folder.accounts)
        found = archive_folder.copies.accepted(CopyState.UNPROVEN, CopyState.DAMAGED) if otherwise else set()
        return found | {copy.copy_id for copy in gone if copy.digest in absent}

    def _judge(
        self, archive_folder: ArchiveFolder, copy: StoredCopy, body: Body | FerryError
    ) -> Judged | FerryError | None:
        """Return what a copy is worth now; None for one that is as it was but cannot be compared.

        An error is why a server does not show it just now, which says nothing of what it is worth.
        """
        if copy.locator is None:
            return Judged(copy.copy_id, CopyState.DAMAGED, Proof.NONE, "the ledger knows no place for it")
        read = body if isinstance(body, FerryError) else self._compared(archive_folder, copy, body)
        if read is None:
            return None
        verdict = judge(copy.copy_id, copy.locator, copy.state, read, archive_folder.destination.required_proof)
        return read if verdict is None and isinstance(read, FerryError) else verdict

    def _compared(
        self, archive_folder: ArchiveFolder, copy: StoredCopy, body: Body
    ) -> tuple[Proof, str] | FerryError | None:
        try:
            if digest_of_body(body) == copy.digest:
                return Proof.EXACT, ""
            was_altered = copy.state is CopyState.UNPROVEN or copy.proof in (Proof.CANONICAL, Proof.SEMANTIC)
            if not archive_folder.is_mailbox or not was_altered:
                return Proof.NONE, "the stored bytes differ from what was received"
            return self._compared_with_original(archive_folder, copy, body)
        except FerryError as error:  # a long body is read while it is consumed
            return error

    def _compared_with_original(
        self, archive_folder: ArchiveFolder, copy: StoredCopy, body: Body
    ) -> tuple[Proof, str] | None:
        """Compare a copy that its server had altered from the start with the original, where a folder has that.

        None means that it is there as it was proven once.
        """
        from migrator.message.proof import prove

        others = ArchiveReader(
            other for other in self._reader.all if other is not archive_folder and not other.is_mailbox
        )
        for _, original in others.read([copy.digest]):
            if not isinstance(original, FerryError):
                finding = prove(original, body)
                return finding.proof, finding.differences
        if _message_id(body) != self._ledger.message_ids([copy.digest])[copy.digest]:
            return Proof.NONE, "another message stands in its place"
        if copy.state is CopyState.UNPROVEN:  # as it was; a setting may accept that by now
            return copy.proof, copy.reason
        self._found.present += 1
        return None

    def _named(
        self, archive_folder: ArchiveFolder, damaged: dict[Digest, tuple[StoredCopy, Judged]], selection: Selection
    ) -> Iterator[Damage]:
        """Yield a row for each message of each account that a damaged copy stands for."""
        digests = list(damaged)
        sightings: dict[Digest, list[Sighting]] = {}
        for sighting in self._ledger.sightings(digests):
            if sighting.account in archive_folder.accounts:
                sightings.setdefault(sighting.digest, []).append(sighting)
        message_ids = self._ledger.message_ids(digests)
        decided_by = _decided_by(archive_folder) if damaged else ""
        asked = [
            account for account in archive_folder.accounts if not selection.accounts or account in selection.accounts
        ]
        for digest, (copy, verdict) in damaged.items():
            seen = [one for one in sightings.get(digest, ()) if one.account in asked]
            named: list[tuple[str, bytes | None]] = [(one.account, one.unique_id) for one in seen]
            for account, unique_id in dict.fromkeys(named or [(asked[0], None)]):
                yield Damage(
                    account,
                    archive_folder.destination.label,
                    file_of(archive_folder, copy),
                    unique_id,
                    digest,
                    message_ids.get(digest, b""),
                    verdict.reason,
                    decided_by if verdict.state is CopyState.GONE else "",
                )


def _decided_by(archive_folder: ArchiveFolder) -> str:
    """Say where a setting decides on copies that a person took out of a mailbox; those of a folder are for a repair."""
    return (
        ""
        if mends_gone(archive_folder)
        else archive_folder.destination.setting_place or f"for {archive_folder.destination.label}"
    )


def _is_good(verdict: Judged) -> bool:
    return verdict.state is CopyState.VERIFIED


def _is_gone(verdict: Judged | FerryError | None) -> bool:
    return isinstance(verdict, Judged) and verdict.state is CopyState.GONE


def _refuse_if_emptied(
    archive_folder: ArchiveFolder, judged: Sequence[tuple[StoredCopy, Judged | FerryError | None]]
) -> None:
    """Raise ``archive`` where more is gone since the last look than anybody can have meant."""
    if any(_is_gone(verdict) and copy.state is not CopyState.GONE for copy, verdict in judged):
        places = archive_folder.copies.proven_places()
        refuse_if_emptied(archive_folder.destination, archive_folder.destination.count_missing(places), len(places))


def _is_newer(copy: StoredCopy | PlacedRecord, selection: Selection) -> bool:
    """Say whether a copy that no maildrop showed was proven since the moment asked for."""
    return selection.since is not None and copy.verified_at is not None and copy.verified_at >= selection.since


def _read(
    archive_folder: ArchiveFolder, copies: Sequence[StoredCopy]
) -> Iterator[tuple[StoredCopy, Body | FerryError]]:
    placed = [(copy, copy.locator) for copy in copies if copy.locator is not None]
    nowhere = FerryError(Kind.ARCHIVE, "the ledger knows no place for it")
    yield from ((copy, nowhere) for copy in copies if copy.locator is None)
    bodies = archive_folder.destination.read([locator for _, locator in placed])
    yield from ((copy, body) for (copy, _), body in zip(placed, bodies, strict=True))


def _message_id(body: Body) -> bytes:
    beginning = b""
    for chunk in body.chunks():
        beginning += chunk
        if len(beginning) >= HEADER_LIMIT:
            break
    return header_facts(header_block(beginning)).message_id


def file_of(archive_folder: ArchiveFolder, copy: StoredCopy) -> str:
    """Return where a person finds a copy: the volume's path, the Maildir and the file's name, or the UID."""
    place = archive_folder.destination.identity.partition(":")[2]
    match copy.locator:
        case MboxLocator(volume):
            return f"{place}/{volume}"
        case MaildirLocator(base_name):
            return f"{place}/{base_name}"
        case ImapLocator(_, uid):
            return f"UID {uid}"
        case None:
            return place
