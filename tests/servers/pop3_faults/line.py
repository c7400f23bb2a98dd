"""Lines that break, fall silent, or carry other replies than were asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY, dataclass
from itertools import chain, count, repeat

from tests.servers.pop3_faults.at import At
from tests.servers.pop3_session import Command, Fault, Session
from tests.servers.pop3_wire import HangUp, RunResult, Wire

_CHUNK = 1 << 16


@dataclass
class DropBefore(At):
    """Hangs up on a command instead of obeying it."""

    _: KW_ONLY
    how: RunResult = "close"

    def instead(self, session: Session, command: Command) -> Wire | None:
        return _hang_up(self.how) if self.strikes(command) else None


@dataclass
class DropUnanswered(At):
    """Obeys a command, then hangs up without a reply: at QUIT the marked messages are gone."""

    _: KW_ONLY
    how: RunResult = "close"

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return chain(_silenced(wire), _hang_up(self.how)) if self.strikes(command) else wire


@dataclass
class DropAfter(At):
    """Obeys and answers a command, then hangs up."""

    _: KW_ONLY
    how: RunResult = "close"

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return chain(wire, _hang_up(self.how)) if self.strikes(command) else wire


@dataclass
class DropInside(At):
    """Hangs up after so many bytes of a reply; its status line counts."""

    _: KW_ONLY
    after: int = 1
    how: RunResult = "close"

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return _cut(wire, self.after, self.how) if self.strikes(command) else wire


class DropInsideRetr(Fault):
    """Hangs up after so many bytes of a message."""

    def __init__(self, number: int, after: int, *, times: int | None = None, how: RunResult = "close") -> None:
        self._where = At("RETR", number, times=times)
        self._after = after
        self._how = how

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if not self._where.strikes(command):
            return wire
        return chain([next(wire)], _cut(wire, self._after, self._how))


@dataclass
class DropAfterBytes(Fault):
    """Hangs up after so many bytes of a session, wherever that is."""

    after: int
    how: RunResult = "close"

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return _cut(wire, self.after - session.written, self.how)


class SessionEnds(Fault):
    """Ends every session after so many commands of some kinds: at the next it hangs up, or falls silent.

    With ``at_once`` it hangs up right behind the reply to the last of them.
    """

    def __init__(
        self, after: int, *, at: str = "RETR", silently: bool = False, at_once: bool = False, how: RunResult = "close"
    ) -> None:
        self._after = after
        self._at = at.split()
        self._silently = silently
        self._at_once = at_once
        self._how = how
        self._sent: Counter[int] = Counter()

    def instead(self, session: Session, command: Command) -> Wire | None:
        if command.verb not in self._at:
            return None
        self._sent[session.number] += 1
        if self._sent[session.number] <= self._after:
            return None
        return _stall(session) if self._silently else _hang_up(self._how)

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        is_last = command.verb in self._at and self._sent[session.number] == self._after
        return chain(wire, _hang_up(self._how)) if self._at_once and is_last else wire


class AtMessages(Fault):
    """Another fault, only where a command is about one of these messages, whatever their numbers in a session."""

    def __init__(self, verb: str, keys: Iterable[int], fault: Fault) -> None:
        self._verb = verb
        self._keys = set(keys)
        self._fault = fault

    def _is_one(self, session: Session, command: Command) -> bool:
        message = session.existing(command.number) if command.verb == self._verb else None
        return message is not None and message.stored.key in self._keys

    def instead(self, session: Session, command: Command) -> Wire | None:
        return self._fault.instead(session, command) if self._is_one(session, command) else None

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return self._fault.wire(session, command, wire) if self._is_one(session, command) else wire


@dataclass
class Stall(At):
    """Falls silent: instead of obeying, or after so many bytes of the reply."""

    _: KW_ONLY
    after: int | None = None

    def instead(self, session: Session, command: Command) -> Wire | None:
        return _stall(session) if self.after is None and self.strikes(command) else None

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if self.after is None or not self.strikes(command):
            return wire
        return chain(_first(wire, self.after), _stall(session))


@dataclass
class OneByteAtATime(Fault):
    """Sends each byte by itself."""

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        session.flushes_always = True
        return (piece[start : start + 1] for piece in wire for start in range(len(piece)))


@dataclass
class Trickle(At):
    """Sends each byte of a reply by itself, so many seconds apart: never silent, never done."""

    _: KW_ONLY
    every: float = 0.01

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return self._trickle(session, wire) if self.strikes(command) else wire

    def _trickle(self, session: Session, wire: Wire) -> Wire:
        for piece in wire:
            for start in range(len(piece)):
                yield piece[start : start + 1]
                session.pause(self.every)


@dataclass
class LinesEndInLf(Fault):
    """Ends every line in a bare LF, messages included."""

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return (piece.replace(b"\r\n", b"\n") for piece in wire)


@dataclass
class Answers(At):
    """Answers a command with these words instead of obeying: response codes, refusals, nonsense."""

    _: KW_ONLY
    words: str | bytes = "-ERR no"

    def instead(self, session: Session, command: Command) -> Wire | None:
        words = self.words if isinstance(self.words, bytes) else self.words.encode()
        return iter([words + b"\r\n"]) if self.strikes(command) else None


@dataclass
class ReplyStray(At):
    """Says one line more than was asked for, behind the reply."""

    _: KW_ONLY
    line: bytes = b"+OK by the way"
    before: bool = False

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if not self.strikes(command):
            return wire
        stray = [self.line + b"\r\n"]
        return chain(stray, wire) if self.before else chain(wire, stray)


@dataclass
class ReplyDoubled(At):
    """Sends a reply twice."""

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if not self.strikes(command):
            return wire
        pieces = list(wire)
        return iter(pieces * 2)


@dataclass
class ReplyMissing(At):
    """Obeys a command without a word, and goes on."""

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return _silenced(wire) if self.strikes(command) else wire


@dataclass
class EndlessLine(At):
    """Begins a reply and never ends its first line."""

    def instead(self, session: Session, command: Command) -> Wire | None:
        return chain([b"+OK "], repeat(b"x" * _CHUNK)) if self.strikes(command) else None


class EndlessMessage(At):
    """Never ends a message: of many lines, or of one."""

    def __init__(self, number: int | None = None, *, one_line: bool = False, times: int | None = None) -> None:
        super().__init__("RETR", number, times=times)
        self._chunk = b"x" * _CHUNK if one_line else (b"x" * 62 + b"\r\n") * (_CHUNK // 64)

    def instead(self, session: Session, command: Command) -> Wire | None:
        start = b"+OK 100 octets\r\n", b"Subject: no end\r\n\r\n"
        return chain(start, repeat(self._chunk)) if self.strikes(command) else None


@dataclass
class EndlessListing(At):
    """Never ends a listing: at LIST, UIDL or CAPA."""

    def instead(self, session: Session, command: Command) -> Wire | None:
        if not self.strikes(command):
            return None
        lines = (b"".join(b"%d 1000\r\n" % n for n in range(start, start + 5000)) for start in count(1, 5000))
        return chain([b"+OK\r\n"], lines)


class QuitRefused(At):
    """Answers QUIT with -ERR; of the marked messages it removes all but the last ``kept``, or none."""

    def __init__(self, kept: int | None = None, *, times: int | None = None) -> None:
        super().__init__("QUIT", times=times)
        self._kept = kept

    def instead(self, session: Session, command: Command) -> Wire | None:
        return self._refuse(session) if self.strikes(command) else None

    def _refuse(self, session: Session) -> Wire:
        session.commit(keep=len(session.marked) if self._kept is None else self._kept)
        yield b"-ERR some deleted messages not removed\r\n"
        raise HangUp


class QuitLies(At):
    """Answers QUIT with +OK and removes nothing."""

    def __init__(self, *, times: int | None = None) -> None:
        super().__init__("QUIT", times=times)

    def instead(self, session: Session, command: Command) -> Wire | None:
        return chain([b"+OK bye\r\n"], _hang_up("close")) if self.strikes(command) else None


@dataclass
class PipelineSwallowed(Fault):
    """Offers PIPELINING, and forgets every command that came together with another one."""

    def batch(self, session: Session, lines: list[bytes]) -> list[bytes]:
        return lines[:1]


@dataclass
class PipelineReordered(Fault):
    """Offers PIPELINING, and answers commands that came together in the opposite order."""

    def batch(self, session: Session, lines: list[bytes]) -> list[bytes]:
        return lines[::-1]


def _hang_up(how: RunResult) -> Wire:
    yield from ()
    raise HangUp(how)


def _stall(session: Session) -> Wire:
    yield from ()
    session.stall()


def _silenced(wire: Wire) -> Wire:
    for _ in wire:
        pass
    yield b""


def _first(wire: Wire, octets: int) -> Iterator[bytes]:
    for piece in wire:
        yield piece[:octets]
        octets -= len(piece)
        if octets <= 0:
            return


def _cut(wire: Wire, octets: int, how: RunResult) -> Wire:
    for piece in wire:
        if len(piece) >= octets:
            yield piece[: max(octets, 0)]
            raise HangUp(how)
        octets -= len(piece)
        yield piece
