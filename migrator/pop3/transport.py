"""The byte stream that a POP3 session pumps, and a scripted one for tests.

``migrator.net.stream.Stream`` is the real one. A scripted one needs no network and no clock: silence is a ``timeout``
at once, so that whatever a server does can be tried in microseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass, field
from migrator.net.first_words import Service
from migrator.net.stream import Clock
from migrator.net.tls import TlsSettings


class ByteStream(Protocol):
    """Two directions of bytes that never wait for each other; see ``migrator.net.stream.Stream``."""

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is on."""

    def queue(self, data: bytes) -> None:
        """Take bytes to be sent by the next ``receive``."""

    def receive(self, timeout: float | None = None) -> bytes:
        """Send what is queued and return what arrives, ``b""`` at the end of the stream. Raises ``FerryError``."""

    def receive_now(self) -> bytes:
        """Return what has already arrived; never waits."""

    def service_in_waiting(self) -> Service | None:
        """Return what is at the other end, where it is silent because it waits for us; None where none can tell."""

    def start_tls(self, host: str, tls: TlsSettings, expected: Service | None = None) -> None:
        """Encrypt the connection from here on and verify the server, which should speak ``expected``."""

    def close(self) -> None:
        """Close the connection; never raises."""


class OpenStream(Protocol):
    """How a stream is opened: ``migrator.net.stream.open_stream``, or a scripted one."""

    def __call__(self, host: str, port: int, *, timeout: float, clock: Clock) -> ByteStream:
        """Return a connected stream, not encrypted yet."""


class HangUp:
    """What a script says to close the connection."""


HANG_UP: Final = HangUp()

Saying = bytes | HangUp
Script = Callable[[bytes], Iterable[Saying]]
"""Takes one command line with its line end; gives what the server says to it. Nothing: it stays silent."""


@dataclass(slots=True)
class ScriptedStream:
    """A stream whose other end is a function. What was said stands in ``heard``, one command a piece."""

    script: Script
    greeting: bytes = b"+OK ready\r\n"
    slice_size: int = 1 << 20
    is_encrypted: bool = False
    is_closed: bool = False
    waiting: Service | None = None
    heard: list[bytes] = field(default_factory=list)
    _arriving: deque[Saying] = field(default_factory=deque)
    _half_line: bytes = b""

    def __post_init__(self) -> None:
        if self.greeting:
            self._arriving.append(self.greeting)

    def queue(self, data: bytes) -> None:
        """Let the script hear every complete line."""
        *lines, self._half_line = (self._half_line + data).split(b"\n")
        for line in lines:
            self.heard.append(line + b"\n")
            self._arriving.extend(said for said in self.script(line + b"\n") if said != b"")

    def receive(self, timeout: float | None = None) -> bytes:
        """Return the next slice of what the script said; silence is over at once."""
        del timeout
        if not self._arriving:
            raise FerryError(Kind.TIMEOUT, "the server was silent")
        said = self._arriving[0]
        if isinstance(said, HangUp):
            return b""
        self._arriving.popleft()
        while self._arriving and len(said) < self.slice_size and isinstance(self._arriving[0], bytes):
            more = self._arriving.popleft()
            said += more if isinstance(more, bytes) else b""
        if len(said) > self.slice_size:
            self._arriving.appendleft(said[self.slice_size :])
        return said[: self.slice_size]

    def receive_now(self) -> bytes:
        """Return the next slice, if the script said more than was asked for."""
        return self.receive() if self._arriving else b""

    def service_in_waiting(self) -> Service | None:
        """Return what the script is said to wait as."""
        return self.waiting

    def start_tls(self, host: str, tls: TlsSettings, expected: Service | None = None) -> None:
        """Count as encrypted from here on."""
        del host, tls, expected
        self.is_encrypted = True

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True
