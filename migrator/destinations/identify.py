"""Which message stands at a place: everything that identifies it, from one pass over its canonical form. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from migrator.copy_records import Found
from migrator.message.digest import HEADER_LIMIT, digest_of, header_block, header_facts
from migrator.model import Digest, Locator

_BEGINNING = HEADER_LIMIT + 4
"""Enough of a message to see the end of the longest header block that is looked at."""


def found_at(locator: Locator, message: bytes) -> Found:
    """Identify a message that is held in memory."""
    facts = header_facts(header_block(message))
    return Found(digest_of(message), facts.digest, facts.message_id, len(message), locator)


def found_in_pieces(locator: Locator, pieces: Iterable[bytes]) -> Found:
    """Identify a message that comes in pieces; memory stays flat."""
    digest, octets, beginning = sha256(), 0, b""
    for piece in pieces:
        digest.update(piece)
        octets += len(piece)
        if len(beginning) < _BEGINNING:
            beginning += piece[:_BEGINNING]
    facts = header_facts(header_block(beginning))
    return Found(Digest(digest.digest()), facts.digest, facts.message_id, octets, locator)
