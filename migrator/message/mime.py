"""What a message means, whatever its bytes: identifying headers, decoded text, digests of decoded attachments.

Pure. Made for comparing a message with what a server rebuilt from its parts (RFC 2045 to 2047), not for showing it.
Mail is hostile: nesting, number of parts and header sizes are bounded, every decoding falls back to the raw bytes, and
the time is proportional to the size. The standard library's parser is not used for the structure, since it recurses
once per nesting level; its decoders for header words, addresses and dates are, on bounded input.
"""

from __future__ import annotations

import binascii
import codecs
import html
import quopri
import re
from base64 import b64decode
from collections import Counter
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses, parsedate_to_datetime
from hashlib import sha256

from migrator.lazy_dataclasses import dataclass

MOST_PARTS = 10_000
DEEPEST = 100
MOST_WORK = 16
"""How many times the octets of a message are looked at in all: each level of nesting looks at its own once."""
LONGEST_HEADER = 64 * 1024
LONGEST_VALUE = 8 * 1024

_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:((?:[^\n]|\n[ \t])*)$", re.M)
_PARAMETER = re.compile(rb';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))')
_TAG = re.compile(r"<(/?)([a-z0-9]*)[^<>]*>", re.I)
_UNSEEN = frozenset({"head", "script", "style", "title"})
_DANGEROUS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape"})  # slow, or no charsets of mail


class TooComplexError(ValueError):
    """A message has more parts or deeper nesting than is looked into."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What has to survive. ``texts`` and ``attachments`` count digests of decoded leaves."""

    message_id: str
    date: str
    sender: tuple[str, ...]
    subject: str
    texts: Counter[bytes]
    attachments: Counter[bytes]


def differences(ours: Meaning, theirs: Meaning) -> list[str]:
    """Name what two messages do not have in common; nothing if they mean the same."""
    pairs = {
        "Message-ID": (ours.message_id, theirs.message_id),
        "Date": (ours.date, theirs.date),
        "From": (ours.sender, theirs.sender),
        "Subject": (ours.subject, theirs.subject),
        "text": (ours.texts, theirs.texts),
        "attachments": (ours.attachments, theirs.attachments),
    }
    return [name for name, (one, other) in pairs.items() if one != other]


def meaning_of(message: bytes) -> Meaning:
    """Parse a message. Raises ``TooComplexError`` beyond the bounds, and nothing else, whatever the bytes."""
    whole = message.replace(b"\r", b"")
    fields, _ = _split(whole)
    texts: Counter[bytes] = Counter()
    attachments: Counter[bytes] = Counter()
    for part_fields, content in _leaves(whole):
        kind, parameters = _parsed(part_fields.get(b"content-type", b"text/plain"))
        decoded = _decoded(content, part_fields.get(b"content-transfer-encoding", b""))
        disposition, _ = _parsed(part_fields.get(b"content-disposition", b""))
        if kind.startswith(b"text/") and disposition != b"attachment":
            text = _text(decoded, parameters.get(b"charset", b""), is_html=kind == b"text/html")
            if text:  # empty parts come and go
                texts[sha256(text.encode("utf-8", "replace")).digest()] += 1
        else:
            attachments[sha256(decoded).digest()] += 1
    return Meaning(
        message_id=_raw(fields.get(b"message-id", b"")),
        date=_date(fields.get(b"date", b"")),
        sender=_addresses(fields.get(b"from", b"")),
        subject=_words(fields.get(b"subject", b"")),
        texts=texts,
        attachments=attachments,
    )


def _leaves(whole: bytes) -> list[tuple[dict[bytes, bytes], bytes]]:
    """Return headers and raw content of every part that has no parts, those of embedded messages included."""
    leaves: list[tuple[dict[bytes, bytes], bytes]] = []
    pending = [(whole, 0)]
    seen = work = 0
    while pending:
        part, depth = pending.pop()
        seen += 1
        work += len(part)
        if depth > DEEPEST or work > MOST_WORK * len(whole) + LONGEST_HEADER:
            raise TooComplexError(f"it nests deeper than {DEEPEST}, or deeply with much in it")
        fields, content = _split(part)
        kind, parameters = _parsed(fields.get(b"content-type", b""))
        boundary = parameters.get(b"boundary", b"")
        inner = _between(content, boundary) if kind.startswith(b"multipart/") and boundary else []
        if inner:
            if seen + len(pending) + len(inner) > MOST_PARTS:
                raise TooComplexError(f"it has more than {MOST_PARTS} parts")
            pending.extend((one, depth + 1) for one in reversed(inner))
        elif kind == b"message/rfc822":
            pending.append((_decoded(content, fields.get(b"content-transfer-encoding", b"")), depth + 1))
        else:
            leaves.append((fields, content))
    return leaves


