"""An IMAP server in memory that does what a test says: correct without faults, and wrong in exactly the ways it is told.

    with ImapServer(Mailboxes()) as server:
        ...
    assert server.mailboxes.contents() == [...]

It logs every command. Its mailboxes outlive it, so that a server that is down for a while is another object on the same
port. What it speaks is IMAP4rev1 (RFC 3501) with what ``capabilities`` names; commands are in ``tests.servers.imap_commands``.
"""

from __future__ import annotations

import re
import socket
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from secrets import token_hex
from threading import Lock, Thread
from typing import Self

from tests.servers.imap_commands import Ask, Reply, answer_to
from tests.servers.mailboxes import Mailboxes
from tests.servers.process import LOOPBACK

CAPABILITIES = ("IMAP4rev1", "UIDPLUS", "MULTIAPPEND", "LITERAL+", "NAMESPACE", "ENABLE")
_CHUNK = 1 << 16
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\Z")


class HangUp(Exception):  # noqa: N818  an event of the script, no error
    """Ends the connection here and now, with these words if there are any."""

    def __init__(self, words: bytes = b"") -> None:
        super().__init__(words)
        self.words = words


class FallSilent(Exception):  # noqa: N818  an event of the script, no error
    """Says nothing any more, whatever the client sends."""


@dataclass(frozen=True, slots=True)
class ImapCommand:
    """One command as it came: ``verb`` in capitals, ``UID FETCH`` being one; ``line`` without its literals."""

    time: float
    connection: int
    verb: str
    line: bytes


class ImapFault:
    """A server that behaves; each fault overrides what it damages.

    Raising ``HangUp`` ends the connection, ``FallSilent`` leaves it open without another word.
    """

    def greeting(self) -> bytes | None:
        """Words to greet with."""

    def instead(self, command: ImapCommand) -> bytes | None:
        """Words to answer a command with, in place of obeying it."""
        del command
        return None

    def storing(self, contents: Sequence[bytes]) -> bytes | None:
        """Words to answer an APPEND of these messages with, in place of storing them."""
        del contents
        return None

    def literal(self, command: ImapCommand, octets: int) -> None:
        """So many octets of a command's literals have come."""

    def obeyed(self, command: ImapCommand) -> None:
        """A command was obeyed; its reply is still to be sent."""


@dataclass
class _At(ImapFault):
    """A fault at a command: only the first ``times``, and none of the first ``skip``."""

    at: str
    times: int | None = None
    skip: int = 0
    seen: int = field(default=0, init=False)

    def strikes(self, command: ImapCommand) -> bool:
        """Whether it is this command's turn; ask once per command."""
        if command.verb != self.at:
            return False
        self.seen += 1
        return self.skip < self.seen <= self.skip + (self.times or self.seen)


@dataclass
class AtMostAtOnce(ImapFault):
    """Serves that many connections at one time, and hangs up on all others before a word, as Courier does."""

    most: int
    server: ImapServer | None = field(default=None, init=False)

    def greeting(self) -> bytes | None:
        if self.server is not None and self.server.connected() > self.most:
            raise HangUp
        return None


@dataclass
class DropBefore(_At):
    """Hangs up on a command instead of obeying it, with a BYE if there is one."""

    bye: bytes = b""

    def instead(self, command: ImapCommand) -> bytes | None:
        if self.strikes(command):
            raise HangUp(self.bye)
        return None


class DropUnanswered(_At):
    """Obeys a command, then hangs up in place of its reply: what was appended is stored."""

    def obeyed(self, command: ImapCommand) -> None:
        if self.strikes(command):
            raise HangUp


@dataclass
class DropInside(_At):
    """Hangs up when so many octets of a command's literals have come."""

    after: int = 1

    def literal(self, command: ImapCommand, octets: int) -> None:
        if octets >= self.after and self.strikes(command):
            raise HangUp


@dataclass
class Answers(_At):
    """Answers a command with these words instead of obeying it: ``NO [OVERQUOTA] full``, ``BAD what?``.

    Untagged lines go before them, each with its line end.
    """

    words: bytes = b"NO not today"

    def instead(self, command: ImapCommand) -> bytes | None:
        return self.words if self.strikes(command) else None


@dataclass
class Stalls(_At):
    """Falls silent on a command instead of obeying it."""

    def instead(self, command: ImapCommand) -> bytes | None:
        if self.strikes(command):
            raise FallSilent
        return None


@dataclass
class Greets(ImapFault):
    """Greets with these words, then hangs up."""

    words: bytes

    def greeting(self) -> bytes | None:
        return self.words


@dataclass
class Refuses(ImapFault):
    """Refuses every APPEND with a message that contains these bytes; without words it hangs up on it."""

    containing: bytes
    words: bytes = b""

    def storing(self, contents: Sequence[bytes]) -> bytes | None:
        if not any(self.containing in content for content in contents):
            return None
        if not self.words:
            raise HangUp
        return self.words


@dataclass
class WantsId(ImapFault):
    """Opens no folder on a connection that has not said by ID which program it is, as 163.com and its kin."""

    known: set[int] = field(default_factory=set)

    def instead(self, command: ImapCommand) -> bytes | None:
        if command.verb == "ID":
            self.known.add(command.connection)
        if command.verb in {"SELECT", "EXAMINE", "STATUS"} and command.connection not in self.known:
            return b"NO %b Unsafe Login. Please contact kefu@188.com for help" % command.verb.encode()
        return None


