"""What the ledger and a destination tell each other of copies: volumes, intents, what was found, what is known.

Pure values, and the one question-and-answer (``KnownPlaces``) by which a destination asks the ledger. Neither of the
two knows the other; who holds both is ``migrator.copying``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass, field
from migrator.model import CopyState, Digest, HeaderDigest, ImapLocator, Locator, Proof

MISSING = "missing"
"""The stamp of a volume that is not there."""


class VolumeState(StrEnum):
    """Whether an mbox volume may still be appended to."""

    OPEN = "open"
    CLOSED = "closed"
    """Never appended to again (after a failed fsync, say), but as the ledger knows it."""
    CHANGED = "changed"
    """Not as the ledger knows it: reported at every run until a person has looked."""


@dataclass(frozen=True, slots=True)
class VolumeRecord:
    """An mbox volume as it was when this program last knew it to be right.

    ``end`` is where the known part ends. ``tail_digest`` is SHA-256 over the last 4,096 bytes (or fewer) before
    ``end``. ``stamp`` is the file's ``inode:size:mtime_ns`` then; an equal stamp means nobody has touched it.
    """

    name: str
    end: int
    tail_digest: bytes
    stamp: str
    state: VolumeState = VolumeState.OPEN
    changed_stamp: str = ""
    """The stamp under which the volume was last found CHANGED (``MISSING`` where it was not there)."""


@dataclass(frozen=True, slots=True)
class MboxAnchor:
    """The next copies begin at this offset of this volume, or in volumes begun later."""

    volume: str
    offset: int


@dataclass(frozen=True, slots=True)
class MaildirAnchor:
    """The next copies' base names begin with this."""

    prefix: str


@dataclass(frozen=True, slots=True)
class ImapAnchor:
    """The next copies get UIDs from ``uid_next`` on, while UIDVALIDITY stays."""

    uid_validity: int
    uid_next: int


Anchor = MboxAnchor | MaildirAnchor | ImapAnchor


@dataclass(frozen=True, slots=True)
class Intended:
    """One message of an intent. ``copy_key`` is whatever the destination wants to know it by after a crash."""

    digest: Digest
    octets: int
    copy_key: bytes


@dataclass(frozen=True, slots=True)
class Intent:
    """Copies that were about to be made, from ``anchor`` on, when the program last died or lost the destination."""

    anchor: Anchor
    messages: tuple[Intended, ...]


def _nothing_known() -> KnownPlaces:
    return NothingKnown()


@dataclass(frozen=True, slots=True)
class Recollection:
    """What the ledger remembers of a destination: its volumes (mbox only) and the intents with no known outcome."""

    volumes: tuple[VolumeRecord, ...]
    intents: tuple[Intent, ...]
    known: KnownPlaces = field(default_factory=_nothing_known)


class PlacedRecord(NamedTuple):
    """A copy that is known to stand in a volume, with no more than reading it again wants: there are very many.

    ``is_proven`` says that it is VERIFIED and its proof EXACT.
    """

    copy_id: int
    digest: Digest
    octets: int
    offset: int
    length: int
    frame_crc: int
    is_proven: bool
    verified_at: float | None


class Found(NamedTuple):
    """A whole message that stands in the destination and that the ledger may not know.

    ``digest`` is of the message meant: where a server altered an intended message but ``recover`` recognised it, it
    is the intended digest. Whether the copy is equal is proven later, like any other.
    """

    digest: Digest
    header_digest: HeaderDigest
    message_id: bytes
    octets: int
    locator: Locator


@dataclass(frozen=True, slots=True)
class VolumeSeen:
    """A volume is right up to ``record.end``; whatever was ``Found`` in it up to there has been yielded before."""

    record: VolumeRecord


@dataclass(frozen=True, slots=True)
class VolumeTouched:
    """Somebody touched a volume, so it was read from its beginning.

    Every whole record in it has been yielded as ``Found`` just before, known or not. ``record`` describes it as it is,
    for the case that every copy known in it was found at its place, and nothing else is the ``problem`` with it.
    """

    record: VolumeRecord
    problem: str = ""


@dataclass(frozen=True, slots=True)
class VolumeChanged:
    """A volume is missing, or is no file any more: an ``archive`` error, with the reason."""

    record: VolumeRecord
    error: FerryError


