"""One session of the scripted POP3 server, open to faults.

A session reads what is buffered and answers line by line, so a client may pipeline. Every reply is an iterator of
pieces, the status line first and alone; a ``Fault`` may answer in its place, or wrap the iterator and damage it.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from tests.servers.maildrop import Maildrop, StoredMessage
from tests.servers.pop3_auth import Dialogue, RefusedError, Secrets, challenge
from tests.servers.pop3_rule import Judge, Seen
from tests.servers.pop3_wire import HangUp, RunResult, Wire, one, sent_form

_FLUSH_AT = 1 << 16


@dataclass(frozen=True, slots=True)
class Command:
    """One line from a client. ``verb`` is ``GREETING`` before the first line and ``RESPONSE`` within AUTH."""

    time: float
    session: int
    verb: str
    line: bytes = b""
    encrypted: bool = False

    @property
    def number(self) -> int | None:
        """The first argument, where it is a number."""
        argument = self.line.partition(b" ")[2].split(b" ", 1)[0]
        return int(argument) if argument.isdigit() else None


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as one session shows it; ``octets`` is what LIST says."""

    stored: StoredMessage
    content: bytes
    unique_id: bytes
    octets: int


class Fault:
    """A server that behaves; each fault overrides what it damages."""

    def connected(self, server: Host) -> None:
        """A connection was accepted; raising HangUp ends it without a greeting."""

    def handshake(self, session: Session) -> None:
        """TLS is about to begin."""

    def capabilities(self, session: Session, offered: list[bytes]) -> list[bytes]:
        """What CAPA shows."""
        return offered

    def refusal(self, session: Session) -> bytes | None:
        """Why a log-in with the right password fails all the same, as the words after -ERR."""
        return None

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        """What this session shows, from its log-in to its end."""
        return messages

    def batch(self, session: Session, lines: list[bytes]) -> list[bytes]:
        """Which of the lines that arrived together are worked, in which order."""
        return lines

    def instead(self, session: Session, command: Command) -> Wire | None:
        """The answer, in place of doing what was asked."""
        return None

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        """The reply, damaged, after doing what was asked."""
        return wire


class Host(Protocol):
    """What a session needs of its server."""

    faults: tuple[Fault, ...]
    auth: tuple[str, ...]
    tls: str
    secrets: Secrets

    @property
    def tls_context(self) -> ssl.SSLContext: ...
    def time(self) -> float: ...
    def stop_listening(self) -> None: ...
    def maildrop_of(self, user: str) -> Maildrop: ...
    def heard(self, command: Command) -> None: ...
    def judge_of(self, session: Session) -> Judge: ...
    def broke_the_rule(self, how: str) -> None: ...
    def logged_in(self, session: Session, mechanism: str) -> int: ...
    def remove(self, session: Session, message: Shown) -> None: ...
    def has_others_in(self, session: Session) -> bool: ...
    def open_sessions(self) -> int: ...


