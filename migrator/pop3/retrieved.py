"""The words of retrieving: what is wanted, how the session stands, and what is heard of it, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Message
from migrator.model import MessageNumber
from migrator.pop3.replies import Stat


class ToRetrieve(Protocol):
    """A message to retrieve and the octets that LIST announced for it; a ``ListedMessage``, for one."""

    @property
    def number(self) -> MessageNumber:
        """Its number in this session."""

    @property
    def octets(self) -> int:
        """What was announced."""


class Budget(Protocol):
    """How much may be on its way or waiting to be stored.

    ``take`` never blocks. It lets a message through that is larger than the whole budget when nothing else is held.
    The caller gives back what it stored, and what was refused.
    """

    def take(self, octets: int) -> bool:
        """Reserve room, or say that there is none now."""


@dataclass(slots=True)
class Retrieved:
    """One whole message. ``wire_octets`` came, dot-unstuffed; ``announced`` were listed; unequal is a hint only."""

    number: MessageNumber
    message: Message
    announced: int
    wire_octets: int

    @property
    def is_as_announced(self) -> bool:
        """Whether as many octets came as LIST announced.

        Announced + 2 are right, too: a message without a final line end gets one on the wire, and is counted without.
        """
        return self.wire_octets - self.announced in {0, 2} or self.announced == self.message.octets


@dataclass(frozen=True, slots=True)
class RetrieveRefused:
    """The server does not give this message; others go on."""

    number: MessageNumber
    error: FerryError


@dataclass(frozen=True, slots=True)
class InStep:
    """Everything yielded before this is what the server meant, and may be stored."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Nothing is in flight and the budget has no room: free some, or keep the session awake, then ask again."""


RetrieveEvent = Retrieved | RetrieveRefused | InStep | Blocked

IN_STEP: Final = InStep()
BLOCKED: Final = Blocked()


class ExpectsStat(Protocol):
    """Whether STAT's numbers are those of a session in step."""

    def __call__(self, stat: Stat, *, have_sizes_fitted: bool = True) -> bool:
        """Say so; octets count only where all messages so far had those announced."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a session stands when it begins to retrieve. ``asked`` hears every number of a RETR.

    ``is_moving`` finds out whether it is only STAT's octets that do not fit; nothing may be in flight.
    """

    is_expected: ExpectsStat
    is_moving: Callable[[Stat], bool]
    asked: Callable[[MessageNumber], object]
    is_pipelined: bool
    sizes_differ: bool
    is_first: bool
    """Whether no message, and no header, came in this session before."""
    are_sizes_estimates: bool = False
    """Whether the octets announced have meant little before."""
    status_form: bytes | None = None
    """What the server is known to say behind +OK to RETR, with 0 for each number."""
