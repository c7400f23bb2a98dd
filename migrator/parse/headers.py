"""What the header block of any message says, however broken: a scanner whose work is bounded by its input's limits.

Pure. It is what stays when a message cannot be parsed, and the only reader of the top-level headers when it can: raw
8-bit headers (RFC 6532, or no standard at all) need the same order of charsets as bodies do. RFC 5322 section 2.2
(folding), RFC 2047 (encoded words).
"""

from __future__ import annotations

import binascii
import quopri
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime

from migrator.lazy_dataclasses import dataclass
from migrator.message.written_date import moment_of
from migrator.parse.charsets import decode

BLOCK_LIMIT = 256 * 1024
VALUE_LIMIT = 16 * 1024
MOST_FIELDS = 2_000

_FIELD = re.compile(rb"^([!-9;-~]{1,200})[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.M)
_ENCODED_WORD = re.compile(rb"=\?([^?\s]{1,60})\?([bBqQ])\?([^?\n]{0,4000})\?=")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([\w.:+-]{1,40})", re.I)
_NEARBY = 16 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BETWEEN_WORDS = re.compile(rb"(\?=)[ \t\r\n]+(?==\?)")
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers that a person knows a message by. ``date`` is seconds since the epoch, None where none is sane."""

    sender: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    reply_to: str = ""
    subject: str = ""
    message_id: str = ""
    list_id: str = ""
    date: int | None = None
    date_text: str = ""


def headers(message: bytes) -> Headers:
    """Read the header block that a message begins with; lines may end in CRLF or LF."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in fields(message):
        if name in _WANTED and len(values := found.setdefault(name, [])) < 20:
            values.append(value)
    nearby = _nearby_charset(message, found)

    def joined(name: bytes) -> str:
        return ", ".join(filter(None, (decoded(value, nearby) for value in found.get(name, ()))))

    return Headers(
        sender=joined(b"from") or joined(b"sender"),
        to=joined(b"to"),
        cc=joined(b"cc"),
        bcc=joined(b"bcc"),
        reply_to=joined(b"reply-to"),
        subject=joined(b"subject"),
        message_id=joined(b"message-id"),
        list_id=" ".join(filter(None, (joined(b"list-id"), joined(b"list-post")))),
        date=_date(found),
        date_text=joined(b"date"),
    )


def _nearby_charset(message: bytes, found: dict[bytes, list[bytes]]) -> str:
    """Return the charset that the message declares first, for headers that declare none and are not ASCII."""
    if all(value.isascii() for values in found.values() for value in values):
        return ""
    declared = _CHARSET.search(message, 0, _NEARBY)
    return declared[1].decode("ascii", "replace") if declared else ""


def header_words(known: Headers) -> tuple[str, str, str, str, str]:
    """Return what the search index looks for in headers: sender, recipients, Cc, subject, list."""
    recipients = f"{known.to}\n{known.bcc}"
    return f"{known.sender}\n{known.reply_to}", recipients, known.cc, known.subject, known.list_id


def fields(message: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name (in lower case) and raw value of each header field, up to the limits; all else is passed over."""
    block = header_block(message)
    for count, found in enumerate(_FIELD.finditer(block)):
        if count == MOST_FIELDS:
            return
        yield found[1].lower(), found[2][:VALUE_LIMIT].strip()


def header_block(message: bytes) -> bytes:
    """Return the header block with lines that end in LF, or as much of it as is looked at.

    A mark of UTF-8, which Windows programs put before everything, is passed over.
    """
    block = message[:BLOCK_LIMIT].removeprefix(_BYTE_ORDER_MARK).replace(b"\r\n", b"\n")
    if block.startswith(b"\n"):
        return b""
    end = block.find(b"\n\n")
    return block[: end + 1] if end >= 0 else block


def decoded(value: bytes, nearby: str = "") -> str:
    """Return a header's value unfolded, its encoded words decoded, with single blanks.

    ``nearby`` is a charset that the message declares elsewhere.
    """
    if b"=?" not in value:
        return " ".join(decode(value, nearby=nearby).split())
    value = _BETWEEN_WORDS.sub(rb"\1", value[:VALUE_LIMIT])
    pieces: list[str] = []
    done = 0
    for charset, content, start, end in _joined_words(value):
        pieces += [decode(value[done:start], nearby=nearby), decode(content, charset)]
        done = end
    return " ".join("".join([*pieces, decode(value[done:], nearby=nearby)]).split())


def _joined_words(value: bytes) -> Iterator[tuple[str, bytes, int, int]]:
    """Yield encoded words as charset, bytes and place; neighbours of one charset are one: characters may be cut."""
    held: tuple[str, bytes, int, int] | None = None
    for found in _ENCODED_WORD.finditer(value):
        charset = found[1].partition(b"*")[0].decode("ascii", "replace").lower()  # RFC 2231: charset*language
        content = _word(found[2], found[3])
        if held and held[3] == found.start() and held[0] == charset:
            held = (charset, held[1] + content, held[2], found.end())
            continue
        if held:
            yield held
        held = (charset, content, found.start(), found.end())
    if held:
        yield held


def _word(encoding: bytes, content: bytes) -> bytes:
    if encoding in b"qQ":
        return quopri.decodestring(content, header=True)
    try:
        return b64decode(re.sub(rb"[^A-Za-z0-9+/]", b"", content) + b"===")
    except (binascii.Error, ValueError):
        return content


def _date(found: dict[bytes, list[bytes]]) -> int | None:
    """Return when it was written; where that cannot be, when it was received (the newest Received stands first)."""
    stamps = [*found.get(b"date", ()), *found.get(b"delivery-date", ())]
    stamps += [value.rpartition(b";")[2] for value in found.get(b"received", ())]
    return next((moment for stamp in stamps if (moment := _moment(stamp)) is not None), None)


def _moment(stamp: bytes) -> int | None:
    moment = moment_of(stamp)
    return int(moment.timestamp()) if moment is not None and _EARLIEST <= moment < _LATEST else None


_WANTED = frozenset(
    b"from sender to cc bcc reply-to subject message-id list-id list-post date delivery-date received".split()
)
