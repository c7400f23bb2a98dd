"""Whose message is this? How a copy is known again although the server may have changed some of its bytes.

Pure. A message is reduced to its loose form: no carriage returns, no line end at the very end, and every byte that is
NUL or above 127 replaced by X. What Dovecot, Cyrus and Courier were measured to change disappears in it, so the loose
digest of a stored copy is that of the message meant. It only pairs copies with intents; whether a copy is equal is
proven elsewhere (``migrator.message.proof``). The header key is for servers that rebuild messages (Exchange).
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Callable, Sequence
from hashlib import blake2b, sha256
from typing import NamedTuple

from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Body, LinesBody, Message
from migrator.message.digest import HEADER_LIMIT, HeaderFacts, header_block, header_facts
from migrator.model import Digest, HeaderDigest

_MASK = bytes(0x58 if byte == 0 or byte > 0x7F else byte for byte in range(256))
_FORM = struct.Struct("!BQ32s16s32sH")
_VERSION = 1
# It begins with a plain line feed, for which the engine has a fast search: one is put before the header.
_KEY_HEADER = re.compile(rb"\n(message-id|date|from|subject)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.I)
_SLACK = 2  # a final line end that the server adds


@dataclass(frozen=True, slots=True)
class CopyKey:
    """What is remembered of a message so that its copy can be recognised.

    ``loose_octets`` is the length of the loose form: no copy of it is shorter. ``header_key`` is a digest over
    Message-ID, Date, From and Subject, or ``b""`` where there is no Message-ID to tell messages apart by.
    """

    loose_octets: int
    loose_digest: bytes
    header_key: bytes
    header_digest: HeaderDigest
    message_id: bytes

    def packed(self) -> bytes:
        """Return the bytes that the ledger keeps."""
        key = self.header_key or bytes(16)
        message_id = self.message_id[:998]
        fixed = _FORM.pack(_VERSION, self.loose_octets, self.loose_digest, key, self.header_digest, len(message_id))
        return fixed + message_id


def unpacked(kept: bytes) -> CopyKey | None:
    """Return what ``CopyKey.packed`` made bytes of; None for bytes that another version of it made."""
    if len(kept) < _FORM.size:
        return None
    version, octets, loose, key, header, length = _FORM.unpack_from(kept)
    message_id = kept[_FORM.size :]
    if version != _VERSION or len(message_id) != length:
        return None
    return CopyKey(octets, loose, key if any(key) else b"", HeaderDigest(header), message_id)


def copy_key_of(message: Message) -> CopyKey:
    """Return how copies of a message will be recognised."""
    octets, digest = loose_form(message.body)
    key = header_key(header_of(message.body))
    return CopyKey(octets, digest, key, message.header_digest, message.message_id)


def loose_form(body: Body) -> tuple[int, bytes]:
    """Return length and SHA-256 of the loose form of a message."""
    hasher = sha256()
    octets = held = 0
    for chunk in [body.lines] if isinstance(body, LinesBody) else body.chunks():
        loose = _loose(chunk)
        kept = loose.rstrip(b"\n")
        if kept and held:
            hasher.update(b"\n" * held)
            octets += held
            held = 0
        hasher.update(kept)
        octets += len(kept)
        held += len(loose) - len(kept)
    return octets, hasher.digest()


def _loose(text: bytes) -> bytes:
    """Mask what servers change, and leave out carriage returns; most mail has nothing to mask."""
    if text.isascii() and b"\0" not in text:
        return text.replace(b"\r", b"")
    return text.translate(_MASK, b"\r")


def message_key(message_id: bytes) -> bytes:
    """Return what a Message-ID is known by, however its server may have masked it; ``b""`` where there is none."""
    return sha256(message_id.translate(_MASK)).digest()[:16] if message_id else b""


def header_key(header: bytes) -> bytes:
    """Return a digest of the headers that survive even where a server rebuilds messages, or ``b""``."""
    seen: dict[bytes, bytes] = {}
    for name, value in _KEY_HEADER.findall(b"\n" + header):
        seen.setdefault(name.lower(), b" ".join(value.translate(_MASK).split()))
    if not seen.get(b"message-id"):
        return b""
    return blake2b(repr(sorted(seen.items())).encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class SoughtCopy:
    """A message whose copy is looked for."""

    digest: Digest
    octets: int
    copy_key: CopyKey | None

    @property
    def size_range(self) -> tuple[int, int]:
        """The least and the greatest size that a copy can have: every CR gone, or a final line end added."""
        least = self.octets if self.copy_key is None else self.copy_key.loose_octets
        return least, self.octets + _SLACK


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that stands in the mailbox. ``size`` is RFC822.SIZE: exact nearly everywhere, but not on Exchange."""

    uid: int
    size: int


