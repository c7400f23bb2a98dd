"""The POP3 conversation without a line to hold it on: which commands are legal, what the bytes that come in mean.

Pure. ``send`` gives the bytes of a command and remembers that a reply is due; ``receive`` takes bytes in any slices;
``next_event`` gives replies in order or ``NEED_DATA``. States and moves stand in one table (RFC 1939, sections 3 to 6;
STLS RFC 2595; AUTH RFC 5034), one function applies it, and a move that is not there raises.

A reply that lies complete in the buffer comes as one ``Reply`` with its content; one that does not and is long comes
as ``BodyBegins``, any number of ``BodyPart``, ``BodyEnds``, so that memory stays flat whatever a message weighs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum, StrEnum
from typing import Final

from migrator.errors import FerryError, Kind, printable
from migrator.lazy_dataclasses import dataclass
from migrator.model import MessageNumber
from migrator.pop3.replies import MAX_STATUS_LINE, BodyReader, parse_status, whole_body

MOST_GREETING_LINES = 20
"""Some servers greet in several lines, or with a blank line first; none needs more than this."""

WHOLE_LIMIT = 16 * 1024
"""An incomplete reply longer than this is not looked at again from its start, but streamed."""


class State(StrEnum):
    """Where the session stands."""

    GREETING = "waiting for the greeting"
    AUTHORIZATION = "not logged in"
    SECURING = "about to begin TLS"
    EXCHANGE = "in a SASL exchange"
    TRANSACTION = "logged in"
    LEAVING = "waiting for the reply to QUIT"
    CLOSED = "closed"


class Verb(StrEnum):
    """What can be said, and three events that no command stands for."""

    CAPA = "CAPA"
    STLS = "STLS"
    USER = "USER"
    PASS = "PASS"  # noqa: S105 - RFC 1939's keyword
    APOP = "APOP"
    AUTH = "AUTH"
    STAT = "STAT"
    LIST = "LIST"
    UIDL = "UIDL"
    RETR = "RETR"
    TOP = "TOP"
    DELE = "DELE"
    NOOP = "NOOP"
    RSET = "RSET"
    QUIT = "QUIT"
    GREETING = "the greeting"
    RESPONSE = "a SASL response"
    TLS = "the TLS handshake"


class Outcome(StrEnum):
    """What happened to a command."""

    SENT = "sent"
    OK = "+OK"
    ERR = "-ERR"
    CHALLENGE = "+"


def _stays(state: State, *verbs: Verb) -> dict[tuple[Verb, Outcome], State]:
    return {(verb, outcome): state for verb in verbs for outcome in (Outcome.SENT, Outcome.OK, Outcome.ERR)}


MOVES: Final[dict[State, dict[tuple[Verb, Outcome], State]]] = {
    State.GREETING: {
        (Verb.GREETING, Outcome.OK): State.AUTHORIZATION,
        (Verb.GREETING, Outcome.ERR): State.CLOSED,
    },
    State.AUTHORIZATION: {
        **_stays(State.AUTHORIZATION, Verb.CAPA, Verb.USER, Verb.PASS, Verb.APOP, Verb.STLS),
        (Verb.STLS, Outcome.OK): State.SECURING,
        (Verb.PASS, Outcome.OK): State.TRANSACTION,
        (Verb.APOP, Outcome.OK): State.TRANSACTION,
        (Verb.AUTH, Outcome.SENT): State.EXCHANGE,
        (Verb.QUIT, Outcome.SENT): State.LEAVING,
    },
    State.SECURING: {(Verb.TLS, Outcome.OK): State.AUTHORIZATION},
    State.EXCHANGE: {
        (Verb.AUTH, Outcome.CHALLENGE): State.EXCHANGE,
        (Verb.RESPONSE, Outcome.SENT): State.EXCHANGE,
        (Verb.AUTH, Outcome.OK): State.TRANSACTION,
        (Verb.AUTH, Outcome.ERR): State.AUTHORIZATION,
    },
    State.TRANSACTION: {
        **_stays(
            State.TRANSACTION,
            *(Verb.CAPA, Verb.STAT, Verb.LIST, Verb.UIDL, Verb.RETR, Verb.TOP, Verb.DELE, Verb.NOOP, Verb.RSET),
        ),
        (Verb.QUIT, Outcome.SENT): State.LEAVING,
    },
    State.LEAVING: {
        (Verb.QUIT, Outcome.OK): State.CLOSED,
        (Verb.QUIT, Outcome.ERR): State.CLOSED,
    },
    State.CLOSED: {},
}

_MULTI_LINE = frozenset({Verb.CAPA, Verb.LIST, Verb.UIDL, Verb.RETR, Verb.TOP})

# What is asked of each message: in Python 3.11 a member takes ten times as long to look up as a name of the module.
_SENT, _OK, _ERR, _GREETING = Outcome.SENT, Outcome.OK, Outcome.ERR, State.GREETING


class IllegalMoveError(Exception):
    """The program (not the server) did what the state does not allow: a bug."""

    def __init__(self, state: State, verb: Verb, outcome: Outcome) -> None:
        legal = ", ".join(f"{a_verb} {an_outcome}" for a_verb, an_outcome in MOVES[state]) or "nothing"
        super().__init__(f"{verb} {outcome} while {state}; legal: {legal}")


def next_state(state: State, verb: Verb, outcome: Outcome) -> State:
    """Return where a move leads. Raises ``IllegalMoveError`` for one that is not in the table."""
    try:
        return MOVES[state][verb, outcome]
    except KeyError:
        raise IllegalMoveError(state, verb, outcome) from None


class NeedData(Enum):
    """Nothing more can be said before more bytes come."""

    NEED_DATA = "need data"


NEED_DATA: Final = NeedData.NEED_DATA


@dataclass(slots=True)
class Reply:
    """A complete reply. ``content`` is dot-unstuffed, ``b""`` for a reply of one line; ``number`` 0 without one."""

    verb: Verb
    number: int
    is_ok: bool
    text: bytes
    content: bytes


@dataclass(slots=True)
class Challenge:
    """The server asks for the next SASL response; still in base64."""

    text: bytes


@dataclass(slots=True)
class BodyBegins:
    """A long reply has begun; it is a ``+OK``."""

    verb: Verb
    number: int
    text: bytes


@dataclass(slots=True)
class BodyPart:
    """The next bytes of a long reply, dot-unstuffed; never cut between CR and LF."""

    content: bytes


@dataclass(slots=True)
class BodyEnds:
    """The long reply is complete."""


Event = Reply | Challenge | BodyBegins | BodyPart | BodyEnds


class OutOfStepError(FerryError):
    """What the server says does not fit what it was asked: nothing it said lately can be trusted."""


def out_of_step(what: str, words: bytes, secrets: tuple[bytes, ...] = ()) -> OutOfStepError:
    """Return the error for a conversation that cannot be trusted any more."""
    return OutOfStepError(
        Kind.PROTOCOL,
        f"out of step with the server: {what}",
        server_words=printable(words, secrets=secrets, limit=120),
    )


LINE_ENDING = frozenset({Kind.CONNECT, Kind.TLS, Kind.TIMEOUT, Kind.PROTOCOL, Kind.SHORT})
"""What leaves nothing to say on this line; else the session may go on."""


class Protocol:
    """One session's state, the replies that are due, and the bytes not understood yet."""

    def __init__(self) -> None:
        self.state = State.GREETING
        self.completed = 0
        """How many replies have come in full."""
        self.secrets: tuple[bytes, ...] = ()
        """What no error may repeat."""
        self._due: deque[tuple[Verb, int]] = deque([(Verb.GREETING, 0)])
        self._buffer = b""
        self._position = 0
        self._reader: BodyReader | None = None
        self._parts: deque[bytes] = deque()
        self._greeting_lines = 0

    @property
    def in_flight(self) -> int:
        """How many replies are due."""
        return len(self._due)

    @property
    def due(self) -> tuple[Verb, int] | None:
        """The command, with its message number, whose reply comes next."""
        return self._due[0] if self._due else None

    @property
    def is_reply_begun(self) -> bool:
        """Whether part of the next reply has come."""
        return self._reader is not None or self._position < len(self._buffer)

    @property
    def ends_in_dot(self) -> bool:
        """Whether the reply under way ends with a dot that no line end precedes; see ``BodyReader``."""
        if self._reader is not None:
            return self._reader.ends_in_dot
        return self._buffer.endswith((b".\r\n", b".\n")) and self._buffer.count(b"\n", self._position) > 1

    @property
    def leftover(self) -> bytes:
        """Bytes that came and belong to no reply yet."""
        return self._buffer[self._position :]

    def send(self, verb: Verb, number: int = 0, argument: bytes = b"") -> bytes:
        """Return the bytes of a command and expect its reply. ``argument`` follows ``number`` where both are given."""
        self.state = next_state(self.state, verb, _SENT)
        self._due.append((verb, number))
        if number:
            return b"%s %d%s\r\n" % (verb.encode(), number, b" " + argument if argument else b"")
        return verb.encode() + (b" " + argument if argument else b"") + b"\r\n"

    def send_each(self, verb: Verb, numbers: Sequence[MessageNumber]) -> bytes:
        """Return the bytes of a command for each of these messages, and expect their replies."""
        self.state = next_state(self.state, verb, Outcome.SENT)
        self._due.extend([(verb, number) for number in numbers])
        return b"".join([b"%s %d\r\n" % (verb.encode(), number) for number in numbers])

    def respond(self, response: bytes) -> bytes:
        """Return the bytes of a SASL response, already in base64; the reply due stays AUTH's."""
        self.state = next_state(self.state, Verb.RESPONSE, Outcome.SENT)
        return response + b"\r\n"

    def secured(self) -> None:
        """Note that TLS is on. Raises ``protocol`` if plain bytes came behind STLS's reply (RFC 2595, section 4)."""
        if self._position < len(self._buffer):
            raise out_of_step(
                "bytes came before encryption began; someone may have injected them", self.leftover, self.secrets
            )
        self.state = next_state(self.state, Verb.TLS, Outcome.OK)

    def receive(self, data: bytes) -> None:
        """Take bytes from the server."""
        self._buffer = self._buffer[self._position :] + data if self._position < len(self._buffer) else data
        self._position = 0

    def next_event(self) -> Event | NeedData:
        """Return the next event, or ``NEED_DATA``. Raises ``protocol`` when what came is no reply."""
        if self._reader is not None:
            return self._next_part(self._reader)
        if self._parts:
            return self._streamed_part()
        buffer, start = self._buffer, self._position
        line_end = buffer.find(b"\n", start, start + MAX_STATUS_LINE)
        if line_end < 0:
            return self._no_line(len(buffer) - start)
        if not self._due:
            raise out_of_step("it spoke without being asked", self.leftover, self.secrets)
        if self._is_greeting(line := buffer[start:line_end]):
            self._position = line_end + 1
            return self.next_event()
        return self._reply(line, line_end + 1)

    def accepted(self, verb: Verb) -> list[MessageNumber]:
        """Take the +OKs to a command with replies of one line, as many as have come in a row; returns their numbers."""
        due, buffer, position = self._due, self._buffer, self._position
        numbers: list[MessageNumber] = []
        while due and due[0][0] is verb and buffer.startswith(b"+OK", position):
            line_end = buffer.find(b"\n", position, position + MAX_STATUS_LINE)
            if line_end < 0:
                break
            position = line_end + 1
            numbers.append(MessageNumber(due.popleft()[1]))
        self._position = position
        self.completed += len(numbers)
        return numbers

    def is_in_greeting(self) -> bool:
        """Leave out what came of a greeting of several lines; say whether the rest may be the beginning of one more."""
        while not self._due and (line_end := self._buffer.find(b"\n", self._position)) >= 0:
            line = self._buffer[self._position : line_end]
            if not (self._is_greeting(line) or self._is_another_greeting(line)):
                return False
            self._position = line_end + 1
        return self._is_greeting(self.leftover)

    def _is_greeting(self, line: bytes) -> bool:
        """Say whether this is a blank line before the greeting, or text behind its first line and before any reply."""
        is_behind = self.completed == 1 and self.state in {State.AUTHORIZATION, State.EXCHANGE}
        if (self.state is _GREETING and not line.strip()) or (is_behind and not line.startswith((b"+", b"-"))):
            self._greeting_lines += 1
            return self._greeting_lines <= MOST_GREETING_LINES
        return False

    def _is_another_greeting(self, line: bytes) -> bool:
        """Say whether this is a second +OK that came before anything was asked: it can be the reply to nothing."""
        self._greeting_lines += 1
        is_behind = self.completed == 1 and self.state is State.AUTHORIZATION
        return is_behind and line[:3].upper() == b"+OK" and self._greeting_lines <= MOST_GREETING_LINES

    def _no_line(self, octets: int) -> NeedData:
        if octets >= MAX_STATUS_LINE:
            raise out_of_step("an endless status line", self.leftover, self.secrets)
        return NEED_DATA

    def _reply(self, line: bytes, behind: int) -> Event | NeedData:
        """Understand the reply whose status line this is; ``behind`` is where the line's successor begins."""
        verb, number = self._due[0]
        status = parse_status(line)
        if status is None:
            return self._challenge(line, behind)
        if status.is_ok and verb in _MULTI_LINE:
            is_bare_lf = not line.endswith(b"\r")
            whole = whole_body(self._buffer, behind, is_bare_lf=is_bare_lf)
            if whole is None:
                return self._unfinished(verb, number, status.text, behind, is_bare_lf=is_bare_lf)
            content, self._position = whole
        else:
            content = b""
            self._position = behind
        self._complete(verb, _OK if status.is_ok else _ERR)
        return Reply(verb, number, status.is_ok, status.text, content)

    def _challenge(self, line: bytes, behind: int) -> Challenge:
        verb, _ = self._due[0]
        if self.state is not State.EXCHANGE or not line.startswith(b"+"):
            hint = "; is it a POP3 server? check host and port" if self.state is State.GREETING else ""
            raise out_of_step(f"this is not a reply to {verb}{hint}", line.strip(), self.secrets)
        self.state = next_state(self.state, verb, Outcome.CHALLENGE)
        self._position = behind
        return Challenge(line[1:].strip())

    def _unfinished(
        self, verb: Verb, number: int, text: bytes, behind: int, *, is_bare_lf: bool
    ) -> BodyBegins | NeedData:
        if len(self._buffer) - self._position < WHOLE_LIMIT:
            return NEED_DATA
        self._reader = BodyReader(is_bare_lf=is_bare_lf)
        self._position = behind
        return BodyBegins(verb, number, text)

    def _next_part(self, reader: BodyReader) -> Event | NeedData:
        """Feed the reader what has come; its pieces are given one by one before the next feeding."""
        if self._parts:
            return self._streamed_part()
        if self._position >= len(self._buffer):
            return NEED_DATA
        data = self._buffer[self._position :] if self._position else self._buffer
        parts, end = reader.feed(data)
        self._parts.extend(parts)
        if end < 0:
            self._buffer, self._position = b"", 0
            return self._streamed_part() if self._parts else NEED_DATA
        self._buffer, self._position = data, end
        self._reader = None
        self._parts.append(b"")  # stands for the end
        return self._streamed_part()

    def _streamed_part(self) -> BodyPart | BodyEnds:
        part = self._parts.popleft()
        if part:
            return BodyPart(part)
        verb, _ = self._due[0]
        self._complete(verb, Outcome.OK)
        return BodyEnds()

    def _complete(self, verb: Verb, outcome: Outcome) -> None:
        self.state = next_state(self.state, verb, outcome)
        self._due.popleft()
        self.completed += 1