@dataclass(frozen=True, slots=True)
class Vanished:
    """Messages that the ledger knows in a folder, and that no longer stand there."""

    base_names: tuple[str, ...]


Finding = Found | VolumeSeen | VolumeTouched | VolumeChanged | Vanished


@dataclass(frozen=True, slots=True)
class Stranger:
    """A message that stands in a mailbox and is not known as a copy.

    ``message_id`` is what its Message-ID is known by: 16 bytes, or ``b""`` without one.
    """

    uid: int
    octets: int
    message_id: bytes


class Moved(NamedTuple):
    """A copy whose place is of an earlier UIDVALIDITY, with what it can be found again by."""

    copy_id: int
    locator: ImapLocator
    digest: Digest
    header_digest: HeaderDigest
    message_id: bytes
    octets: int
    proof: Proof
    state: CopyState


class Relocated(NamedTuple):
    """A copy that was found again, and where it stands now."""

    copy_id: int
    locator: ImapLocator


class Lost(NamedTuple):
    """A copy that was looked for and does not stand anywhere in its mailbox any more; ``locator`` is its last place."""

    copy_id: int
    locator: ImapLocator
    was_proven: bool


class KnownPlaces(Protocol):
    """What the ledger knows of a place beyond its copies, so that no destination has to look at everything each time.

    ``ledger.copies.CopiesLedger`` is it.
    """

    def copies_known(self) -> int:
        """Return how many copies are known to stand here, whatever they were last found to be worth."""

    def unknown_names(self, base_names: Sequence[str]) -> list[str]:
        """Return those of a Maildir's base names under which no copy is known to stand, in order."""

    def base_names(self) -> Iterator[str]:
        """Yield the base names under which copies are known to stand in a Maildir."""

    def seen_up_to(self, uid_validity: int) -> int:
        """Return the UID from which on a mailbox was not looked at yet; 1 under a UIDVALIDITY that is new here."""

    def seen(self, uid_validity: int, uid_next: int, strangers: Iterable[Stranger]) -> None:
        """Remember what stands in a mailbox below ``uid_next``; what is known as a copy is left out.

        Under a new UIDVALIDITY all that was remembered before is forgotten first.
        """

    def strangers(self, message_ids: Collection[bytes], sizes: Collection[tuple[int, int]]) -> list[Stranger]:
        """Return the remembered strangers with one of these Message-ID keys, and of those without one some by size.

        ``sizes`` are ranges, their ends included. A stranger comes once.
        """

    def strangers_gone(self, uids: Sequence[int]) -> None:
        """Forget strangers that are not there any more."""

    def unknown_uids(self, uid_validity: int, uids: Sequence[int]) -> list[int]:
        """Return those of a mailbox's UIDs under which no copy is known, in order."""

    def has_copies(self) -> bool:
        """Say whether any copy is known that nobody took out."""

    def moved(self, uid_validity: int) -> Iterator[Moved]:
        """Yield the copies, but for those that are GONE, whose place is of another UIDVALIDITY than this.

        They may be relocated while this goes on; memory stays flat.
        """


class NothingKnown:
    """A ledger that knows nothing of a place."""

    def copies_known(self) -> int:
        """Return nothing."""
        return 0

    def unknown_names(self, base_names: Sequence[str]) -> list[str]:
        """Return all of them."""
        return list(base_names)

    def base_names(self) -> Iterator[str]:
        """Yield nothing."""
        return iter(())

    def seen_up_to(self, uid_validity: int) -> int:
        """Return the first UID."""
        del uid_validity
        return 1

    def seen(self, uid_validity: int, uid_next: int, strangers: Iterable[Stranger]) -> None:
        """Remember nothing."""

    def strangers(self, message_ids: Collection[bytes], sizes: Collection[tuple[int, int]]) -> list[Stranger]:
        """Return nothing."""
        del message_ids, sizes
        return []

    def strangers_gone(self, uids: Sequence[int]) -> None:
        """Forget nothing."""

    def unknown_uids(self, uid_validity: int, uids: Sequence[int]) -> list[int]:
        """Return all of them."""
        del uid_validity
        return list(uids)

    def has_copies(self) -> bool:
        """Say no."""
        return False

    def moved(self, uid_validity: int) -> Iterator[Moved]:
        """Yield nothing."""
        del uid_validity
        return iter(())
