"""From the content of a RETR reply to a message in canonical form, hashed on the way, in flat memory.

Every LF that no CR precedes becomes CRLF; see ``migrator.digest``. Small messages stay in memory, larger ones go
through a spool piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from migrator.digest import canonical, digest_of, header_block, header_facts
from migrator.model import Body, Digest, MemoryBody, Message

MEMORY_LIMIT = 256 * 1024
"""Messages of up to this many octets are held in memory."""


class Spool(Protocol):
    """Takes a large message piece by piece and gives it back as a body."""

    def write(self, chunk: bytes) -> None:
        """Append a piece."""

    def body(self) -> Body:
        """Return everything written, as often as it is asked for."""


def small_message(received: bytes) -> Message:
    """Make a message of content that is at hand as a whole."""
    content = canonical(received)
    facts = header_facts(header_block(content))
    return Message(digest_of(content), facts.digest, facts.message_id, MemoryBody(content))


class Collector:
    """Takes the pieces of one message. No piece may end between CR and LF.

    ``received`` counts octets as they came; ``beginning`` is the first few of them.
    """

    def __init__(self, open_spool: Callable[[], Spool]) -> None:
        self.received = 0
        self.beginning = b""
        self._open_spool = open_spool
        self._pieces: list[bytes] = []
        self._spool: Spool | None = None
        self._head = b""
        self._hash = sha256()

    def add(self, piece: bytes) -> None:
        """Take the next piece; once there is too much for memory it goes to the spool."""
        if len(self.beginning) < 4:
            self.beginning = (self.beginning + piece)[:4]
        self.received += len(piece)
        piece = canonical(piece)
        if self._spool is None:
            self._pieces.append(piece)
            if self.received > MEMORY_LIMIT:
                self._move_to_spool()
        else:
            self._hash.update(piece)
            self._spool.write(piece)

    def _move_to_spool(self) -> None:
        self._head = b"".join(self._pieces)
        self._pieces.clear()
        self._spool = self._open_spool()
        self._spool.write(self._head)
        self._hash.update(self._head)

    def message(self) -> Message:
        """Return the message made of all pieces."""
        if self._spool is None:
            return small_message(b"".join(self._pieces))
        facts = header_facts(header_block(self._head))
        return Message(Digest(self._hash.digest()), facts.digest, facts.message_id, self._spool.body())
