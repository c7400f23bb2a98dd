"""A maildrop as a script for ``ScriptedStream``: correct, unless a test overrides what it says to a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from migrator.errors import FerryError
from migrator.message.body import Body, PiecedBody
from migrator.model import ListedMessage, MessageNumber, UniqueId
from migrator.net.stream import Clock
from migrator.net.tls import TlsMode, TlsSettings
from migrator.pop3.retrieve import InStep, Retrieved, RetrieveEvent
from migrator.pop3.server_profile import ServerProfile
from migrator.pop3.session import Session, Source, open_session
from migrator.pop3.transport import OpenStream, Saying, ScriptedStream

CAPA = ("TOP", "UIDL", "USER", "PIPELINING", "RESP-CODES")
PASSWORD = "pass-word-1"

Answer = Callable[[], Iterable[Saying]]


def stuffed(message: bytes) -> bytes:
    """Return the wire form of a message's content, with the final dot."""
    return (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


@dataclass
class Maildrop:
    """Answers commands. ``says`` overrides by whole line (``RETR 3``) or by verb (``RETR``); values are sayings."""

    messages: Sequence[bytes]
    capa: Sequence[str] = CAPA
    says: Mapping[str, list[Saying]] = field(default_factory=dict)
    before: Mapping[str, bytes] = field(default_factory=dict)
    after: Mapping[str, bytes] = field(default_factory=dict)
    sizes: Mapping[int, int] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)

    def __call__(self, line: bytes) -> Iterator[Saying]:
        command = line.decode("latin-1").strip()
        verb = command.split(" ")[0]
        yield self.before.get(command, b"")
        for key in (command, verb):
            if key in self.says:
                yield from self.says[key]
                return
        yield from self._answer(verb, command.split(" ")[1:])
        yield self.after.get(command, b"")

    def _answer(self, verb: str, words: Sequence[str]) -> Iterator[Saying]:
        number = int(words[0]) if words and words[0].isdigit() else 0
        match verb:
            case "CAPA":
                yield b"+OK\r\n" + b"".join(f"{name}\r\n".encode() for name in self.capa) + b".\r\n"
            case "STAT":
                yield b"+OK %d %d\r\n" % (len(self._left()), sum(self._size(left) for left in self._left()))
            case "LIST":
                yield b"+OK\r\n" + b"".join(b"%d %d\r\n" % (left, self._size(left)) for left in self._left()) + b".\r\n"
            case "UIDL":
                yield b"+OK\r\n" + b"".join(b"%d uid-%d\r\n" % (left, left) for left in self._left()) + b".\r\n"
            case "RETR" if number in self._left():
                message = self.messages[number - 1]
                yield b"+OK %d octets\r\n" % len(message) + stuffed(message)
            case "TOP" if number in self._left():
                yield b"+OK\r\n" + stuffed(self.messages[number - 1].partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
            case "DELE" if number in self._left():
                self.deleted.add(number)
                yield b"+OK marked\r\n"
            case "RSET":
                self.deleted.clear()
                yield b"+OK\r\n"
            case "USER" | "PASS" | "NOOP" | "QUIT" | "STLS":
                yield b"+OK fine\r\n"
            case _:
                yield b"-ERR no such thing\r\n"

    def _left(self) -> list[int]:
        return [number for number in range(1, len(self.messages) + 1) if number not in self.deleted]

    def _size(self, number: int) -> int:
        return self.sizes.get(number, len(self.messages[number - 1]))


@dataclass
class Room:
    """A budget of so many octets; ``given_back`` empties it."""

    octets: int = 1 << 40
    taken: int = 0

    def take(self, octets: int) -> bool:
        if self.taken and self.taken + octets > self.octets:
            return False
        self.taken += octets
        return True


@dataclass
class MemorySpool:
    """A spool that can be looked at."""

    pieces: list[bytes] = field(default_factory=list)

    def write(self, lines: bytes) -> None:
        self.pieces.append(lines)

    def body(self, octets: int) -> Body:
        body = PiecedBody(tuple(self.pieces))
        assert body.octets == octets
        return body


def source(**changes: object) -> Source:
    given: dict[str, object] = {
        "host": "localhost",
        "port": 110,
        "tls": TlsSettings(TlsMode.NONE),
        "username": "alice",
        **changes,
    }
    return Source(**given)  # type: ignore[arg-type]  # tests give one field by name


@dataclass
class Opened:
    """A session and the stream under it."""

    session: Session
    streams: list[ScriptedStream]

    @property
    def heard(self) -> list[bytes]:
        return self.streams[-1].heard

    @property
    def is_closed(self) -> bool:
        return self.streams[-1].is_closed

    def numbers(self, *numbers: int) -> list[MessageNumber]:
        return [MessageNumber(number) for number in numbers]


def connecting(
    script: Callable[[bytes], Iterable[Saying]],
    streams: list[ScriptedStream],
    *,
    slice_size: int = 1 << 20,
    greeting: bytes = b"+OK ready\r\n",
) -> OpenStream:
    """Return what opens scripted streams and remembers them."""

    def open_it(host: str, port: int, *, timeout: float, clock: Clock) -> ScriptedStream:
        streams.append(ScriptedStream(script, slice_size=slice_size, greeting=greeting))
        return streams[-1]

    return open_it


def opened(
    script: Callable[[bytes], Iterable[Saying]],
    profile: ServerProfile | None = None,
    *,
    slice_size: int = 1 << 20,
    greeting: bytes = b"+OK ready\r\n",
    **changes: object,
) -> Opened:
    """Open a session with a script."""
    streams: list[ScriptedStream] = []
    session = open_session(
        source(**changes),
        lambda: PASSWORD,
        profile or ServerProfile(),
        clock=lambda: 0.0,
        connect=connecting(script, streams, slice_size=slice_size, greeting=greeting),
    )
    return Opened(session, streams)


def refused(script: Callable[[bytes], Iterable[Saying]], **changes: object) -> FerryError:
    """Return why a session cannot be opened."""
    with pytest.raises(FerryError) as caught:
        opened(script, **changes)  # type: ignore[arg-type]  # tests give one field by name
    return caught.value


def wanted(messages: Sequence[bytes], sizes: Mapping[int, int] | None = None) -> Iterator[ListedMessage]:
    """Want every message, announced with its true size or another."""
    for number, message in enumerate(messages, start=1):
        octets = (sizes or {}).get(number, len(message))
        yield ListedMessage(MessageNumber(number), UniqueId(b""), octets)


def retrieving(
    open_one: Opened, messages: Sequence[bytes], sizes: Mapping[int, int] | None = None, room: Room | None = None
) -> Iterator[RetrieveEvent]:
    return open_one.session.retrieve(wanted(messages, sizes), room or Room(), MemorySpool)


def contents(told: Sequence[RetrieveEvent]) -> list[bytes]:
    """Return what was retrieved and known to be in step."""
    safe: list[bytes] = []
    waiting: list[bytes] = []
    for event in told:
        if isinstance(event, Retrieved):
            waiting.append(b"".join(event.message.body.chunks()))
        elif isinstance(event, InStep):
            safe += waiting
            waiting = []
    return safe


def sample(number: int, octets: int = 300) -> bytes:
    """Return one message whose content tells its number."""
    header = b"Message-ID: <%d@example.org>\r\nSubject: message %d\r\n\r\n" % (number, number)
    line = b"line of message %d\r\n" % number
    return header + line * max(1, (octets - len(header)) // len(line))
