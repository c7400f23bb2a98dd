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

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from migrator.copy_records import (
    Anchor,
    Finding,
    Found,
    KnownPlaces,
    Lost,
    PlacedRecord,
    Recollection,
    Relocated,
    VolumeRecord,
)
from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Body, Message
from migrator.message.spool import SpoolFile
from migrator.model import Locator, Proof
from migrator.net.patience import Stop
from migrator.policy import WhenCopyIsGone

if TYPE_CHECKING:
    from migrator.imap.upload_limits import AllowanceStore


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


class Destination(Protocol):
    """An archive folder or a mailbox. One object serves one run and is not shared between threads.

    ``identity`` names the same place for good (an absolute path, or user, host, port and folder); two accounts that
    write there share its copies. ``label`` is for people. ``required_proof`` is what a copy must reach to count.
    ``when_copy_is_gone`` says what a copy that a person took out counts for. Every method raises ``FerryError``.
    """

    kind: str
    identity: str
    label: str
    required_proof: Proof
    when_copy_is_gone: WhenCopyIsGone

    @property
    def limits(self) -> BatchLimits:
        """How much to hand to ``store`` at once."""

    @property
    def setting_place(self) -> str:
        """Where in the configuration a setting of this destination belongs, in words; empty where that is not known."""

    def recover(self, recollection: Recollection) -> Iterator[Finding]:
        """Tell what is there beyond what is remembered, and mend a torn end that an intent explains.

        Called under ``exclusive``, once, before anything else. When the iterator is exhausted every intent is
        resolved: what was not ``Found`` is not there. Raises ``AwayError`` where nothing at all of what is remembered
        is there, and yields nothing then. A volume in state CHANGED is judged again as soon as it looks otherwise.
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
        """Store each message once, durably, beginning at the anchor just returned. Called under ``exclusive``."""

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


@dataclass(frozen=True, slots=True)
class Census:
    """A mailbox by its numbers (RFC 9051, sections 2.3.1.1 and 7.4.1); not all of its messages need be ours.

    While all three are the same, nothing has come and nothing has gone.
    """

    uid_validity: int
    uid_next: int
    messages: int


@runtime_checkable
class Counted(Protocol):
    """What a mailbox can tell besides, at the cost of a log-in and one command: its numbers."""

    def census(self) -> Census | None:
        """Return the mailbox's numbers, None where it is not there; the server is asked, and nothing is changed."""

    def missing(self) -> FerryError:
        """Return the error that it is when the mailbox should be there and is not."""


@runtime_checkable
class HasVolumes(Protocol):
    """What a destination can tell besides that keeps many messages in one file or object."""

    def as_it_is(self, name: str) -> VolumeRecord | None:
        """Return a volume as it stands there now, CLOSED, whatever is known of it; None where it does not.

        Called under ``exclusive``.
        """


@runtime_checkable
class TakesIn(Protocol):
    """What a destination can do besides: keep a large message, while it comes, so that it need not be copied again."""

    def open_spool(self) -> SpoolFile | None:
        """Return a place for one message, from any thread; None where it has to be kept elsewhere."""


@runtime_checkable
class Comparing(Protocol):
    """What a destination can tell besides that reads many small copies of a volume sooner together than one by one."""

    def equal(self, volume: str, records: Sequence[PlacedRecord]) -> list[bool]:
        """Say of each of these, in the volume's order, whether just that message stands there now.

        It is read afresh, as by ``read``. Where the answer is no, ``read`` says what stands there: that may also mean
        that nobody looked. Never raises.
        """


@runtime_checkable
class Interruptible(Protocol):
    """What a destination can do besides that waits for a server: give up soon where a run is to stop."""

    def heed(self, stop: Stop) -> None:
        """Connect no more, and wait for silence no longer than a breath, once this is set: ``StoppedError``."""


@runtime_checkable
class Guarded(Protocol):
    """What a destination can do besides that sends what it stores, message by message, and may take long."""

    def guard(self, check: Callable[[], None]) -> None:
        """Call this before each effect; where it raises, that is not done, nor what would follow."""


@runtime_checkable
class Metered(Protocol):
    """What a destination can do besides whose provider lets a user upload only so much in a time."""

    def meter(self, store: AllowanceStore) -> None:
        """Keep what is left of that in this store, which is that of all who upload there."""


@runtime_checkable
class Relocating(Protocol):
    """What a destination can do besides whose places may lose their meaning: a mailbox whose UIDVALIDITY changes."""

    def relocate(self, known: KnownPlaces) -> Iterator[Sequence[Relocated | Lost]]:
        """Tell the present places of copies whose known places have no meaning any more; mostly there are none.

        Called before anything else is read or stored. What a group says has been found is to be noted before the next
        is asked for. When the iterator is exhausted, each of ``known.moved`` was yielded. A destination that is not
        there as a whole, although copies are known in it, is the error ``archive``, unless ``when_copy_is_gone``
        says that it may be made again.
        """