def _split(part: bytes) -> tuple[dict[bytes, bytes], bytes]:
    """Return the first of each header, and the content."""
    end = -1 if part.startswith(b"\n") else part.find(b"\n\n")
    head, content = (b"", part[1:]) if part.startswith(b"\n") else (part[: end + 1], part[end + 2 :])
    if end < 0 and not part.startswith(b"\n"):
        head, content = part, b""
    if len(head) > LONGEST_HEADER:
        raise TooComplexError(f"it has a header of more than {LONGEST_HEADER} octets")
    fields: dict[bytes, bytes] = {}
    for found in _FIELD.finditer(head):
        fields.setdefault(found[1].lower(), found[2].strip())
    return fields, content


def _between(content: bytes, boundary: bytes) -> list[bytes]:
    """Return what stands between boundary lines (RFC 2046, section 5.1.1); a missing last one is forgiven."""
    line = re.compile(rb"(?:\A|\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\n|\Z)")
    parts: list[bytes] = []
    start: int | None = None
    for found in line.finditer(content):
        if start is not None:
            parts.append(content[start : found.start()])
            if len(parts) > MOST_PARTS:
                raise TooComplexError(f"it has more than {MOST_PARTS} parts")
        if found[1]:
            return parts
        start = found.end() + 1
    if start is not None:
        parts.append(content[start:])
    return parts


def _parsed(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the word before the first semicolon in lower case, and the parameters."""
    value = value[:LONGEST_VALUE]
    kind, _, _ = value.partition(b";")
    parameters: dict[bytes, bytes] = {}
    for found in _PARAMETER.finditer(value):
        quoted = re.sub(rb"\\(.)", rb"\1", found[2], flags=re.S) if found[2] is not None else found[3]
        parameters.setdefault(found[1].lower(), quoted)
    return kind.strip().lower(), parameters


def _decoded(content: bytes, encoding: bytes) -> bytes:
    """Undo a transfer encoding; what cannot be undone stays as it is. Trailing line ends never count."""
    match encoding.strip().lower():
        case b"base64":
            try:
                return b64decode(re.sub(rb"[^A-Za-z0-9+/=]", b"", content) + b"==")
            except (binascii.Error, ValueError):
                return content.rstrip(b"\n")
        case b"quoted-printable":
            return quopri.decodestring(content).rstrip(b"\n")
        case _:
            return content.rstrip(b"\n")


def _text(decoded: bytes, charset: bytes, *, is_html: bool) -> str:
    """Return a text's words with one blank between them; of HTML what a reader sees."""
    text = _with_charset(decoded, charset)
    if is_html:
        text = html.unescape(_seen_by_a_reader(text))
    return " ".join(text.split())


def _seen_by_a_reader(markup: str) -> str:
    """Return what stands between tags, without heads, styles and scripts: those are what servers add to."""
    pieces: list[str] = []
    start, unseen = 0, ""
    for tag in _TAG.finditer(markup):
        name = tag[2].lower()
        if not unseen:
            pieces.append(markup[start : tag.start()])
            unseen = name if name in _UNSEEN and not tag[1] else ""
        elif not tag[1] or name != unseen:
            continue
        else:
            unseen = ""
        start = tag.end()
    pieces.append(markup[start:])  # also what an element that never ends would hide
    return " ".join(pieces)


def _with_charset(decoded: bytes, charset: bytes) -> str:
    for name in (charset.decode("ascii", "replace"), "utf-8"):
        try:
            if codecs.lookup(name).name in _DANGEROUS:
                continue
            return decoded.decode(name)
        except (LookupError, ValueError):
            continue
    return decoded.decode("latin-1")


def _raw(value: bytes) -> str:
    return " ".join(value[:LONGEST_VALUE].decode("latin-1").split())


def _date(value: bytes) -> str:
    try:
        moment = parsedate_to_datetime(_raw(value))
        return str(int(moment.timestamp()))
    except (ValueError, TypeError, OverflowError, IndexError):
        return _raw(value)


def _addresses(value: bytes) -> tuple[str, ...]:
    text = value[:LONGEST_VALUE].decode("latin-1")
    try:
        found = [address for _, address in getaddresses([text]) if address]
    except (ValueError, IndexError, RecursionError):
        found = []
    return tuple(sorted(address.lower() for address in found)) or (_raw(value),)


def _words(value: bytes) -> str:
    """Return an unstructured header with its encoded words (RFC 2047) decoded."""
    pieces: list[str] = []
    try:
        for piece, charset in decode_header(_raw(value)):
            is_text = isinstance(piece, str)
            pieces.append(piece if is_text else _with_charset(piece, (charset or "ascii").encode()))
    except (HeaderParseError, ValueError, binascii.Error):
        return _raw(value)
    return " ".join("".join(pieces).split())
