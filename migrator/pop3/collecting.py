"""From the content of a RETR reply to a message in canonical form, hashed on the way, in flat memory.

Every LF that no CR precedes becomes CRLF; see ``migrator.digest``. Messages of usual sizes stay in memory, larger ones
go through a spool piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from itertools import accumulate
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
    lines = lf_lines(received)
    content = canonical(received) if lines is None else received
    body = MemoryBody(content) if lines is None else LinesBody(lines, len(content))
    facts = header_facts(header_block(content))
    return Message(digest_of(content), facts.digest, facts.message_id, body)


class Collector:
    """Takes the pieces of one message. No piece may end between CR and LF.

    ``received`` counts octets as they came; ``beginning`` is the first few of them.
    """

    def __init__(self, open_spool: Callable[[], Spool]) -> None:
        self.received = 0
        self.beginning = b""
        self._open_spool = open_spool
        self._pieces: list[bytes] = []
        self._head = b""
        self._spool: Spool | None = None
        self._hash = sha256()

    def add(self, piece: bytes) -> None:
        """Take the next piece; once there is too much for memory it goes to the spool."""
        if len(self.beginning) < 4:
            self.beginning = (self.beginning + piece)[:4]
        self.received += len(piece)
        piece = canonical(piece)
        self._hash.update(piece)
        if self._spool is not None:
            self._spool.write(piece)
            return
        self._pieces.append(piece)
        if self.received > MEMORY_LIMIT:
            self._move_to_spool()

    def _move_to_spool(self) -> None:
        self._head = _beginning_of(self._pieces)
        self._spool = self._open_spool()
        for piece in self._pieces:
            self._spool.write(piece)
        self._pieces.clear()

    def message(self) -> Message:
        """Return the message made of all pieces."""
        facts = header_facts(header_block(self._head or _beginning_of(self._pieces)))
        body = self._spool.body() if self._spool else PiecedBody(tuple(self._pieces))
        return Message(Digest(self._hash.digest()), facts.digest, facts.message_id, body)


def _beginning_of(pieces: list[bytes]) -> bytes:
    """Return as much of a message as its headers may take, or a little more."""
    octets = accumulate((len(piece) for piece in pieces), initial=0)
    return b"".join(piece for piece, before in zip(pieces, octets, strict=False) if before < HEADER_LIMIT)
