"""Everything the line to an IMAP server, or the server itself, may do wrong; one small named thing each.

A fault that strikes at a command takes ``at`` (its verb; ``UID FETCH`` is one), ``containing`` (only where its first
line has these bytes), ``times`` (only the first so many times, over all connections) and ``skip`` (not the first so
many): the third APPEND is ``At("APPEND", skip=2, times=1)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from threading import Lock

from tests.servers.imap_proxy import FallSilent, HangUp, HeldAppend, ImapCommand, ImapFault


@dataclass
class Lease:
    """Counts occasions and says which of them it is about."""

    times: int | None = None
    skip: int = 0
    seen: int = field(default=0, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def comes(self) -> bool:
        """Whether this occasion is one; ask once per occasion."""
        with self._lock:
            self.seen += 1
            return self.skip < self.seen <= self.skip + (self.times or self.seen)


@dataclass
class At(ImapFault):
    """A fault that strikes at a command; by itself it damages nothing."""

    at: str
    _: KW_ONLY
    containing: bytes = b""
    times: int | None = None
    skip: int = 0

    def __post_init__(self) -> None:
        self._turn = Lease(self.times, self.skip)

    def strikes(self, command: ImapCommand) -> bool:
        """Whether it is this command's turn; ask once per command."""
        return command.verb == self.at and self.containing in command.line and self._turn.comes()


@dataclass
class DropBefore(At):
    """Cuts the line on a command, which the server never sees."""

    def command(self, command: ImapCommand) -> bytes | None:
        if self.strikes(command):
            raise HangUp
        return None


@dataclass
class DropInside(At):
    """Cuts the line after so many bytes of a command's literals went to the server."""

    _: KW_ONLY
    after: int = 1

    def command(self, command: ImapCommand) -> bytes | None:
        if self.strikes(command):
            self._struck, self._left = command, self.after
        return None

    def to_server(self, command: ImapCommand, wire: Iterator[bytes]) -> Iterator[bytes]:
        return self._cut(wire) if command is getattr(self, "_struck", None) else wire

    def _cut(self, wire: Iterator[bytes]) -> Iterator[bytes]:
        for piece in wire:
            yield piece[: self._left]
            self._left -= len(piece)
            if self._left <= 0:
                raise HangUp


@dataclass
class DropUnanswered(At):
    """Lets the server obey a command, then cuts the line in place of its tagged reply."""

    def tagged(self, command: ImapCommand, wire: Iterator[bytes]) -> Iterator[bytes]:
        if self.strikes(command):
            raise HangUp
        return wire


@dataclass
class DropAfter(At):
    """Lets a command and its tagged reply pass, then cuts the line."""

    def tagged(self, command: ImapCommand, wire: Iterator[bytes]) -> Iterator[bytes]:
        return _then_hang_up(wire) if self.strikes(command) else wire


@dataclass
class DropAtLine(ImapFault):
    """Cuts the line where the server says something that matches, as some do at FETCH of one message."""

    pattern: bytes
    _: KW_ONLY
    times: int | None = None
    skip: int = 0

    def __post_init__(self) -> None:
        self._turn = Lease(self.times, self.skip)

    def line(self, line: bytes) -> bytes:
        if re.search(self.pattern, line) and self._turn.comes():
            raise HangUp
        return line


@dataclass
class Stall(At):
    """Falls silent at a command: the server never sees it, or obeys it and is not heard."""

    _: KW_ONLY
    obeyed: bool = False

    def command(self, command: ImapCommand) -> bytes | None:
        if not self.obeyed and self.strikes(command):
            raise FallSilent
        return None

    def tagged(self, command: ImapCommand, wire: Iterator[bytes]) -> Iterator[bytes]:
        if self.obeyed and self.strikes(command):
            raise FallSilent
        return wire


@dataclass
class Answers(At):
    """Answers a command with these words in place of the server: ``NO [OVERQUOTA] full``, ``BAD what?``."""

    _: KW_ONLY
    words: str = "NO not today"

    def command(self, command: ImapCommand) -> bytes | None:
        return self.words.encode() if self.strikes(command) else None


