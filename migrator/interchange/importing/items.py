"""What an import finds at a place: a message, one that is marked as deleted, or something that is left out."""

from __future__ import annotations

from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Message


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands beside a message. ``date`` is when it arrived, in seconds since the epoch; ``flags`` are IMAP's."""

    flags: frozenset[str] = frozenset()
    labels: tuple[str, ...] = ()
    date: float | None = None
    is_deleted: bool = False


NO_MARKS = Marks()


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message and where it was found; its body is good until the next is asked for.

    ``doubt`` says why it may not be whole: it is stored as it is, and named.
    """

    place: str
    message: Message
    marks: Marks = NO_MARKS
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Deleted:
    """A message that its program has marked as deleted: it is left out, and counted."""

    place: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was not taken, and why. ``is_trouble`` says that there may be mail in it."""

    place: str
    reason: str
    is_trouble: bool


Item = FoundMessage | Deleted | LeftOut
