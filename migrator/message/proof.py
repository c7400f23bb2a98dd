"""How well does a stored copy prove the message it was made of? In grades: exact, canonical, semantic, none.

Pure. *Exact*: the bytes are equal. *Canonical*: equal but for transformations that servers were measured to make
(docs/providers.md), each named in the finding. *Semantic*, for servers that rebuild messages: Message-ID, Date,
From, Subject, the decoded text and the multiset of decoded attachments are equal (``migrator.message.mime`` takes mail
apart, within bounds). A lower grade is only tried when the higher one fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Body, MemoryBody
from migrator.message.digest import HEADER_LIMIT
from migrator.message.mime import TooComplexError, differences, meaning_of
from migrator.model import Proof

SEMANTIC_LIMIT = 64 * 1024 * 1024
"""Octets of the largest message that is parsed: it has to be in memory for that."""

_MASK = bytes(0x58 if byte > 0x7F else byte for byte in range(256))  # what Cyrus puts for 8-bit bytes in headers: X
_NUL_TO_0X80 = bytes(0x80 if byte == 0 else byte for byte in range(256))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The best grade a copy reached. ``differences`` says in words what is not equal, ``""`` for an exact copy."""

    proof: Proof
    differences: str


def prove(original: Body, stored: Body | bytes) -> Comparison:
    """Compare a stored copy, as the server gives it, with the canonical form of the message meant.

    Memory stays flat but for the semantic grade, which is not tried above ``SEMANTIC_LIMIT`` octets. Nothing in a
    message makes this raise or take more than a time proportional to its size.
    """
    copy = MemoryBody(stored) if isinstance(stored, bytes) else stored
    ours, theirs = _Look.at(original), _Look.at(copy)
    if ours.digest == theirs.digest:
        return Comparison(Proof.EXACT, "")
    changes = _changes(ours, theirs)
    if _plain_digest(original, changes) == _plain_digest(copy, changes):
        return Comparison(Proof.CANONICAL, "changed by the server: " + ", ".join(changes.names))
    return _semantic(original, copy)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one pass over a message shows."""

    digest: bytes
    returns: int
    line_ends: int
    has_nul: bool
    has_8bit_header: bool
    ends_in_line_end: bool

    @classmethod
    def at(cls, body: Body) -> _Look:
        whole = sha256()
        returns = line_ends = 0
        has_nul = False
        last = b""
        for chunk in body.chunks():
            whole.update(chunk)
            returns += chunk.count(b"\r")
            line_ends += chunk.count(b"\n")
            has_nul = has_nul or b"\0" in chunk
            last = chunk[-1:] or last
        header = next(_parts(body))
        return cls(whole.digest(), returns, line_ends, has_nul, not header.isascii(), last == b"\n")


@dataclass(frozen=True, slots=True)
class _Changes:
    """Which transformations have to be undone, or made, before two copies can be compared."""

    masks_header: bool
    replaces_nul: bool
    names: tuple[str, ...]


def _changes(ours: _Look, theirs: _Look) -> _Changes:
    masks_header = ours.has_8bit_header and not theirs.has_8bit_header
    replaces_nul = ours.has_nul and not theirs.has_nul
    names = {
        "final line end": ours.ends_in_line_end != theirs.ends_in_line_end,
        "carriage returns": ours.returns - ours.line_ends != theirs.returns - theirs.line_ends,
        "NUL replaced by 0x80": replaces_nul,
        "8-bit header bytes masked": masks_header,
    }
    return _Changes(masks_header, replaces_nul, tuple(name for name, is_so in names.items() if is_so))


def _plain_digest(body: Body, changes: _Changes) -> bytes:
    """Return a digest of the message without carriage returns and final line end, and with the changes made."""
    hasher = sha256()
    is_open = False  # a line end was held back: it only counts if something follows
    for place, part in enumerate(_parts(body)):
        plain = part.translate(_MASK) if place == 0 and changes.masks_header else part
        if changes.replaces_nul:
            plain = plain.translate(_NUL_TO_0X80)
        if not plain:
            continue
        if is_open:
            hasher.update(b"\n")
        is_open = plain.endswith(b"\n")
        hasher.update(plain[:-1] if is_open else plain)
    return hasher.digest()


def _parts(body: Body) -> Iterator[bytes]:
    """Yield the header block first, then the rest in pieces, all without carriage returns."""
    chunks = (chunk.replace(b"\r", b"") for chunk in body.chunks())
    beginning = bytearray()
    end = -1
    for chunk in chunks:
        searched = max(len(beginning) - 1, 0)
        beginning += chunk
        end = 0 if beginning.startswith(b"\n") else beginning.find(b"\n\n", searched)
        if end >= 0 or len(beginning) >= HEADER_LIMIT:
            break
    cut = min(len(beginning) if end < 0 else end, HEADER_LIMIT)
    yield bytes(beginning[:cut])
    yield bytes(beginning[cut:])
    yield from chunks


def _semantic(original: Body, copy: Body) -> Comparison:
    if max(original.octets, copy.octets) > SEMANTIC_LIMIT:
        return Comparison(Proof.NONE, "bytes differ; too large to be compared part by part")
    try:
        ours = meaning_of(b"".join(original.chunks()))
        theirs = meaning_of(b"".join(copy.chunks()))
    except TooComplexError as error:
        return Comparison(Proof.NONE, f"bytes differ; {error}")
    found = differences(ours, theirs)
    if found:
        return Comparison(Proof.NONE, "differs in " + ", ".join(found))
    return Comparison(Proof.SEMANTIC, "rebuilt by the server; every part has the same meaning")
