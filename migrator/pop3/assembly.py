"""From the content of a RETR reply to a message in canonical form, hashed on the way, in flat memory.

Every LF that no CR precedes becomes CRLF; see ``migrator.message.digest``. Messages of usual sizes stay in memory,
larger ones go through a spool piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final, Protocol

from migrator.message.body import Body, LinesBody, Message, PiecedBody
from migrator.message.digest import HEADER_LIMIT, canonical, digest_of, header_block, header_facts, lf_lines
from migrator.model import Digest

MEMORY_LIMIT = 16 * 1024 * 1024
"""Messages of up to this many octets are held in memory."""


class Spool(Protocol):
    """Takes a large message piece by piece, with LF line ends, and gives it back as a body."""

    def write(self, lines: bytes) -> None:
        """Append a piece."""

    def body(self, octets: int) -> Body:
        """Return everything written, as often as it is asked for; it makes ``octets`` octets in canonical form."""


def small_message(received: bytes) -> Message:
    """Make a message of content that has come as a whole."""
    content, lines = _in_both_forms(received)
    facts = header_facts(header_block(content))
    digest = digest_of(content)
    return Message(digest, facts.digest, facts.message_id, len(content), LinesBody(lines))


def _in_both_forms(received: bytes) -> tuple[bytes, bytes]:
    """Return the canonical form, of which the digest is taken, and the same with each CRLF turned into LF, to keep."""
    lines = lf_lines(received)
    if lines is not None:
        return received, lines
    content = canonical(received)
    return content, content.replace(b"\r\n", b"\n")


BEGINNING: Final = 80
"""Octets of a message that show whether it begins like a status line."""


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
        self._octets = 0

    def add(self, piece: bytes) -> None:
        """Take the next piece; once there is too much for memory it goes to the spool."""
        if len(self.beginning) < BEGINNING:
            self.beginning = (self.beginning + piece)[:BEGINNING]
        self.received += len(piece)
        content, lines = _in_both_forms(piece)
        self._hash.update(content)
        self._octets += len(content)
        if len(self._head) < HEADER_LIMIT:
            self._head += content
        if self._spool is not None:
            self._spool.write(lines)
            return
        self._pieces.append(lines)
        if self.received > MEMORY_LIMIT:
            self._move_to_spool()

    def _move_to_spool(self) -> None:
        self._spool = self._open_spool()
        for lines in self._pieces:
            self._spool.write(lines)
        self._pieces.clear()

    def message(self) -> Message:
        """Return the message made of all pieces."""
        facts = header_facts(header_block(self._head))
        body = self._spool.body(self._octets) if self._spool else PiecedBody(tuple(self._pieces))
        return Message(Digest(self._hash.digest()), facts.digest, facts.message_id, self._octets, body)
