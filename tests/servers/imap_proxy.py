"""A proxy in front of a real IMAP server that does damage as it is told, and notes every command.

    with ImapProxy(dovecot.imap_port, faults=[DropUnanswered("APPEND", skip=2, times=1)]) as proxy:
        ...

It knows commands, literals in both directions ({n} and {n+}, RFC 9051, section 4.3) and tagged replies, and streams
what it passes on; only an APPEND that a fault wants to see whole is held back. The line to the server is plain; the
client's is plain, or TLS with any certificate. The faults are in ``tests.servers.imap_faults``.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from queue import Queue
from threading import Lock, Thread
from typing import BinaryIO, Self

from tests.servers.certificates import Certificate, authority, identity
from tests.servers.process import LOOPBACK

_CHUNK = 1 << 16
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n$")
_APPEND = re.compile(rb'\S+ APPEND (?:"(?:[^"\\]|\\.)*"|[^ "{]+)', re.IGNORECASE)


class HangUp(Exception):  # noqa: N818  an event of the script, no error
    """Cuts the line on both sides, here and now."""


class FallSilent(Exception):  # noqa: N818  as above
    """From now on neither side hears anything of the other, and the line stays open."""


@dataclass(frozen=True, slots=True)
class ImapCommand:
    """One command: ``verb`` in capitals, ``UID FETCH`` being one; ``line`` up to its first literal."""

    time: float
    connection: int
    tag: bytes
    verb: str
    line: bytes
    literals: list[int] = field(default_factory=list)


@dataclass(slots=True)
class HeldAppend:
    """An APPEND that is held back: for each message, its flags and date as they were sent, and its bytes.

    Faults may change ``parts``. The folder's name must not be a literal.
    """

    command: ImapCommand
    prefix: bytes
    parts: list[tuple[bytes, bytes]] = field(default_factory=list)

    def wire(self) -> bytes:
        """The command as it goes to the server, without waiting for its consent."""
        if not self.parts:
            return b"%b NOOP\r\n" % self.command.tag  # all of it was lost: the server has to say OK to something
        return self.prefix + b"".join(b"%b{%d+}\r\n%b" % (text, len(m), m) for text, m in self.parts) + b"\r\n"


class ImapFault:
    """A line that does no damage; each fault overrides what it damages."""

    holds_appends = False

    def command(self, command: ImapCommand) -> bytes | None:
        """See a command before the server does: words to answer in its place (``NO ...``), or ``None``."""
        return None

    def append(self, append: HeldAppend) -> bytes | None:
        """See an APPEND whole, where ``holds_appends``: change it, or return words to answer in its place."""
        return None

    def to_server(self, command: ImapCommand, wire: Iterator[bytes]) -> Iterator[bytes]:
        """See a chunk of a literal on its way to the server."""
        return wire

    def line(self, line: bytes) -> bytes:
        """See a line from the server."""
        return line

    def literal(self, offset: int, chunk: bytes) -> bytes:
        """See a chunk of a literal from the server; the length has to stay."""
        return chunk

    def tagged(self, command: ImapCommand, wire: Iterator[bytes]) -> Iterator[bytes]:
        """See the tagged reply to a command."""
        return wire


class ImapProxy:
    """Forwards to ``port`` on loopback; stops at the end of its ``with`` block."""

    host = LOOPBACK

    def __init__(
        self,
        port: int,
        *,
        faults: Iterable[ImapFault] = (),
        certificate: Certificate | None = None,
    ) -> None:
        self.target = port
        self.faults = tuple(faults)
        self.tls_context: ssl.SSLContext | None = identity(certificate).server_context() if certificate else None
        self.authority = authority()
        self.commands: list[ImapCommand] = []
        self._numbers = count(1)
        self._lock = Lock()
        self._connections: set[_Connection] = set()
        self._listener = socket.create_server((LOOPBACK, 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = Thread(target=self._accept, name="imap-accept", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuse new connections and cut the open ones."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        with self._lock:
            for connection in self._connections:
                connection.cut()

    def counts(self) -> Counter[str]:
        """How often each command came."""
        return Counter(command.verb for command in self.commands)

    def messages_appended(self) -> int:
        """How many messages clients began to send, whatever became of them."""
        return sum(len(command.literals) for command in self.commands if command.verb == "APPEND")

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                Thread(target=self._serve, args=[near], name="imap-connection", daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with suppress(OSError), near:
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = self.tls_context.wrap_socket(near, server_side=True) if self.tls_context else near
            with client, socket.create_connection((LOOPBACK, self.target)) as server:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = _Connection(self, next(self._numbers), client, server)
                with self._lock:
                    self._connections.add(connection)
                connection.run()
                with self._lock:
                    self._connections.remove(connection)


class _Connection:
    """One client's line and the line to the server, each read by a thread of its own."""

    def __init__(self, proxy: ImapProxy, number: int, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._number = number
        self._client = client
        self._server = server
        self._from_client: BinaryIO = client.makefile("rb")
        self._from_server: BinaryIO = server.makefile("rb")
        self._open: dict[bytes, ImapCommand] = {}
        self._dialogue = b""  # the tag of an AUTHENTICATE or IDLE: until its end, lines are no commands
        self._waits = b""  # the tag of the command whose synchronising literal waits for the server's consent
        self._consents: Queue[bool] = Queue()
        self._is_silent = False
        self._to_client = Lock()  # held for one whole response

    def run(self) -> None:
        """Forward both ways until either side ends it."""
        back = Thread(target=self._forward_responses, name="imap-back", daemon=True)
        back.start()
        self._forward_commands()
        back.join()
        self._from_client.close()
        self._from_server.close()

    def cut(self) -> None:
        """Cut both lines."""
        for line in (self._client, self._server):
            with suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)
        self._consents.put(False)

    def _forward_commands(self) -> None:
        try:
            while line := self._from_client.readline():
                self._ask(line)
        except FallSilent:
            self._is_silent = True
            with suppress(OSError):
                while self._from_client.read(_CHUNK):
                    pass
        except (HangUp, OSError):
            pass
        finally:
            self.cut()

    def _forward_responses(self) -> None:
        try:
            while line := self._from_server.readline():
                with self._to_client:
                    self._answer(line)
        except FallSilent:
            self._is_silent = True
            self._consents.put(False)
            return  # the client may still talk; nobody listens
        except (HangUp, OSError):
            pass
        self.cut()

    def _ask(self, line: bytes) -> None:
        if self._dialogue in self._open:
            self._say_to_server(line)
            return
        command = self._note(line)
        for fault in self._proxy.faults:
            if (words := fault.command(command)) is not None:
                self._refuse(command, line, words)
                return
        if command.verb == "APPEND" and any(fault.holds_appends for fault in self._proxy.faults):
            self._hold(command, line)
            return
        self._open[command.tag] = command
        if command.verb in {"AUTHENTICATE", "IDLE"}:
            self._dialogue = command.tag
        self._pass_on(command, line)

    def _note(self, line: bytes) -> ImapCommand:
        tag, *words = line.split(maxsplit=3)[:3] or [b""]
        length = 2 if words and words[0].upper() == b"UID" else 1
        verb = b" ".join(words[:length]).upper().decode("latin-1")
        command = ImapCommand(time.monotonic(), self._number, tag, verb, line)
        self._proxy.commands.append(command)
        return command

    def _pass_on(self, command: ImapCommand, line: bytes) -> None:
        while literal := _LITERAL.search(line):
            waits = not literal[2]
            if waits:
                self._waits = command.tag
            command.literals.append(int(literal[1]))
            self._say_to_server(line)
            if waits and not self._consents.get():
                return
            for chunk in _chunks(self._from_client, int(literal[1])):
                self._say_damaged(command, chunk)
            line = self._from_client.readline()
        self._say_to_server(line)

    def _say_damaged(self, command: ImapCommand, chunk: bytes) -> None:
        wire: Iterator[bytes] = iter([chunk])
        for fault in self._proxy.faults:
            wire = fault.to_server(command, wire)
        for piece in wire:
            self._say_to_server(piece)

    def _refuse(self, command: ImapCommand, line: bytes, words: bytes) -> None:
        while literal := _LITERAL.search(line):
            command.literals.append(int(literal[1]))
            if not literal[2]:
                break  # the client waits for consent and will not send it
            for _ in _chunks(self._from_client, int(literal[1])):
                pass
            line = self._from_client.readline()
        with self._to_client:
            self._say_to_client(b"%b %b\r\n" % (command.tag, words))

    def _hold(self, command: ImapCommand, line: bytes) -> None:
        append = HeldAppend(command, _prefix(line))
        while literal := _LITERAL.search(line):
            command.literals.append(int(literal[1]))
            if not literal[2]:
                with self._to_client:
                    self._say_to_client(b"+ go on\r\n")
            text = line[: literal.start()].removeprefix(append.prefix)
            append.parts.append((text, b"".join(_chunks(self._from_client, int(literal[1])))))
            line = self._from_client.readline()
        for fault in self._proxy.faults:
            if (words := fault.append(append)) is not None:
                with self._to_client:
                    self._say_to_client(b"%b %b\r\n" % (command.tag, words))
                return
        self._open[command.tag] = command
        self._say_to_server(append.wire())

    def _answer(self, line: bytes) -> None:
        tag = line.split(b" ", 1)[0]
        if tag == b"+":
            if self._waits:
                self._waits = b""
                self._consents.put(True)
            self._say_to_client(line)
            return
        command = self._open.pop(tag, None)
        if command is not None and self._waits == tag:
            self._waits = b""
            self._consents.put(False)
        wire = self._response(line)
        if command is not None:
            for fault in self._proxy.faults:
                wire = fault.tagged(command, wire)
        for piece in wire:
            self._say_to_client(piece)

    def _response(self, line: bytes) -> Iterator[bytes]:
        while True:
            for fault in self._proxy.faults:
                line = fault.line(line)
            yield line
            literal = _LITERAL.search(line)
            if literal is None:
                return
            offset = 0
            for chunk in _chunks(self._from_server, int(literal[1])):
                damaged = chunk
                for fault in self._proxy.faults:
                    damaged = fault.literal(offset, damaged)
                yield damaged
                offset += len(chunk)
            line = self._from_server.readline()

    def _say_to_client(self, data: bytes) -> None:
        if not self._is_silent:
            self._client.sendall(data)

    def _say_to_server(self, data: bytes) -> None:
        if not self._is_silent:
            self._server.sendall(data)


def _chunks(source: BinaryIO, octets: int) -> Iterator[bytes]:
    while octets:
        chunk = source.read(min(octets, _CHUNK))
        if not chunk:
            raise HangUp
        yield chunk
        octets -= len(chunk)


def _prefix(line: bytes) -> bytes:
    found = _APPEND.match(line)
    return found[0] if found else line
