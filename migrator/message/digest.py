"""What identifies a message: the digest over all of it, and the digest over its headers.

Both are taken over the canonical form: the bytes as POP3 delivered them, dot-unstuffed, each line ending in CRLF
(a bare LF ends a line, a bare CR does not). The header digest is what TOP n 0 can reproduce (RFC 1939, section 7): the
header block up to the first empty line, without the headers that servers add or change of their own.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NamedTuple

from migrator.message.body import Body, LinesBody
from migrator.model import Digest, HeaderDigest

HEADER_LIMIT = 256 * 1024
"""Header blocks are looked at up to this many bytes; what lies beyond takes no part in the header digest."""

SERVER_HEADERS = frozenset(
    # GNU mailutils and Dovecot's mbox store add the first six; some servers refresh the length of what they hold.
    {b"status", b"x-status", b"x-uid", b"x-uidl", b"x-imapbase", b"x-imap", b"x-keywords", b"content-length"}
)

_STRETCH = 32 * 1024  # what is shorter is not worth a second look

# Each begins with a plain line feed, for which the engine has a fast search (20 times as fast as ``(?:^|\n)``): they
# are used on a block with a line feed put before it.
_SERVER = rb"\n(?:x-(?:status|uidl?|imap(?:base)?|keywords)|status|content-length)[ \t]*:"
_WITH_MESSAGE_ID = rb"\nmessage-id[ \t]*:[ \t]*(?:\r\n[ \t]+)?([^\r\n]*)"
_SERVER_HEADER, _MESSAGE_ID, _NOTABLE = (
    re.compile(pattern, re.I) for pattern in (_SERVER, _WITH_MESSAGE_ID, _WITH_MESSAGE_ID + b"|" + _SERVER)
)


class HeaderFacts(NamedTuple):
    """What a header block says: its digest, and its Message-ID (``b""`` without one)."""

    digest: HeaderDigest
    message_id: bytes


def header_block(message: bytes) -> bytes:
    """Return the header lines of a canonical message, each with its CRLF, without the empty line that ends them."""
    return message[: end_of_headers(message, 0, len(message))]


def end_of_headers(text: bytes, begin: int, end: int) -> int:
    """Return where the header block ends, as ``header_block`` gives it, of a message that stands in a text."""
    if text.startswith(b"\r\n", begin, end):
        return begin
    limit = min(end, begin + HEADER_LIMIT)
    found = text.find(b"\r\n\r\n", begin, limit)
    return found + 2 if found >= 0 else limit


def header_facts(block: bytes) -> HeaderFacts:
    """Return what identifies a header block as ``header_block`` gives it."""
    return facts_behind_line_feed(b"\n" + block)


def facts_behind_line_feed(lines: bytes) -> HeaderFacts:
    """Return what identifies a header block, of which the line feed before it was given too."""
    message_ids = _NOTABLE.findall(lines)
    if all(message_ids):  # in nearly all mail nothing else was found
        message_id = message_ids[0].strip() if message_ids else b""
        return HeaderFacts(HeaderDigest(sha256(memoryview(lines)[1:]).digest()), message_id)
    found = _MESSAGE_ID.search(lines)
    return HeaderFacts(
        digest=HeaderDigest(sha256(_without_server_headers(lines[1:])).digest()),
        message_id=found[1].strip() if found else b"",
    )


def _without_server_headers(block: bytes) -> bytes:
    if _SERVER_HEADER.search(b"\n" + block) is None:
        return block
    kept: list[bytes] = []
    is_kept = True
    for line in block.split(b"\r\n"):  # not splitlines: a bare CR ends no line
        if not line.startswith((b" ", b"\t")):
            name, colon, _ = line.partition(b":")
            is_kept = not colon or name.rstrip(b" \t").lower() not in SERVER_HEADERS
        if is_kept:
            kept.append(line)
    return b"\r\n".join(kept)


def same_but_for_server_headers(one: Body, other: Body) -> bool:
    """Say whether two messages are equal once the headers that servers add or change of their own are left out."""
    return _digest_without_server_headers(one) == _digest_without_server_headers(other)


def _digest_without_server_headers(body: Body) -> bytes:
    state = sha256()
    start = b""
    is_in_headers = True
    for chunk in body.chunks():
        if not is_in_headers:
            state.update(chunk)
            continue
        start += chunk
        if b"\r\n\r\n" in start or start.startswith(b"\r\n") or len(start) >= HEADER_LIMIT:
            block = header_block(start)
            state.update(_without_server_headers(block) + start[len(block) :])
            is_in_headers = False
    if is_in_headers:
        state.update(_without_server_headers(start))
    return state.digest()


def digest_of_body(body: Body) -> Digest:
    """Return the digest of a message, wherever its bytes are."""
    if isinstance(body, LinesBody):  # nearly every one
        return Digest(sha256(body.lines.replace(b"\n", b"\r\n")).digest())
    state = sha256()
    for chunk in body.chunks():
        state.update(chunk)
    return Digest(state.digest())


def digest_of(canonical: bytes) -> Digest:
    """Return the digest of a message held in memory in canonical form."""
    return Digest(sha256(canonical).digest())


def lf_lines(text: bytes) -> bytes | None:
    """Return text with each CRLF turned into LF; None where a CR or LF stands alone, so that this could not be undone.

    The two steps and the comparison take half the time of replacing CRLF.
    """
    if (lines := _even_lf_lines(text)) is not None:
        return lines
    lines = text.replace(b"\r", b"")
    return lines if lines.replace(b"\n", b"\r\n") == text else None


def _even_lf_lines(text: bytes) -> bytes | None:
    """Return ``lf_lines`` of what looks like one stretch of base64, in a seventh of the time; None for all else.

    Its lines are of one length: a CR and an LF stand wherever that says, and once these are cut out none is left.
    """
    if len(text) < _STRETCH:
        return None
    first = text.find(b"\n")
    distance = text.find(b"\n", first + 1) - first
    if first < 1 or distance < 2:
        return None
    crs, lfs = text[first - 1 :: distance], text[first::distance]
    if not crs.count(b"\r") == len(crs) == len(lfs) == lfs.count(b"\n"):
        return None
    lines = bytearray(text)
    del lines[first - 1 :: distance]
    rest = lines[:]
    del rest[first - 1 :: distance - 1]
    return bytes(lines) if b"\r" not in lines and b"\n" not in rest else None


def canonical(received: bytes) -> bytes:
    """Return the canonical form of received bytes: every LF that no CR precedes becomes CRLF.

    A last line without a line end stays as it is: POP3 cannot deliver one.
    """
    if _even_lf_lines(received) is not None or received.count(b"\n") == received.count(b"\r\n"):
        return received
    return re.sub(rb"(?<!\r)\n", b"\r\n", received)
