"""Where copies go, and what every destination promises.

A destination stores, reads and recovers; it never judges. Whether a copy is a copy is decided in
``migrator.copying.copier``, which reads it back and compares. The contract, which ``tests/contract`` holds every
implementation to:

* ``recover`` finds what a crash, or somebody else, left behind, and tells it as findings. It stores nothing.
* ``find`` looks for messages that stand there though the ledger does not know it: a lost or an older ledger, another
  spelling of the same place. It is asked before anything is stored.
* ``exclusive`` keeps every other writer of this program (and, for files, any that honours kernel locks) out from
  the moment ``begin`` is asked until the ledger knows what was stored.
* ``begin`` says from where on the next copies will stand, so that an intent can be durable before bytes leave.
* ``store`` returns only when every locator it gives stands for bytes that survive a power cut. A message that this
  destination refuses gets an error of its own and does not disturb the others. What ``store`` raises concerns the
  destination as a whole; then nothing is known of the batch, and ``recover`` will find out.
* ``read`` gives the canonical form (lines ending in CRLF) of what is stored *now*, read afresh from the device or
  the server, never from a cache of this process.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from migrator.errors import FerryError
from migrator.message.body import Body, Message
from migrator.model import CopyState, Digest, HeaderDigest, ImapLocator, Locator, Proof
from migrator.policy import WhenCopyIsGone

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


@dataclass(frozen=True, slots=True)
class Found:
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
    """A volume is right up to ``record.end``; whatever was ``Found`` in it up to there has been told before."""

    record: VolumeRecord


@dataclass(frozen=True, slots=True)
class VolumeTouched:
    """Somebody touched a volume, so it was read from its beginning.

    Every whole record in it has been told as ``Found`` just before, known or not. ``record`` describes it as it is,
    for the case that every copy known in it was told at its place, and nothing else is the ``problem`` with it.
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
class Stored:
    """What ``store`` did: an outcome for each message, in order, and the volumes it wrote to, as they are now."""

    outcomes: tuple[Locator | FerryError, ...]
    volumes: tuple[VolumeRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much to hand to ``store`` at once."""

    messages: int
    octets: int


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


class Destination(Protocol):
    """An archive folder or a mailbox. One object serves one run and is not shared between threads.

    ``identity`` names the same place for ever (an absolute path, or user, host, port and folder); two accounts that
    write there share its copies. ``label`` is for people. ``required_proof`` is what a copy must reach to count.
    ``limits`` is what one call of ``store`` should get. ``when_copy_is_gone`` says what a copy that a person took out
    counts for. Every method raises ``FerryError``.
    """

    kind: str
    identity: str
    label: str
    required_proof: Proof
    limits: BatchLimits
    when_copy_is_gone: WhenCopyIsGone

    @property
    def setting_place(self) -> str:
        """Where in the configuration a setting of this destination belongs, in words; empty where that is not known."""

    def recover(self, recollection: Recollection) -> Iterator[Finding]:
        """Tell what is there beyond what is remembered, and mend a torn end that an intent explains.

        Called under ``exclusive``, once, before anything else. When the iterator is exhausted every intent is
        resolved: what was not ``Found`` is not there. Raises ``AwayError`` where nothing at all of what is remembered
        is there, and tells nothing then. A volume in state CHANGED is judged anew as soon as it looks otherwise.
        """

    def exclusive(self) -> AbstractContextManager[None]:
        """Keep other writers out; waits for a bounded time, then raises ``locked``."""

    def find(self, messages: Sequence[Message], known: KnownPlaces) -> Iterator[Found]:
        """Tell which of these messages stand here although the ledger does not know where; most find nothing.

        Called under ``exclusive`` after ``recover``, with messages of which no copy is known, or one that is GONE.
        """

    def begin(self, messages: Sequence[Message]) -> Anchor:
        """Say where copies of ``messages`` will begin; nothing is written yet. Called under ``exclusive``."""

    def copy_key(self, message: Message) -> bytes:
        """Return what ``recover`` needs to recognise this message should the reply be lost; often nothing."""

    def store(self, messages: Sequence[Message]) -> Stored:
        """Store each message once, durably, beginning at the anchor just told. Called under ``exclusive``."""

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        """Yield what stands at each locator, in order; a body must be consumed before the next is asked for.

        A copy that is not there or cannot be read yields an error; the others are read all the same.
        """

    def count_missing(self, locators: Sequence[Locator]) -> int:
        """Say under how many of these places nothing stands at all, without reading what does."""

    def probe(self) -> dict[str, object]:
        """Say what this destination offers (for ``check``) without changing anything."""

    def close(self) -> None:
        """Let go of files and connections; never raises."""


@runtime_checkable
class HasUidValidity(Protocol):
    """What a mailbox can tell besides: which of all mailboxes that ever had its name it is (RFC 9051, 2.3.1.1)."""

    def uid_validity(self) -> int | None:
        """Return the folder's UIDVALIDITY, None where it is not there; the server is asked."""


@runtime_checkable
class Relocating(Protocol):
    """What a destination can do besides whose places may lose their meaning: a mailbox whose UIDVALIDITY changes."""

    def relocate(self, known: KnownPlaces) -> Iterator[Sequence[Relocated | Lost]]:
        """Tell the present places of copies whose known places have no meaning any more; mostly there are none.

        Called before anything else is read or stored. What a group says has been found is to be noted before the next
        is asked for. When the iterator is exhausted, each of ``known.moved`` was told. A destination that is not there
        as a whole, although copies are known in it, is the error ``archive``, unless ``when_copy_is_gone`` says that it
        may be made anew.
        """
