"""From the content of a RETR reply to a message in canonical form, hashed on the way, in flat memory.

Every LF that no CR precedes becomes CRLF; see ``migrator.digest``. Messages of usual sizes stay in memory, larger ones
go through a spool piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from migrator.digest import HEADER_LIMIT, canonical, digest_of, header_block, header_facts, lf_lines
from migrator.model import Body, Digest, LinesBody, MemoryBody, Message, PiecedBody

MEMORY_LIMIT = 16 * 1024 * 1024
"""Messages of up to this many octets are held in memory."""


class Spool(Protocol):
    """Takes a large message piece by piece and gives it back as a body."""

    def write(self, chunk: bytes) -> None:
        """Append a piece."""

    def body(self) -> Body:
        """Return everything written, as often as it is asked for."""


def small_message(received: bytes) -> Message:
    """Make a message of content that is at hand as a whole."""
    content, body = _held(received)
    facts = header_facts(header_block(content))
    return Message(digest_of(content), facts.digest, facts.message_id, len(content), body, is_as_digested=True)


def _held(received: bytes) -> tuple[bytes, MemoryBody | LinesBody]:
    """Return the canonical form, and what to keep of it."""
    lines = lf_lines(received)
    if lines is not None:
        return received, LinesBody(lines)
    content = canonical(received)
    return content, MemoryBody(content)


class Collector:
    """Takes the pieces of one message. No piece may end between CR and LF.

    ``received`` counts octets as they came; ``beginning`` is the first few of them.
    """

    def __init__(self, open_spool: Callable[[], Spool]) -> None:
        self.received = 0
        self.beginning = b""
        self._open_spool = open_spool
        self._pieces: list[MemoryBody | LinesBody] = []
        self._head = b""
        self._spool: Spool | None = None
        self._hash = sha256()
        self._octets = 0

    def add(self, piece: bytes) -> None:
        """Take the next piece; once there is too much for memory it goes to the spool."""
        if len(self.beginning) < 4:
            self.beginning = (self.beginning + piece)[:4]
        self.received += len(piece)
        if self._spool is not None:
            content = canonical(piece)
            self._spool.write(content)
        else:
            content, held = _held(piece)
            self._pieces.append(held)
        self._hash.update(content)
        self._octets += len(content)
        if self.received > MEMORY_LIMIT and self._pieces:
            self._move_to_spool()

    def _move_to_spool(self) -> None:
        self._head = _beginning_of(self._pieces)
        self._spool = self._open_spool()
        for piece in self._pieces:
            for chunk in piece.chunks():
                self._spool.write(chunk)
        self._pieces.clear()

    def message(self) -> Message:
        """Return the message made of all pieces."""
        facts = header_facts(header_block(self._head or _beginning_of(self._pieces)))
        digest = Digest(self._hash.digest())
        if self._spool is not None:
            return Message(digest, facts.digest, facts.message_id, self._octets, self._spool.body())
        body = PiecedBody(tuple(self._pieces))
        return Message(digest, facts.digest, facts.message_id, self._octets, body, is_as_digested=True)


def _beginning_of(pieces: list[MemoryBody | LinesBody]) -> bytes:
    """Return as much of a message as its headers may take, or a little more."""
    beginning = b""
    for piece in pieces:
        beginning += b"".join(piece.chunks())
        if len(beginning) >= HEADER_LIMIT:
            break
    return beginning
