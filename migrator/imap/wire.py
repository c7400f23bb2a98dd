"""Lines and literals of one IMAP connection, both ways: the seam between ``imaplib`` and our own two commands.

``imaplib`` says of ``open``, ``read``, ``readline``, ``send`` and ``shutdown`` that they may be overridden, and nothing
else of it is relied on here: it keeps doing the session, and between its commands APPEND and UID FETCH go through
``put``, ``flush``, ``next_line`` and ``next_octets`` with tags of their own. Python 3.14 changed how imaplib reads;
that does not matter to a subclass that reads itself.

A line has the configured time-out to arrive from its first byte to its last, a literal the time it takes at 512 bytes
a second besides: a server that drips is as dead as a silent one.
"""

from __future__ import annotations

import contextlib
import imaplib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from migrator.errors import Endpoint, StoppedError
from migrator.imap.replies import ReplyStatus, StatusReply, literal_octets, parse_status
from migrator.imap.transcript import ImapTranscript
from migrator.net.first_words import Service, check_greeting
from migrator.net.stream import patiently
from migrator.net.tls import TlsMode
from migrator.net.trace import transcript

if TYPE_CHECKING:
    from migrator.net.patience import Stop

_T = TypeVar("_T")
RECEIVE_SIZE = 256 * 1024
SEND_SIZE = 128 * 1024
LONGEST_LINE = 1_000_000
SLOWEST_RATE = 512.0

Clock = Callable[[], float]


class Unsent:
    """Bytes that wait to be sent together."""

    def __init__(self) -> None:
        self.octets = 0
        self._pieces: list[bytes] = []

    def add(self, data: bytes) -> None:
        """Put bytes behind those that wait."""
        self._pieces.append(data)
        self.octets += len(data)

    def take(self) -> bytes:
        """Return all that waits; nothing waits then."""
        waiting = b"".join(self._pieces)
        self._pieces, self.octets = [], 0
        return waiting