class Glance(NamedTuple):
    """What a listing tells of a message that stands in the mailbox; ``key`` is what ``message_key`` makes of its ID."""

    uid: int
    size: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Portrait:
    """What a candidate's bytes show."""

    digest: Digest
    loose_digest: bytes
    header_key: bytes
    header: HeaderFacts

    @classmethod
    def of(cls, body: Body) -> Portrait:
        """Look at a body as the server gave it."""
        whole = sha256()
        for chunk in body.chunks():
            whole.update(chunk)
        header = header_of(body)
        return cls(Digest(whole.digest()), loose_form(body)[1], header_key(header), header_facts(header))


def header_of(body: Body) -> bytes:
    """Return the header block of a body, of which no more than the beginning is looked at."""
    if isinstance(body, LinesBody):
        end = body.lines.find(b"\n\n")
        return header_block((body.lines if end < 0 else body.lines[: end + 2]).replace(b"\n", b"\r\n"))
    beginning = bytearray()
    for chunk in body.chunks():
        beginning += chunk[: HEADER_LIMIT + 4]
        if b"\r\n\r\n" in chunk or b"\r\n\r\n" in beginning or len(beginning) >= HEADER_LIMIT + 4:
            break
    return header_block(bytes(beginning))


def pair(wanted: list[SoughtCopy], portraits: dict[int, Portrait], *, is_rebuilding: bool) -> dict[int, int]:
    """Pair messages (by their place in ``wanted``) with UIDs; each copy stands for one message, the oldest first.

    Equal bytes count before equal loose forms, and these before equal header keys, which count only where the server
    ``is_rebuilding`` messages: elsewhere they would let a forwarded twin pass for the copy.
    """
    looks: list[tuple[Callable[[SoughtCopy], bytes], Callable[[Portrait], bytes]]] = [
        (lambda message: message.digest, lambda portrait: portrait.digest),
        (lambda message: message.copy_key.loose_digest if message.copy_key else b"", lambda p: p.loose_digest),
    ]
    if is_rebuilding:
        looks.append((lambda m: m.copy_key.header_key if m.copy_key else b"", lambda p: p.header_key))
    pairs: dict[int, int] = {}
    for look_at_message, look_at_copy in looks:
        free: dict[bytes, list[int]] = {}
        for uid in sorted(portraits.keys() - set(pairs.values()), reverse=True):
            free.setdefault(look_at_copy(portraits[uid]), []).append(uid)
        for place, message in enumerate(wanted):
            key = look_at_message(message)
            if place not in pairs and key and free.get(key):
                pairs[place] = free[key].pop()
    return pairs


class SizeRanges:
    """Which sizes a copy of any of many messages can have."""

    def __init__(self, wanted: Sequence[SoughtCopy]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for low, high in sorted(message.size_range for message in wanted):
            if self._ends and low <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], high)
            else:
                self._starts.append(low)
                self._ends.append(high)

    def hold(self, size: int) -> bool:
        """Say whether a copy of any of them can have this size."""
        place = bisect_right(self._starts, size) - 1
        return place >= 0 and size <= self._ends[place]
