"""Listings that lie: unique-ids, sizes, counts, and maildrops larger than any."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from tests.servers.pop3_faults.greeting import Unsupported
from tests.servers.pop3_session import Command, Fault, Session, Shown
from tests.servers.pop3_wire import Wire, content, multi, one, sent_form


class _UniqueIds(Fault):
    @abstractmethod
    def unique_id(self, session: Session, number: int, message: Shown) -> bytes:
        """What this session shows as the unique-id of a message."""

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        return [
            replace(message, unique_id=self.unique_id(session, number, message))
            for number, message in enumerate(messages, 1)
        ]


class NoUniqueIds(Unsupported):
    """Knows nothing of UIDL."""

    def __init__(self) -> None:
        super().__init__("UIDL")


@dataclass
class RepeatedUniqueIds(_UniqueIds):
    """Gives each unique-id to so many messages in a row."""

    times: int = 2

    def unique_id(self, session: Session, number: int, message: Shown) -> bytes:
        return b"same-%d" % ((message.stored.key - 1) // self.times)


@dataclass
class ChangingUniqueIds(_UniqueIds):
    """Gives every message a new unique-id in each session."""

    def unique_id(self, session: Session, number: int, message: Shown) -> bytes:
        return b"%d-%d" % (session.login, message.stored.key)


@dataclass
class NumbersAsUniqueIds(_UniqueIds):
    """Takes the message number of the session for a unique-id, so that it moves to another message."""

    def unique_id(self, session: Session, number: int, message: Shown) -> bytes:
        return b"%d" % number


@dataclass
class EmptyUniqueIds(_UniqueIds):
    """Leaves out the unique-id on every line of UIDL."""

    def unique_id(self, session: Session, number: int, message: Shown) -> bytes:
        return b""


@dataclass
class LongUniqueIds(_UniqueIds):
    """Gives unique-ids of so many bytes that differ at the very end; RFC 1939 allows 70."""

    octets: int = 200

    def unique_id(self, session: Session, number: int, message: Shown) -> bytes:
        return (b"%d" % message.stored.key).rjust(self.octets, b"u")


@dataclass
class SpacesInUniqueIds(_UniqueIds):
    """Gives unique-ids that are equal up to a space."""

    def unique_id(self, session: Session, number: int, message: Shown) -> bytes:
        return b"uid of  %d" % message.stored.key


@dataclass
class EightBitUniqueIds(_UniqueIds):
    """Gives unique-ids that are neither ASCII nor UTF-8."""

    def unique_id(self, session: Session, number: int, message: Shown) -> bytes:
        return b"\xff\xfeid-%d\xe9" % message.stored.key


@dataclass
class WrongSizes(Fault):
    """Announces other sizes than it sends: so many bytes more or less, or rounded up to a multiple."""

    by: int = 0
    rounded_to: int = 1

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        return [replace(message, octets=self._size(message.octets)) for message in messages]

    def _size(self, octets: int) -> int:
        return max(0, -(-(octets + self.by) // self.rounded_to) * self.rounded_to)


@dataclass
class OnlyFirst(Fault):
    """Shows only the oldest so many messages in each session, as Gmail does."""

    count: int

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        return messages[: self.count]


@dataclass
class SeenEmpty(Fault):
    """Shows an empty maildrop to one log-in, counted from 1."""

    login: int = 1

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        return [] if session.login == self.login else messages


@dataclass
class StatSays(Fault):
    """Answers STAT with numbers of its own, whatever is listed."""

    count: int
    octets: int

    def instead(self, session: Session, command: Command) -> Wire | None:
        return one(b"+OK %d %d" % (self.count, self.octets)) if command.verb == "STAT" and session.login else None


class CountsMarked(Fault):
    """Shows what is marked for deletion until QUIT, as Twisted does: in STAT, and in LIST with no octets."""

    def __init__(self, verbs: Iterable[str] = ("STAT", "LIST")) -> None:
        self._verbs = set(verbs)

    def instead(self, session: Session, command: Command) -> Wire | None:
        if not session.login or command.verb not in self._verbs:
            return None
        if command.verb == "STAT":
            octets = sum(message.octets for _, message in session.remaining())
            return one(b"+OK %d %d" % (len(session.messages), octets))
        sizes = (0 if n in session.marked else message.octets for n, message in enumerate(session.messages, 1))
        return multi(b"+OK", (b"%d %d" % line for line in enumerate(sizes, 1)))


@dataclass
class GrowsOnRetr(Fault):
    """Counts a message more in STAT after each RETR: mail that arrives is shown at once in a busy maildrop."""

    octets: int = 100
    arrived: int = field(default=0, init=False)

    def instead(self, session: Session, command: Command) -> Wire | None:
        if not session.login:
            return None
        if command.verb == "RETR":
            self.arrived += 1
        if command.verb != "STAT":
            return None
        remaining = [message.octets for _, message in session.remaining()]
        return one(b"+OK %d %d" % (len(remaining) + self.arrived, sum(remaining) + self.arrived * self.octets))


@dataclass
class StatMoves(Fault):
    """Gives more octets at each STAT, whatever is listed."""

    asked: int = field(default=0, init=False)

    def instead(self, session: Session, command: Command) -> Wire | None:
        if command.verb != "STAT" or not session.login:
            return None
        self.asked += 1
        remaining = [message.octets for _, message in session.remaining()]
        return one(b"+OK %d %d" % (len(remaining), sum(remaining) + self.asked))


class SizesRoundedUntilRead(Fault):
    """Rounds sizes up to so many octets in STAT and LIST until a message was retrieved, as estimates are."""

    def __init__(self, rounded_to: int = 1000) -> None:
        self._rounded_to = rounded_to
        self._read: set[int] = set()

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        return [self._estimated(message) for message in messages]

    def _estimated(self, message: Shown) -> Shown:
        if message.stored.key in self._read:
            return message
        return replace(message, octets=-(-message.octets // self._rounded_to) * self._rounded_to)

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        message = session.existing(command.number) if command.verb == "RETR" else None
        if message is not None and command.number is not None:
            self._read.add(message.stored.key)
            session.messages[command.number - 1] = replace(message, octets=len(sent_form(message.content)))
        return wire


class ListingLines(Fault):
    """Says other lines than are right in a listing; ``change`` takes and gives them without their line ends."""

    def __init__(self, verb: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
        self._verb = verb
        self._change = change

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if command.verb != self._verb or command.number is not None:
            return wire
        status, *lines = b"".join(wire).removesuffix(b".\r\n").split(b"\r\n")[:-1]
        return multi(status, iter(self._change(lines)))


def small_message(number: int) -> bytes:
    """One of the messages of ``ManyMessages``."""
    return b"Subject: message %d\r\n\r\nbody of %d\r\n" % (number, number)


@dataclass
class ManyMessages(Fault):
    """Shows a maildrop of so many generated messages, none of them kept anywhere; QUIT forgets deletions.

    ``octets`` is what LIST announces; without it, the true size.
    """

    count: int = 1_000_000
    octets: int | None = None
    make: Callable[[int], bytes] = field(default=small_message, repr=False)

    def instead(self, session: Session, command: Command) -> Wire | None:
        if not session.login:
            return None
        match command.verb, command.number:
            case "STAT", _:
                return self._stat(session)
            case "LIST", None:
                return multi(b"+OK", self._lines(session, lambda n: b"%d %d" % (n, self._size(n))))
            case "UIDL", None:
                return multi(b"+OK", self._lines(session, lambda n: b"%d many-%08d" % (n, n)))
            case (("RETR" | "TOP"), int(number)) if self._exists(session, number):
                return content(b"+OK", self.make(number))
            case "DELE", int(number) if self._exists(session, number):
                session.marked.add(number)
                return one(b"+OK marked")
            case "QUIT", _:
                session.marked.clear()
            case _:
                pass
        return None

    @cached_property
    def _total(self) -> int:
        return sum(self._size(number) for number in range(1, self.count + 1))

    def _stat(self, session: Session) -> Wire:
        marked = sum(self._size(number) for number in session.marked)
        return one(b"+OK %d %d" % (self.count - len(session.marked), self._total - marked))

    def _size(self, number: int) -> int:
        return len(self.make(number)) if self.octets is None else self.octets

    def _exists(self, session: Session, number: int) -> bool:
        return 1 <= number <= self.count and number not in session.marked

    def _lines(self, session: Session, line: Callable[[int], bytes]) -> Iterator[bytes]:
        return (line(number) for number in range(1, self.count + 1) if number not in session.marked)