class Session:
    """One connection. ``number`` counts connections; ``login`` counts log-ins and is 0 while nobody is in.

    ``obey`` does what a command asks and returns the reply, as a server without faults would.
    """

    def __init__(self, server: Host, number: int, line: socket.socket, obey: Obey) -> None:
        self.server = server
        self.number = number
        self.user = ""
        self.login = 0
        self.messages: list[Shown] = []
        self.marked: set[int] = set()
        self.encrypted = server.tls == "implicit"
        self.written = 0
        self.flushes_always = False
        self.greeting_stamp = b"<%d.%d@localhost>" % (number, id(self))
        self._obey = obey
        self._line = line
        self._input = b""
        self._output: list[bytes] = []
        self._pending = 0
        self._dialogue: Dialogue | None = None
        self._judge: Judge | None = None
        self._is_cut = Event()

    def run(self) -> None:
        """Serve until either side ends it."""
        try:
            if self.encrypted:
                self._shake_hands()
            self._answer(self._command("GREETING"))
            self.flush()
            while True:
                self._answer_lines(self._read_lines())
                self.flush()
        except HangUp as ending:
            self.login = 0
            with suppress(OSError):
                self.flush()
                self._end(ending.how)
        except OSError:
            pass  # the client went away
        finally:
            self._line.close()

    def cut(self) -> None:
        """Cut the line from another thread, which ends ``run``."""
        self._is_cut.set()
        with suppress(OSError):
            socket.socket.shutdown(self._line, socket.SHUT_RDWR)

    def send(self, data: bytes) -> None:
        """Send soon; at once where a fault says so."""
        self._output.append(data)
        self._pending += len(data)
        self.written += len(data)
        if self._pending >= _FLUSH_AT or self.flushes_always:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        data, self._output, self._pending = b"".join(self._output), [], 0
        self._line.sendall(data)

    def stall(self) -> None:
        """Fall silent until the client hangs up or the server is stopped."""
        self.flush()
        while self._line.recv(_FLUSH_AT):
            pass
        raise HangUp

    def pause(self, seconds: float) -> None:
        """Let time pass before the next piece."""
        self.flush()
        if self._is_cut.wait(seconds):
            raise HangUp

    def commit(self, keep: int = 0) -> None:
        """Remove what was marked, except the last ``keep`` of it."""
        numbers = sorted(self.marked)
        for number in numbers[: len(numbers) - keep]:
            self.server.remove(self, self.messages[number - 1])
        self.marked.clear()

    def existing(self, number: int | None) -> Shown | None:
        """The message of this number, unless there is none or it is marked as deleted."""
        if number is None or number in self.marked or not 1 <= number <= len(self.messages):
            return None
        return self.messages[number - 1]

    def remaining(self) -> Iterator[tuple[int, Shown]]:
        """The messages that are not marked, with their numbers."""
        return ((n, message) for n, message in enumerate(self.messages, 1) if n not in self.marked)

    def upgrade_to_tls(self) -> None:
        """Begin TLS on this line; what the client sent before is forgotten (RFC 2595, section 4)."""
        self.flush()
        self._input = b""
        self._shake_hands()
        self.encrypted = True

    def enter(self, user: str, mechanism: str) -> Wire:
        """Log in a client whose password was right, unless a fault refuses; show it the maildrop."""
        self.user = user
        for fault in self.server.faults:
            if (words := fault.refusal(self)) is not None:
                return one(b"-ERR " + words)
        self.login = self.server.logged_in(self, mechanism)
        shown = [_shown(message) for message in self.server.maildrop_of(user).stored()]
        for fault in self.server.faults:
            shown = fault.shown(self, shown)
        self.messages = shown
        self._judge = self.server.judge_of(self)
        return one(b"+OK welcome")

    def begin(self, dialogue: Dialogue) -> Wire:
        """Begin a SASL dialogue."""
        self._dialogue = dialogue
        return self._continue(None)

    def offered(self) -> list[bytes]:
        """What CAPA shows now."""
        mechanisms = [name for name in self.server.auth if name not in {"USER", "APOP"}]
        offered = [b"TOP", b"UIDL", b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING"]
        offered += [b"USER"] if "USER" in self.server.auth else []
        offered += [b"SASL " + " ".join(mechanisms).encode()] if mechanisms else []
        offered += [b"STLS"] if self.server.tls == "starttls" and not self.encrypted else []
        for fault in self.server.faults:
            offered = fault.capabilities(self, offered)
        return offered

    def _command(self, verb: str, line: bytes = b"") -> Command:
        return Command(self.server.time(), self.number, verb, line, self.encrypted)

    def _read_lines(self) -> list[bytes]:
        while b"\n" not in self._input:
            received = self._line.recv(_FLUSH_AT)
            if not received:
                raise HangUp
            self._input += received
        *lines, self._input = self._input.split(b"\n")
        for fault in self.server.faults:
            lines = fault.batch(self, lines)
        return lines

    def _answer_lines(self, lines: list[bytes]) -> None:
        for raw in lines:
            was_encrypted = self.encrypted
            line = raw.removesuffix(b"\r")
            verb = "RESPONSE" if self._dialogue else line.split(b" ", 1)[0].upper().decode("latin-1")
            command = self._command(verb, line)
            self.server.heard(command)
            self._hold_to_the_rule(command)
            self._answer(command)
            if self.encrypted and not was_encrypted:
                return

    def _hold_to_the_rule(self, command: Command) -> None:
        number, message = command.number, self.existing(command.number)
        if self._judge is None or number is None or message is None:
            return
        how = self._judge.heard(command.verb, Seen(number, message.unique_id, message.content, message.octets))
        if how is not None:
            self.server.broke_the_rule(how)

    def _answer(self, command: Command) -> None:
        wire = self._wire(command)
        for fault in self.server.faults:
            wire = fault.wire(self, command, wire)
        for piece in wire:
            self.send(piece)

    def _wire(self, command: Command) -> Wire:
        for fault in self.server.faults:
            if (answer := fault.instead(self, command)) is not None:
                return answer
        if command.verb == "RESPONSE":
            return self._continue(command.line)
        return self._obey(self, command)

    def _continue(self, response: bytes | None) -> Wire:
        if self._dialogue is None:
            raise AssertionError("a response without a dialogue")
        dialogue = self._dialogue
        try:
            return one(b"+ " + challenge(dialogue, response))
        except StopIteration as end:
            self._dialogue = None
            user, mechanism = end.value
            return self.enter(user, mechanism)
        except RefusedError as refusal:
            self._dialogue = None
            return one(b"-ERR " + refusal.words)

    def _shake_hands(self) -> None:
        for fault in self.server.faults:
            fault.handshake(self)
        context = self.server.tls_context
        self._line = context.wrap_socket(self._line, server_side=True, do_handshake_on_connect=False)
        self._line.do_handshake()

    def _end(self, how: RunResult) -> None:
        if how == "reset":
            self._line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._line.close()
            return
        if how == "close-notify" and isinstance(self._line, ssl.SSLSocket):
            self._line = self._line.unwrap()
        self._line.shutdown(socket.SHUT_WR)
        while self._line.recv(_FLUSH_AT):  # closing with bytes unread would reset the line
            pass


def _shown(message: StoredMessage) -> Shown:
    return Shown(message, message.content, message.unique_id, len(sent_form(message.content)))


Obey = Callable[[Session, Command], Wire]
