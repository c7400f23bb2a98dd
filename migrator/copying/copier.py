"""One batch to one destination: intend, store, read back, record. The only judge of whether a copy is a copy.

The ledger is written before every effect that would be unsafe unrecorded, so that a crash between any two lines here
leads to nothing worse than work done again (docs/architecture.md, "What is durable when").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from functools import partial
from typing import assert_never

from migrator.copy_records import Found, Recollection, Vanished, VolumeChanged, VolumeRecord, VolumeSeen, VolumeTouched
from migrator.copying.judging import judge, proven_exactly
from migrator.copying.proving import ToProve, known_copies, stored_now, was_proven_once
from migrator.copying.relocating import is_emptied, refuse_if_emptied, relocate
from migrator.destinations import Destination, Guarded, Metered
from migrator.errors import AwayError, FerryError, GoneError, Kind
from migrator.ledger.copies import CopiesLedger, Judged
from migrator.ledger.lease import Lease, insist
from migrator.ledger.volume_comparison import KnownRecord, compared
from migrator.message.body import Body, Message
from migrator.message.digest import digest_of_body
from migrator.model import CopyState, Digest, ImapLocator, Proof, StoredCopy, proof_setting
from migrator.policy import WhenCopyIsGone
from migrator.ui.text import plural

_READ_CHUNK = 2_000
_PATIENCE = 30.0
"""Seconds to wait for a run on another machine that stores into the same destination."""
_ON_ONE_MACHINE = frozenset({"mbox", "maildir"})
"""Destinations on a disk: kernel locks are enough."""


class CopyResult(Enum):
    """How it stands with a message in a destination that has, or had, a proven copy of it."""

    COPIED = "stored now"
    DUPLICATE = "was there already"
    TAKEN_OUT = "was there, proven, until a person took it out: it stays at its source"


Outcome = CopyResult | FerryError


_CHANGED_CURE = (
    "`mailferry repair` stores again what is missing and closes the volume; or bring back the file as it was, which is"
    " found by itself"
)


class Copier:
    """Copies messages to one destination, for one account's run, in one thread at a time."""

    def __init__(
        self,
        destination: Destination,
        copies: CopiesLedger,
        *,
        clock: Callable[[], float],
        step: Callable[[str], None] = lambda _name: None,
        replaces_damaged: bool = False,
        lease: Lease | None = None,
    ) -> None:
        """Copy to ``destination``, of which ``copies`` is the ledger's knowledge.

        Nothing is stored once another worker may do this (``lease``; by default what is owned through ``copies``).
        With ``replaces_damaged``, which a repair asks for, a damaged copy is stored again once it was read again.
        """
        self.destination = destination
        self.copies = copies
        self._clock = clock
        self._step = step
        self._replaces_damaged = replaces_damaged
        self.lease = copies.lease if lease is None else lease
        if isinstance(destination, Guarded):
            destination.guard(partial(insist, self.lease, "storing a message"))
        if isinstance(destination, Metered) and (shared := copies.shared_allowances()) is not None:
            destination.meter(shared)

    def inspect(self) -> list[FerryError]:
        """Say what is wrong with the destination's files, if anything; such a file is not written to.

        What happened there since this program last looked is adopted, and what was never read back is read now; so is
        what was damaged, for it may have been brought back. A mailbox is not bothered for this, unless an upload was
        cut short, or what it loses is to be stored again: it is opened when there is something to copy.
        """
        if self.destination.kind == "imap" and not self._has_unfinished():
            self._see_what_is_to_be_restored()
            return []
        with self._alone():
            self._recover()
        unread = [*self.copies.to_be_read_back(), *self.copies.damaged_to_be_read_again()]
        for start in range(0, len(unread), _READ_CHUNK):
            self._prove(known_copies(unread[start : start + _READ_CHUNK], {}))
        return [FerryError(Kind.ARCHIVE, problem) for _, problem in self.copies.changed_volumes()]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only one that stores here: on this machine, and over all machines that can reach the destination."""
        with ExitStack() as stack:
            if self.destination.kind not in _ON_ONE_MACHINE:
                stack.enter_context(self.copies.owning(self.destination.identity, _PATIENCE))
            stack.enter_context(self.destination.exclusive())
            yield

    def _see_what_is_to_be_restored(self) -> None:
        """Know as gone what a mailbox has lost that was deleted or emptied, where a setting says to store it again."""
        places = self.copies.proven_places()
        if self.destination.when_copy_is_gone is not WhenCopyIsGone.RESTORE or not places:
            return
        relocate(self.destination, self.copies)
        places = self.copies.proven_places()
        if is_emptied(self.destination.count_missing(places), len(places)):
            known = list(self.copies.all_copies())
            for start in range(0, len(known), _READ_CHUNK):
                self._prove(known_copies(known[start : start + _READ_CHUNK], {}))

    def _has_unfinished(self) -> bool:
        return bool(self.copies.recollection().intents or self.copies.to_be_read_back())

    def copy(self, batch: Sequence[Message]) -> list[Outcome]:
        """Make sure that the destination holds a proven copy of each message, storing only what it lacks.

        Returns an outcome for each message, in order. On return each success is durable and recorded. An error that
        concerns the destination as a whole is raised; what was stored before it is known to the ledger.
        """
        wanted = {message.digest: message for message in batch}
        outcomes: dict[Digest, Outcome] = {}
        for part in self._parts(list(wanted.values())):
            vanished = self._copy_batch(part, wanted, outcomes)
            if vanished and self.destination.when_copy_is_gone is WhenCopyIsGone.RESTORE:
                self._copy_batch(vanished, wanted, outcomes)
        return self._for_each(batch, outcomes)

    def _copy_batch(
        self, part: Sequence[Message], wanted: Mapping[Digest, Message], outcomes: dict[Digest, Outcome]
    ) -> list[Message]:
        """Store what is missing and prove all; returns the messages whose copies turned out to be gone."""
        fresh, present = self._store_missing(part, outcomes)
        proven = self._prove([*known_copies(present, wanted), *fresh])
        outcomes |= {copy.digest: self._present_outcome(copy, proven.get(copy.digest)) for copy in present}
        outcomes |= {copy.digest: proven.get(copy.digest) or CopyResult.COPIED for copy in fresh}
        return [wanted[digest] for digest, error in proven.items() if isinstance(error, GoneError)]

    def _present_outcome(self, copy: StoredCopy, error: FerryError | None) -> Outcome:
        if isinstance(error, GoneError) and self.destination.when_copy_is_gone is not WhenCopyIsGone.RESTORE:
            return CopyResult.DUPLICATE if self._is_accepted(copy) else CopyResult.TAKEN_OUT
        return error or CopyResult.DUPLICATE

    def _is_accepted(self, copy: StoredCopy) -> bool:
        """Say whether a copy that is gone counts as one that is there: only what was proven may be missing."""
        return self.destination.when_copy_is_gone is WhenCopyIsGone.ACCEPT and was_proven_once(copy)

    def verify_again(self, digests: Sequence[Digest]) -> dict[Digest, FerryError | None]:
        """Read the stored copies of these contents again; None means it is there and equal, or accepted as gone.

        ``unproven`` means that only the original can tell, because the server changed what it stored, or that it is to
        be stored again. A ``GoneError`` says that a person took the copy out: the source is to keep its message.
        """
        relocate(self.destination, self.copies)
        found = self.copies.find(digests)
        proven = self._prove(known_copies(found.values(), {}))
        absent = FerryError(Kind.MISMATCH, f"{self.destination.label} holds no copy of this message")
        return {digest: self._reproven(found.get(digest), proven.get(digest, absent)) for digest in digests}

    def _reproven(self, copy: StoredCopy | None, error: FerryError | None) -> FerryError | None:
        if not isinstance(error, GoneError):
            return error
        if self.destination.when_copy_is_gone is WhenCopyIsGone.RESTORE:
            return FerryError(Kind.UNPROVEN, "the copy is gone and is to be stored again")
        return None if copy is not None and self._is_accepted(copy) else error

    def stored_body(self, digest: Digest) -> Body | None:
        """Return what stands here for this content now, None where nothing can be read."""
        relocate(self.destination, self.copies)
        copy = self.copies.find([digest]).get(digest)
        if copy is None or copy.locator is None:
            return None
        body = next(iter(self.destination.read([copy.locator])))
        return None if isinstance(body, FerryError) else body

    def _for_each(self, batch: Sequence[Message], outcomes: dict[Digest, Outcome]) -> list[Outcome]:
        """Give the second of two equal messages in a batch its own outcome: a duplicate of the first."""
        seen: set[Digest] = set()
        result: list[Outcome] = []
        for message in batch:
            outcome = outcomes[message.digest]
            result.append(CopyResult.DUPLICATE if outcome is CopyResult.COPIED and message.digest in seen else outcome)
            seen.add(message.digest)
        return result

    def _parts(self, messages: Sequence[Message]) -> Iterator[list[Message]]:
        limits = self.destination.limits
        part: list[Message] = []
        octets = 0
        for message in messages:
            if part and (len(part) >= limits.messages or octets + message.octets > limits.octets):
                yield part
                part, octets = [], 0
            part.append(message)
            octets += message.octets
        if part:
            yield part

    def _store_missing(
        self, messages: Sequence[Message], outcomes: dict[Digest, Outcome]
    ) -> tuple[list[ToProve], list[StoredCopy]]:
        """Store what is not there; returns the copies made now and those that were there. Refusals go to outcomes."""
        with self._alone():
            present = self._present(messages)
            missing = [message for message in messages if message.digest not in present]
            if not missing:
                return [], list(present.values())
            anchor = self.destination.begin(missing)
            signs = [(message, self.destination.copy_key(message)) for message in missing]
            numbers = self.copies.intended(anchor, signs, self._clock())
            self._step("copies.intended")
            insist(self.lease, "storing a batch")
            stored = self.destination.store(missing)
            self._step("copies.written")
            made: list[ToProve] = []
            for message, outcome in zip(missing, stored.outcomes, strict=True):
                digest = message.digest
                if isinstance(outcome, FerryError):
                    outcomes[digest] = outcome
                else:
                    made.append(stored_now(numbers[digest], outcome, message))
            self.copies.stored([(copy.copy_id, copy.locator) for copy in made], stored.volumes)
            self._step("copies.stored")
        return made, list(present.values())

    def _present(self, messages: Sequence[Message]) -> dict[Digest, StoredCopy]:
        """Return the copies there are, found by content where the ledger does not know them or has them as gone."""
        digests = [message.digest for message in messages]
        relocate(self.destination, self.copies)
        recollection, present = self.copies.before_storing(digests)
        if self._recover_from(recollection):
            present = self.copies.find(digests)
        if self._replaces_damaged and (damaged := [c for c in present.values() if c.state is CopyState.DAMAGED]):
            with suppress(AwayError):  # nothing at all is there, and it is to be stored again all the same
                self._prove(known_copies(damaged, {message.digest: message for message in messages}))
            present = self.copies.find(digests)
        unknown = [m for m in messages if m.digest not in present or not self._is_standing(present[m.digest])]
        if unknown and (found := list(self.destination.find(unknown, self.copies))):
            self.copies.found(found, [])
            self._step("copies.found")
            present = self.copies.find(digests)
        return {digest: copy for digest, copy in present.items() if not self._is_to_be_replaced(copy)}

    def _is_standing(self, copy: StoredCopy) -> bool:
        return copy.state is not CopyState.GONE and not (self._replaces_damaged and copy.state is CopyState.DAMAGED)

    def _is_to_be_replaced(self, copy: StoredCopy) -> bool:
        is_restored = self.destination.when_copy_is_gone is WhenCopyIsGone.RESTORE
        return not self._is_standing(copy) and (is_restored or copy.state is not CopyState.GONE)

    def _prove(self, copies: Sequence[ToProve]) -> dict[Digest, FerryError | None]:
        """Read copies back, judge each, record the verdicts."""
        verdicts: dict[Digest, FerryError | None] = {}
        judged: list[Judged] = []
        never_there: list[int] = []
        bodies = self.destination.read([copy.locator for copy in copies])
        for copy, body in zip(copies, bodies, strict=True):
            # The digest was taken of what the source sent, before all copying. Nearly every copy has it.
            if not isinstance(body, FerryError) and digest_of_body(body) == copy.digest:
                judged.append(proven_exactly(copy.copy_id))
                verdicts[copy.digest] = None
                continue
            if isinstance(body, GoneError) and copy.was_never_shown:
                never_there.append(copy.copy_id)
                verdicts[copy.digest] = FerryError(
                    Kind.MISMATCH, f"{self.destination.label} did not keep what it stored"
                )
                continue
            read = body if isinstance(body, FerryError) else self._compared(copy, body)
            if self._needs_original(copy, read):
                verdicts[copy.digest] = FerryError(Kind.UNPROVEN, "only the original can prove this copy again")
                continue
            judgement = judge(copy.copy_id, copy.locator, copy.state, read, self.destination.required_proof)
            if judgement is not None and not judgement.state is copy.state is CopyState.DAMAGED:
                judged.append(judgement)
            verdicts[copy.digest] = self._verdict(judgement, body)
        self._step("copies.read-back")
        if any(isinstance(verdicts[copy.digest], GoneError) and copy.state is not CopyState.GONE for copy in copies):
            self._refuse_if_emptied()
        if judged:
            self.copies.judged(judged, self._clock())
        self.copies.never_there(never_there)
        self._step("copies.judged")
        return verdicts

    def _refuse_if_emptied(self) -> None:
        """Raise ``archive`` where so much is gone at once that nobody can have meant it; nothing is recorded then."""
        if self.destination.when_copy_is_gone is WhenCopyIsGone.KEEP:
            places = self.copies.proven_places()
            refuse_if_emptied(self.destination, self.destination.count_missing(places), len(places))

    def _verdict(self, judged: Judged | None, body: Body | FerryError) -> FerryError | None:
        if isinstance(body, FerryError):
            return body
        return None if judged is None or judged.state is CopyState.VERIFIED else self._unproven(judged)

    def _needs_original(self, copy: ToProve, read: tuple[Proof, str] | FerryError) -> bool:
        """Say whether a copy differs that its server may have altered from the start, without its original."""
        if copy.original is not None or isinstance(read, FerryError) or read[0] is Proof.EXACT:
            return False
        was_never_read = copy.state is CopyState.STORED and isinstance(copy.locator, ImapLocator)
        return was_never_read or copy.proof is Proof.CANONICAL or copy.proof is Proof.SEMANTIC

    def _compared(self, copy: ToProve, body: Body) -> tuple[Proof, str]:
        """Say how well a copy is proven whose bytes are not those that were received, and what differs."""
        original = copy.original
        if not isinstance(copy.locator, ImapLocator) or original is None:
            return Proof.NONE, "the stored bytes differ from what was received"
        from migrator.message.proof import prove  # only for copies that a server altered

        finding = prove(original.body, body)
        return finding.proof, finding.differences

    def _unproven(self, judged: Judged) -> FerryError:
        if judged.proof is Proof.NONE:
            return FerryError(Kind.MISMATCH, f"the copy differs: {judged.reason}")
        return FerryError(
            Kind.UNPROVEN,
            f"the copy is not equal byte for byte: {judged.reason}",
            cure=f"to accept it, write {proof_setting(judged.proof, self.destination.setting_place)}",
        )

    def _recover(self) -> None:
        relocate(self.destination, self.copies)
        self._recover_from(self.copies.recollection())

    def _recover_from(self, recollection: Recollection) -> bool:
        """Adopt what happened since; returns whether the ledger knows anything else now."""
        found: list[Found] = []
        is_calm = not recollection.intents
        for finding in self.destination.recover(recollection):
            is_calm = False
            match finding:
                case Found():
                    found.append(finding)
                case VolumeSeen(record):
                    self.copies.found(found, [record])
                    found = []
                case VolumeTouched(record, problem):
                    self._compare_volume(record, found, problem)
                    found = []
                case VolumeChanged(record, error):
                    self.copies.volume_changed(record, str(error))
                case Vanished(base_names):
                    self._refuse_if_emptied()
                    self.copies.vanished(base_names, "it is no longer in the Maildir")
                case _ as never:
                    assert_never(never)
        if found:
            self.copies.found(found, [])
        if recollection.intents:
            self.copies.intents_resolved()
        return not is_calm

    def _compare_volume(self, record: VolumeRecord, found: Sequence[Found], problem: str) -> None:
        """Note what stands in a volume that somebody touched; it stays in use only if every copy is at its place."""
        known = self.copies.records_in(record.name)
        comparison = compared(known, found)
        comparison = comparison._replace(lost=self._without_readable(comparison.lost))
        if comparison.is_as_known and not problem:
            self.copies.volume_accepted(record, [*comparison.healed, *comparison.strangers])
            return
        what = problem or f"the volume {record.name} in {self.destination.label} was changed by another program"
        lost = len(comparison.lost)
        verb = "is" if lost == 1 else "are"
        counts = f"{lost:,} of its {plural(len(known), 'message')} {verb} damaged or missing, the others are known"
        self.copies.volume_reread(record, comparison, f"{what}: {counts}; {_CHANGED_CURE}")

    def _without_readable(self, records: Sequence[KnownRecord]) -> list[KnownRecord]:
        """Leave out what can be read where it stood: a record's end is no longer known once more follows it."""
        bodies = self.destination.read([record.locator for record in records])
        return [record for record, body in zip(records, bodies, strict=True) if not _is_of(record.digest, body)]


def _is_of(digest: Digest, body: Body | FerryError) -> bool:
    """Tell whether a message could be read and is the one with this digest."""
    try:
        return not isinstance(body, FerryError) and digest_of_body(body) == digest
    except FerryError:  # a long body is read while it is consumed
        return False