@dataclass
class SaysFirst(At):
    """Says a line of its own ahead of a tagged reply: ``* 7 EXPUNGE``, ``* BYE``."""

    _: KW_ONLY
    line_ahead: bytes = b"* OK still here"

    def tagged(self, command: ImapCommand, wire: Iterator[bytes]) -> Iterator[bytes]:
        return _behind(self.line_ahead, wire) if self.strikes(command) else wire


@dataclass
class Capabilities(ImapFault):
    """Hides capabilities wherever the server tells them, and adds others."""

    without: Iterable[str] = ()
    added: Iterable[str] = ()

    def line(self, line: bytes) -> bytes:
        return _CAPABILITIES.sub(self._edited, line, count=1)

    def _edited(self, found: re.Match[bytes]) -> bytes:
        hidden = {name.upper().encode() for name in self.without}
        kept = [name for name in found[2].split() if name.upper() not in hidden]
        return found[1] + b" ".join([*kept, *(name.encode() for name in self.added)])


@dataclass
class Rewrites(ImapFault):
    """Replaces a pattern in every line of the server: another UIDVALIDITY, no APPENDUID."""

    pattern: bytes
    replacement: bytes = b""
    times: int | None = None

    def __post_init__(self) -> None:
        self._turn = Lease(self.times)

    def line(self, line: bytes) -> bytes:
        if not re.search(self.pattern, line) or not self._turn.comes():
            return line
        return re.sub(self.pattern, self.replacement, line)


@dataclass
class FetchTampered(ImapFault):
    """Flips one bit of a literal that the server sends, ``at`` so many bytes into it."""

    at: int = 0
    _: KW_ONLY
    times: int | None = None
    skip: int = 0

    def __post_init__(self) -> None:
        self._turn = Lease(self.times, self.skip)
        self._is_on = False

    def literal(self, offset: int, chunk: bytes) -> bytes:
        if offset == 0:
            self._is_on = self._turn.comes()
        place = self.at - offset
        if not self._is_on or not 0 <= place < len(chunk):
            return chunk
        return chunk[:place] + bytes([chunk[place] ^ 1]) + chunk[place + 1 :]


@dataclass
class _PerMessage(ImapFault):
    """A fault that looks at each message of an APPEND; ``containing`` picks those it is about."""

    holds_appends = True
    containing: bytes = b""
    _: KW_ONLY
    times: int | None = None
    skip: int = 0

    def __post_init__(self) -> None:
        self._turn = Lease(self.times, self.skip)

    def picks(self, message: bytes) -> bool:
        """Whether it is this message's turn; ask once per message."""
        return self.containing in message and self._turn.comes()


@dataclass
class MessagesLost(_PerMessage):
    """Says OK and stores nothing of these messages; the others of their batch arrive."""

    def append(self, append: HeldAppend) -> bytes | None:
        append.parts = [part for part in append.parts if not self.picks(part[1])]
        return None


@dataclass
class MessagesRefused(_PerMessage):
    """Refuses every APPEND, of one message or of many, that holds one of these messages."""

    _: KW_ONLY
    words: str = "NO [TOOBIG] message too large"

    def append(self, append: HeldAppend) -> bytes | None:
        refused = [message for _, message in append.parts if self.picks(message)]
        return self.words.encode() if refused else None


@dataclass
class MessagesAltered(_PerMessage):
    """Stores these messages with a replacement made in them, as servers do that know better."""

    _: KW_ONLY
    old: bytes = b"\r\n\r\n"
    new: bytes = b"\r\nX-Stored: here\r\n\r\n"

    def append(self, append: HeldAppend) -> bytes | None:
        append.parts = [
            (text, message.replace(self.old, self.new, 1) if self.picks(message) else message)
            for text, message in append.parts
        ]
        return None


_CAPABILITIES = re.compile(rb"((?:^\* |\[)CAPABILITY )([^\]\r]*)")


def _then_hang_up(wire: Iterator[bytes]) -> Iterator[bytes]:
    yield from wire
    raise HangUp


def _behind(line: bytes, wire: Iterator[bytes]) -> Iterator[bytes]:
    yield line + b"\r\n"
    yield from wire
