"""Messages over which sessions of a run ended, so that each costs a session or two and holds up nothing else.

Once may be chance: a line breaks, and some message is always under way then. So such a message is suspected and left to
the end, when all others are home; only one with which a session then begins, and ends, is set aside for this run.
"""

from __future__ import annotations

from collections.abc import Iterable

from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.model import MessageNumber, MessageRow
from migrator.pop3.failure import BrokenAtError
from migrator.pop3.protocol import Verb

BREAKING = frozenset({Kind.CONNECT, Kind.TIMEOUT, Kind.PROTOCOL})
"""What the ledger says of a message that was set aside because sessions ended over it."""

_NO_DELE = "delete it there by other means, or let it rest with: mailferry quarantine --accept {row}"


@dataclass(frozen=True, slots=True)
class Suspect:
    """One message over which a session ended. ``is_archived`` where all copies are proven: only its deletion waits."""

    verb: Verb
    error: FerryError
    is_archived: bool


class Suspects:
    """Who is suspected, and who is set aside."""

    def __init__(self) -> None:
        """Suspect nobody."""
        self._suspected: dict[MessageRow, Suspect | None] = {}
        self._set_aside: dict[MessageRow, Suspect] = {}

    @property
    def are_left(self) -> bool:
        """Whether any is to be tried once more."""
        return bool(self._suspected)

    @property
    def set_aside(self) -> dict[MessageRow, Suspect]:
        """Those that this run does not try again."""
        return dict(self._set_aside)

    def __contains__(self, row: MessageRow) -> bool:
        return row in self._suspected

    def are_without(self, row: MessageRow) -> bool:
        """Say whether a message is not suspected, and not set aside."""
        return row not in self._suspected and row not in self._set_aside

    def recall(self, row: MessageRow) -> None:
        """Suspect a message because an earlier run set it aside."""
        if self.are_without(row):
            self._suspected[row] = None

    def broke_at(self, row: MessageRow, error: BrokenAtError, *, is_archived: bool) -> None:
        """Note over which message a session ended: the second time, with it as the first, sets it aside."""
        error.cure = error.cure or (_NO_DELE.format(row=int(row)) if error.verb is Verb.DELE else "")
        where = self._set_aside if error.is_first and row in self._suspected else self._suspected
        self._suspected.pop(row, None)
        where[row] = Suspect(error.verb, error, is_archived)

    def came(self, row: MessageRow) -> None:
        """Clear a message that was retrieved; of a DELE that broke the line that says nothing."""
        suspect = self._suspected.get(row)
        if suspect is None or suspect.verb is not Verb.DELE:
            self._suspected.pop(row, None)

    def clear(self, rows: Iterable[MessageRow]) -> None:
        """Clear messages that a session tried before it came to its QUIT."""
        for row in rows:
            self._suspected.pop(row, None)


class WithoutTop:
    """Messages whose headers a run asks for no more: those over which the line broke, and all once it did over two."""

    def __init__(self) -> None:
        """Begin with none."""
        self._numbers: set[MessageNumber] = set()
        self._is_every_one = False

    def add(self, number: MessageNumber) -> None:
        """Take one. In the next session it may be another message's number: then that one is retrieved, too."""
        self._is_every_one |= bool(self._numbers - {number})
        self._numbers.add(number)

    def add_all(self) -> None:
        """Take all: a session that asked for headers broke over its first message, and may have had no room for it."""
        self._is_every_one = True

    def learn(self, error: FerryError, shown: int, retrieved: int) -> None:
        """Take what ended a session, which had ``shown`` some headers and ``retrieved`` some messages by then."""
        match error:
            case BrokenAtError(verb=Verb.TOP, number=number):
                self.add(number)
            case BrokenAtError(verb=Verb.RETR) if shown and not retrieved:
                self.add_all()
            case _:
                pass

    def __contains__(self, number: object) -> bool:
        return self._is_every_one or number in self._numbers