class Wire(imaplib.IMAP4):
    """An ``imaplib.IMAP4`` on a connection that ``dial`` makes, with commands of our own between imaplib's.

    What breaks the line raises ``OSError`` (``TimeoutError`` for silence) or ``imaplib.IMAP4.abort``.
    """

    receive_size = RECEIVE_SIZE

    def __init__(
        self,
        host: str,
        port: int,
        dial: Callable[[], socket.socket],
        *,
        timeout: float,
        clock: Clock,
        stop: Stop | None = None,
    ) -> None:
        self._timeout = timeout
        self._stop = stop
        self._clock = clock
        self._arrived = b""
        self._at = 0
        self._unsent = Unsent()
        self._tags = 0
        self.bye: StatusReply | None = None
        """The server's BYE, once it has said so."""
        self.is_in_step = True
        """Whether every command was answered to its end: else nothing more can be asked over this connection."""
        trace = transcript(f"{host}:{port}")
        self.trace = ImapTranscript(trace) if trace else None
        self.sock = dial()
        super().__init__(host, port)

    # What imaplib calls.

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        """Take the connection; imaplib calls it once. Raises ``protocol`` where no IMAP is spoken."""
        del timeout  # ``dial`` knows its own
        self.sock.settimeout(self._timeout)
        try:
            if self._receive():
                check_greeting(self._arrived, Service.IMAP, Endpoint(host, port), TlsMode.IMPLICIT)
        except BaseException:
            self.shutdown()
            raise

    def read(self, size: int) -> bytes:
        """Return exactly ``size`` bytes; for imaplib's own commands."""
        return b"".join(self.next_octets(size))

    def readline(self) -> bytes:
        """Return the next line, ``b""`` at the end of the stream, in the form without which imaplib gives up.

        That is with CRLF where a server sends LF, and with a blank behind a status that has no text.
        """
        line = self._next_line()
        if line and not line.endswith(b"\r\n"):
            line = line.removesuffix(b"\n") + b"\r\n"
        return line[:-2] + b" \r\n" if line.endswith((b" OK\r\n", b" NO\r\n", b" BAD\r\n")) else line

    def _next_line(self) -> bytes:
        end = self._arrived.find(b"\n", self._at)
        if end < 0:
            end = self._await_line()
            if end < 0:
                return b""
        line = self._arrived[self._at : end + 1]
        self._at = end + 1
        if self.trace:
            self.trace.heard(line)
        return line

    def send(self, data: bytes) -> None:  # type: ignore[override]  # typeshed says ReadableBuffer; imaplib sends bytes
        """Send bytes at once, behind whatever was put before."""
        self.put(data)
        self.flush()

    def shutdown(self) -> None:
        """Close the connection; never raises.

        One that is out of step is reset. Else TCP would go on for minutes to send what a network that is away has not
        taken yet, and a message might be stored long after another look has found that it was not.
        """
        with contextlib.suppress(OSError):
            if not self.is_in_step:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            self.sock.close()
        if self.trace:
            self.trace.note("closed")

    # What our own commands use.

    @contextlib.contextmanager
    def conversation(self) -> Iterator[None]:
        """Hold commands and their answers: if it is left by an error or an interruption, the line is out of step."""
        self.is_in_step = False
        yield
        self.is_in_step = True

    def new_tag(self) -> bytes:
        """Return a tag that this connection has not seen; imaplib's have another form."""
        self._tags += 1
        return b"mf%d" % self._tags

    def put(self, data: bytes) -> None:
        """Take bytes to be sent soon: many small writes become few."""
        if self.trace:
            self.trace.said(data)
        self._unsent.add(data)
        if self._unsent.octets >= SEND_SIZE:
            self.flush()

    def flush(self) -> None:
        """Send everything that was put; the time-out is for each piece of it."""
        waiting = memoryview(self._unsent.take())
        while waiting:
            waiting = waiting[self._patiently(partial(self.sock.send, waiting[:SEND_SIZE])) :]

    def next_line(self) -> bytes:
        """Return the next line without its line end; raises ``abort`` at the end of the stream."""
        line = self._next_line()
        if not line:
            raise self.abort("the connection ended")
        return line[:-2] if line.endswith(b"\r\n") else line[:-1]

    def next_octets(self, octets: int) -> Iterator[bytes]:
        """Yield exactly ``octets`` bytes of a literal in pieces as they arrive; all of them must be taken."""
        until = self._clock() + self._timeout + octets / SLOWEST_RATE
        while octets > 0:
            if self._at >= len(self._arrived):
                self._check(until)
                if not self._receive():
                    raise self.abort("the connection ended inside a literal")
            piece = self._arrived[self._at : self._at + octets]
            self._at += len(piece)
            octets -= len(piece)
            yield piece

    def next_status(self) -> StatusReply | None:
        """Return the next tagged reply, or None for a continuation request; whatever is untagged is passed over.

        A BYE is remembered as ``bye``: the end of the stream follows it.
        """
        while True:
            line = self.next_line()
            if line.startswith(b"+"):
                return None
            reply = self.passed_over(line)
            if reply is not None:
                return reply

    def passed_over(self, line: bytes) -> StatusReply | None:
        """Return the tagged reply that ``line`` is; None if it is untagged, and then its literals are gone too."""
        if line.startswith(b"* ") and literal_octets(line) is not None:
            self.skip_literals(line)
            return None
        reply = parse_status(line)
        if reply is None or reply.tag != b"*":
            return reply
        if reply.verdict is ReplyStatus.BYE:
            self.bye = reply
        return None

    def skip_literals(self, line: bytes) -> None:
        """Read on to the end of a response of which ``line`` is a piece."""
        while (octets := literal_octets(line)) is not None:
            for _ in self.next_octets(octets):
                pass
            line = self.next_line()

    @property
    def has_unread(self) -> bool:
        """Whether bytes have arrived that nobody has read: before STARTTLS an attack (RFC 9051, section 11.1)."""
        return self._at < len(self._arrived)

    def encrypt(self, wrap: Callable[[socket.socket], socket.socket]) -> None:
        """Go on over an encrypted connection after STARTTLS was accepted."""
        self.sock = wrap(self.sock)
        self.sock.settimeout(self._timeout)
        if self.trace:
            self.trace.note("encrypted")

    def _await_line(self) -> int:
        """Receive until a line is complete; return where it ends in what has arrived, -1 at the end of the stream."""
        until = self._clock() + self._timeout
        pieces = [self._arrived[self._at :]]
        octets = len(pieces[0])
        while True:
            if not self._receive():
                return -1
            pieces.append(self._arrived)
            if b"\n" in self._arrived:
                break
            octets += len(self._arrived)
            if octets > LONGEST_LINE:
                raise self.error(f"a reply line is longer than {LONGEST_LINE} bytes")
            self._check(until)
        self._arrived, self._at = b"".join(pieces), 0
        return self._arrived.find(b"\n")

    def _receive(self) -> bool:
        self._arrived, self._at = self._patiently(partial(self.sock.recv, self.receive_size)), 0
        return bool(self._arrived)

    def _patiently(self, action: Callable[[], _T]) -> _T:
        try:
            return patiently(self.sock, action, self._stop)
        except StoppedError:
            self.is_in_step = False
            raise

    def _check(self, until: float) -> None:
        if self._clock() > until:
            raise TimeoutError("a reply does not end")


def monotonic() -> float:
    """Return the default clock's time."""
    return time.monotonic()
