"""Mends damaged copies: the message is fetched from another destination, else from its source, and stored anew.

A damaged copy stays as it is, for a person to look at; the ledger forgets it only when its content is at hand, held
against its digest. A volume from which everything that was damaged has been stored anew is closed: it is read, but no
longer complained about. How a message is stored and where a source gives it is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from migrator.archive.importing import BATCH_MESSAGES, BATCH_OCTETS, Outcome
from migrator.archive.records import message_of
from migrator.archive.shelves import Shelf, Shelves, belonging
from migrator.destinations import VolumeState
from migrator.destinations.files import Patience
from migrator.destinations.volumes import opened, regular_file
from migrator.errors import FerryError, Kind
from migrator.ledger.archive import ArchiveLedger
from migrator.model import CopyState, Digest, MemoryBody, Message, StoredCopy

Bring = Callable[[Shelf, Sequence[Message]], list[Outcome]]
"""Stores messages in one destination and proves them; an outcome for each, in order."""

Fetch = Callable[[str, dict[Digest, bytes]], Iterator[Message]]
"""Fetches an account's contents, each with its unique-id, from its source; yields those that are still the same.

A message's body is good until the next is asked for.
"""

Look = Callable[[Shelf], None]
"""Looks at a destination as a run does first of all, so that nothing is stored anew that has come back by itself."""

_LOCK_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Mended:
    """One copy that was stored anew, and from where."""

    destination: str
    digest: Digest
    origin: str


@dataclass(frozen=True, slots=True)
class Hopeless:
    """One copy that could not be mended, and why."""

    accounts: tuple[str, ...]
    destination: str
    digest: Digest
    reason: str


@dataclass(slots=True)
class Repaired:
    """What a repair did. ``acknowledged`` are volumes about which nothing is left to complain."""

    mended: list[Mended] = field(default_factory=list)
    hopeless: list[Hopeless] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)


class Repair:
    """One repair of the accounts asked for."""

    def __init__(self, shelves: Shelves, ledger: ArchiveLedger, look: Look, bring: Bring, fetch: Fetch) -> None:
        """Prepare."""
        self._shelves = shelves
        self._ledger = ledger
        self._look = look
        self._bring = bring
        self._fetch = fetch
        self._done = Repaired()

    def make(self, accounts: Sequence[str]) -> Repaired:
        """Mend what verify has found damaged, and what a repair that was cut short has left out."""
        for shelf in self._shelves.all:
            if set(accounts) & set(shelf.accounts):
                self._look(shelf)
                self._mend(shelf, accounts)
        return self._done

    def _mend(self, shelf: Shelf, accounts: Sequence[str]) -> None:
        damaged = {copy.digest: copy for copy in shelf.copies.in_doubt(CopyState.DAMAGED)}
        wanted = dict.fromkeys([*damaged, *self._lacking(shelf, accounts)])
        others = self._shelves.only(one for one in self._shelves.all if one is not shelf)
        reasons = dict.fromkeys(wanted, "no other destination holds a good copy")
        for batch in _batches(_from_shelves(others, list(wanted))):
            self._store(shelf, batch, damaged, "another destination", reasons)
        for account in shelf.accounts:
            remaining = [digest for digest in reasons if digest in damaged]
            for batch in _batches(self._from_source(account, remaining, reasons)):
                self._store(shelf, batch, damaged, "the source", reasons)
        label = shelf.destination.label
        self._done.hopeless += [
            Hopeless(shelf.accounts, label, digest, reason) for digest, reason in reasons.items() if digest in damaged
        ]
        self._acknowledge(shelf, {digest for digest in reasons if digest in damaged})

    def _lacking(self, shelf: Shelf, accounts: Sequence[str]) -> Iterator[Digest]:
        """Yield what other destinations of the accounts hold and this one does not."""
        for account in set(accounts) & set(shelf.accounts):
            chunk: list[Digest] = []
            for digest in belonging(account, self._shelves, self._ledger):
                chunk.append(digest)
                if len(chunk) == BATCH_MESSAGES:
                    yield from _absent(shelf, chunk)
                    chunk = []
            yield from _absent(shelf, chunk)

    def _from_source(self, account: str, digests: Sequence[Digest], reasons: dict[Digest, str]) -> Iterator[Message]:
        unique_ids = {
            sighting.digest: bytes(sighting.unique_id)
            for sighting in self._ledger.sightings(digests)
            if sighting.account == account and sighting.unique_id
        }
        if not unique_ids:
            return
        for digest in unique_ids:
            reasons[digest] = "no other destination holds a good copy, and the source no longer gives it"
        try:
            yield from self._fetch(account, unique_ids)
        except FerryError as error:
            for digest in unique_ids.keys() & reasons.keys():
                reasons[digest] = f"no other destination holds a good copy, and the source cannot be asked: {error}"

    def _store(
        self,
        shelf: Shelf,
        messages: Sequence[Message],
        damaged: dict[Digest, StoredCopy],
        origin: str,
        reasons: dict[Digest, str],
    ) -> None:
        """Store contents that are at hand, in place of their damaged copies."""
        self._ledger.forget_copies([damaged[one.digest].copy_id for one in messages if one.digest in damaged])
        for message, outcome in zip(messages, self._bring(shelf, messages), strict=True):
            if isinstance(outcome, FerryError):
                reasons[message.digest] = f"it could not be stored: {outcome}"
            else:
                reasons.pop(message.digest, None)
                self._done.mended.append(Mended(shelf.destination.label, message.digest, origin))

    def _acknowledge(self, shelf: Shelf, still_damaged: set[Digest]) -> None:
        """Close the changed volumes in which nothing damaged is known any more, as they stand now."""
        if shelf.destination.kind != "mbox":
            return
        for name, _ in shelf.copies.changed_volumes():
            copies = shelf.copies.copies_in(name)
            if any(copy.digest in still_damaged or copy.state is CopyState.DAMAGED for copy in copies):
                continue
            self._close(shelf, name, copies)

    def _close(self, shelf: Shelf, name: str, copies: Sequence[StoredCopy]) -> None:
        folder = Path(shelf.destination.identity.removeprefix("mbox:"))
        if regular_file(folder / name) is None:
            if copies:
                return
            self._ledger.forget_volume(shelf.copies.destination_id, name)
        else:
            with shelf.destination.exclusive(), opened(folder, name, Patience(_LOCK_PATIENCE)) as volume:
                shelf.copies.volume_accepted(volume.record(state=VolumeState.CLOSED))
        self._done.acknowledged.append(str(folder / name))


def _absent(shelf: Shelf, digests: Sequence[Digest]) -> list[Digest]:
    known = shelf.copies.find(digests)
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


def _from_shelves(shelves: Shelves, digests: Iterable[Digest]) -> Iterator[Message]:
    """Yield what good copies there are; a body is good until the next is asked for."""
    for digest, body in shelves.read(digests):
        if isinstance(body, FerryError):
            continue
        message = message_of(body)
        if message.digest != digest:
            raise FerryError(Kind.MISMATCH, "a good copy changed while it was read; try again")
        yield message