@dataclass
class HasRoomFor(ImapFault):
    """Has room for so many messages more; an APPEND that does not fit is refused as a whole."""

    messages: int

    def storing(self, contents: Sequence[bytes]) -> bytes | None:
        if len(contents) > self.messages:
            return b"NO [OVERQUOTA] the mailbox is full"
        self.messages -= len(contents)
        return None


class ImapServer:
    """Serves one user's mailboxes on loopback until the end of its ``with`` block."""

    host = LOOPBACK

    def __init__(
        self,
        mailboxes: Mailboxes,
        *,
        faults: Iterable[ImapFault] = (),
        capabilities: Iterable[str] = CAPABILITIES,
        password: str | None = None,
        port: int = 0,
    ) -> None:
        self.mailboxes = mailboxes
        self.faults = tuple(faults)
        self.capabilities = tuple(capabilities)
        self.password = password or token_hex(8)
        self.commands: list[ImapCommand] = []
        self._lock = Lock()
        self._lines: dict[socket.socket, Thread] = {}
        self._numbers = count(1)
        self._listener = socket.create_server((LOOPBACK, port), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = Thread(target=self._accept, name="imap-accept", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuse new connections, cut the open ones, and wait until all is quiet."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        self._accepting.join()
        with self._lock:
            lines = dict(self._lines)
        for line in lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        for thread in lines.values():
            thread.join()

    def wait_until_unused(self) -> None:
        """Wait until no client is connected any more, for ten seconds each at most."""
        with self._lock:
            lines = dict(self._lines)
        for thread in lines.values():
            thread.join(10)

    def counts(self) -> Counter[str]:
        """How often each command came."""
        return Counter(command.verb for command in self.commands)

    def connected(self) -> int:
        """How many clients are connected."""
        with self._lock:
            return len(self._lines)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = _Connection(self, next(self._numbers), line)
                thread = Thread(target=self._run, args=[connection, line], name="imap-connection", daemon=True)
                with self._lock:
                    self._lines[line] = thread
                thread.start()

    def _run(self, connection: _Connection, line: socket.socket) -> None:
        try:
            connection.run()
        finally:
            with self._lock:
                del self._lines[line]
            line.close()


class _Connection:
    """One client. Lines and literals are read here; what they ask for is done by ``answer_to``."""

    def __init__(self, server: ImapServer, number: int, line: socket.socket) -> None:
        self._server = server
        self._number = number
        self._line = line
        self._input = b""
        self._ask = Ask(server.mailboxes, server.capabilities, server.password)

    def run(self) -> None:
        """Serve until either side ends it."""
        try:
            self._serve()
        except HangUp as end:
            with suppress(OSError):
                self._send(end.words)

    def _serve(self) -> None:
        with suppress(OSError):
            words = next((w for fault in self._server.faults if (w := fault.greeting()) is not None), None)
            self._send((words or b"* OK ready") + b"\r\n")
            with suppress(FallSilent):
                while words is None and self._obey_one():
                    pass
                return
            while self._line.recv(_CHUNK):
                pass

    def _obey_one(self) -> bool:
        first = self._read_line()
        if self._ask.awaits_response:
            return self._reply(self._ask.responded(first))
        tag, _, rest = first.partition(b" ")
        verb = _verb_of(rest)
        command = ImapCommand(time.monotonic(), self._number, verb, first)
        self._server.commands.append(command)
        words = next((w for fault in self._server.faults if (w := fault.instead(command)) is not None), None)
        pieces = self._read_pieces(command, rest, refused=words)
        if words is None and verb == "APPEND":
            words = next((w for fault in self._server.faults if (w := fault.storing(pieces[1::2])) is not None), None)
        if words is not None:
            *untagged, said = words.split(b"\r\n")
            self._send(b"".join(line + b"\r\n" for line in untagged) + tag + b" " + said + b"\r\n")
            return True
        reply = answer_to(self._ask, tag, verb, pieces)
        for fault in self._server.faults:
            fault.obeyed(command)
        return self._reply(reply)

    def _read_pieces(self, command: ImapCommand, rest: bytes, *, refused: bytes | None) -> list[bytes]:
        """Return the command's text and literals in turn; one that waits for our consent is not sent if refused."""
        pieces, octets = [rest], 0
        while (announced := _LITERAL.search(pieces[-1])) is not None:
            pieces[-1] = pieces[-1][: announced.start()]
            if not announced[2]:
                if refused is not None:
                    return pieces
                self._send(b"+ go on\r\n")
            left = int(announced[1])
            literal = b""
            while left:
                part = self._read_octets(left)
                literal, left, octets = literal + part, left - len(part), octets + len(part)
                for fault in self._server.faults:
                    fault.literal(command, octets)
            pieces += [literal, self._read_line()]
        return pieces

    def _reply(self, reply: Reply) -> bool:
        self._send(b"".join(reply.lines))
        return not reply.ends

    def _send(self, data: bytes) -> None:
        self._line.sendall(data)

    def _read_line(self) -> bytes:
        while b"\r\n" not in self._input:
            self._receive()
        line, _, self._input = self._input.partition(b"\r\n")
        return line

    def _read_octets(self, most: int) -> bytes:
        if not self._input:
            self._receive()
        part, self._input = self._input[:most], self._input[most:]
        return part

    def _receive(self) -> None:
        received = self._line.recv(_CHUNK)
        if not received:
            raise HangUp
        self._input += received


def _verb_of(rest: bytes) -> str:
    words = rest.split(b" ", 2)
    has_two = words[0].upper() == b"UID" and len(words) > 1
    return b" ".join(words[: 1 + has_two]).upper().decode("latin-1")
