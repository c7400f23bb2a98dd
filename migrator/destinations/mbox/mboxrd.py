"""The mboxrd format, pure: a message in canonical form (CRLF) to bytes of a volume (LF) and back, exactly.

A record is a From_ line, the content, and one line feed: the blank line that separates it from the next. Content is the
canonical form with every CRLF turned into LF, and one ``>`` put before every line that matches ``^>*From ``, so that a
line that begins with ``From`` and a space always begins a record. A CR that no LF follows is content and stays. Undoing
both gives the canonical form back, byte for byte: for bare CRs, NULs, lines of megabytes, a last line without an end, a
header without a body, and for nothing at all.

``replace`` and regular expressions with anything but a literal are the dear steps here (see docs/performance.md), hence
the guards and loops.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple

from migrator.message.line_ends import pieces_to_lf, to_crlf, to_lf

Reader = Callable[[int, int], bytes]
"""``read(offset, size)`` gives up to ``size`` bytes of a file from ``offset`` on; fewer only where the file ends."""

FRAME_LIMIT = 4096
"""A From_ line is at most this long; a longer line begins no record that we take for mail."""

UNKNOWN_SENDER = b"MAILER-DAEMON"

SENDER_SEARCH_LIMIT = 64 * 1024
"""How far into a message its sender is looked for."""

_MOST_SINGLE_LOOKS = 24

_LF = 0x0A
_QUOTE = 0x3E
_FROM = re.compile(b"From ")  # finds a literal in a third of the time that bytes.find takes
_QUOTED_FROM = re.compile(b">From ")
_PARTIAL_FROM = (b"From", b"Fro", b"Fr", b"F")
_PARTIAL_QUOTED_FROM = (b">From", b">Fro", b">Fr", b">F", b">")
_HEADER_END = re.compile(rb"\n\r?\n")
_RETURN_PATH, _FROM_HEADER, _SENDER_HEADER = (
    re.compile(rb"\n%b:([^\n]*+(?:\n[ \t][^\n]*+)*+)" % name, re.I) for name in (b"return-path", b"from", b"sender")
)
_DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_WORD = rb"[!#-'*+\--9=?A-Z^-~]"  # printable ASCII without what has a meaning in an address list
# Begins at a word's first byte and never gives back: a hostile header of 64 kB costs no more than reading it.
_ADDRESS = re.compile(rb"(?<!%b)%b++@(?:%b|[:\[\]])+" % (_WORD, _WORD, _WORD))


# ---------------------------------------------------------------------------------------------- content


def encode(message: bytes) -> bytes:
    """Return the content of a record for a message in canonical form."""
    return quote(to_lf(message))


def quote(lines: bytes) -> bytes:
    """Return the content of a record for a message whose line ends are LF already."""
    return _quoted(lines, at_line_start=True)


def decode(content: bytes) -> bytes:
    """Return the canonical form of a record's content; undoes ``encode``."""
    return to_crlf(unquote(content))


def unquote(content: bytes) -> bytes:
    """Return the lines of a record's content; undoes ``quote``."""
    return _unquoted(content, at_line_start=True)


def encoded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of a record for a message that comes in pieces; however it is cut, the bytes are the same.

    At most five bytes are held back from one piece to the next.
    """
    return quoted(pieces_to_lf(pieces))


def quoted(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what ``encoded`` does, for a message whose line ends are LF already."""
    quoting = Quoting()
    for piece in pieces:
        yield quoting.add(piece)
    yield quoting.rest


class Quoting:
    """Quotes a message that is handed over in pieces; ``rest`` follows the last of them."""

    def __init__(self) -> None:
        self.rest = b""
        self._at_line_start = True

    def add(self, piece: bytes) -> bytes:
        """Return the content of a record up to here, but for what has been returned before and the rest."""
        text, self.rest = _without_ending(self.rest + piece, _PARTIAL_FROM)
        content = _quoted(text, at_line_start=self._at_line_start)
        self._at_line_start = _is_at_line_start(text, before=self._at_line_start)
        return content


def decoded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the canonical form of content that comes in pieces; however it is cut, the bytes are the same."""
    return map(to_crlf, unquoted(pieces))


def unquoted(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what ``unquote`` returns, of content that comes in pieces."""
    held, at_line_start = b"", True
    for piece in pieces:
        text, held = _without_ending(held + piece, _PARTIAL_QUOTED_FROM)
        yield _unquoted(text, at_line_start=at_line_start)
        at_line_start = _is_at_line_start(text, before=at_line_start)
    yield held


def _quoted(text: bytes, *, at_line_start: bool) -> bytes:
    """Put ``>`` before each ``>*From `` at the start of a line; ``at_line_start`` tells whether text begins there."""
    if b" " not in text:  # base64 has none, and looking for one byte costs next to nothing
        return text
    pieces: list[bytes] = []
    done = 0
    for at in _places_of_from(text):
        if _opens_a_line(text, at, at_line_start=at_line_start):
            pieces.append(text[done:at])
            done = at
    if not pieces:
        return text
    pieces.append(text[done:])
    return b">".join(pieces)


def _places_of_from(text: bytes) -> Iterator[int]:
    """Yield where ``From `` stands; one byte is looked for as long as it is as rare as in most mail."""
    at = text.find(b"F")
    for _ in range(_MOST_SINGLE_LOOKS):
        if at < 0:
            return
        if text.startswith(b"From ", at):
            yield at
        at = text.find(b"F", at + 1)
    if at >= 0:
        yield from (found.start() for found in _FROM.finditer(text, at))


def _unquoted(text: bytes, *, at_line_start: bool) -> bytes:
    """Take one ``>`` from each ``>+From `` at the start of a line."""
    last = text.rfind(b">")  # as above; in much mail the last one is in the header
    if last < 0:
        return text
    pieces: list[bytes] = []
    done = 0
    for found in _QUOTED_FROM.finditer(text, 0, last + len(b">From ")):
        at = found.start()
        if _opens_a_line(text, at, at_line_start=at_line_start):
            pieces.append(text[done:at])
            done = at + 1
    if not pieces:
        return text
    pieces.append(text[done:])
    return b"".join(pieces)


def _opens_a_line(text: bytes, at: int, *, at_line_start: bool) -> bool:
    """Tell whether nothing but ``>`` stands between the start of the line and this place.

    The quoting character may therefore go right before ``From``: ``>>`` and ``>`` are the same three in any order.
    """
    while at > 0 and text[at - 1] == _QUOTE:
        at -= 1
    return at_line_start if at == 0 else text[at - 1] == _LF


def _is_at_line_start(text: bytes, *, before: bool) -> bool:
    """Tell whether the line that follows ``text`` has only ``>`` so far; ``before`` told it before ``text``."""
    last_end = text.rfind(b"\n")
    if last_end < 0 and not before:
        return False
    return not text[last_end + 1 :].strip(b">")


def _without_ending(text: bytes, endings: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """Split off the longest of ``endings`` (longest first) that the text ends with."""
    if not text.endswith(endings):
        return text, b""
    ending = next(ending for ending in endings if text.endswith(ending))
    return text[: -len(ending)], ending


# ------------------------------------------------------------------------------------------- From_ lines


def frame(sender: bytes, date: bytes) -> bytes:
    """Return a From_ line with its line feed: envelope sender, and the time of arrival as ``timestamp`` gives it."""
    return b"From %b %b\n" % (sender, date)


def timestamp(arrived: datetime) -> bytes:
    """Return the time as a From_ line has it, in UTC and in English whatever the locale."""
    utc = arrived.astimezone(UTC)
    time_of_day = (utc.hour, utc.minute, utc.second)
    return b"%b %b %2d %02d:%02d:%02d %d" % (
        _DAYS[utc.weekday()],
        _MONTHS[utc.month - 1],
        utc.day,
        *time_of_day,
        utc.year,
    )


def envelope_sender(beginning: bytes) -> bytes:
    """Say who sent a message, given its beginning with CRLF or LF: a word without spaces, in printable ASCII.

    It is the address of Return-Path (RFC 5321, section 4.4; an empty one means the mail system itself), else that of
    From or Sender, else ``MAILER-DAEMON``.
    """
    header = b"\n" + beginning[:SENDER_SEARCH_LIMIT]
    if end := _HEADER_END.search(header):
        header = header[: end.start()]
    for name in (_RETURN_PATH, _FROM_HEADER, _SENDER_HEADER):
        found = name.search(header)
        if found and (address := _address(found[1])):
            return address
        if found and name is _RETURN_PATH and found[1].strip() == b"<>":
            break
    return UNKNOWN_SENDER


def _address(value: bytes) -> bytes:
    """Return the address in a header's value, ``b""`` where none is sane enough for a From_ line."""
    opened = value.rfind(b"<")
    found = _ADDRESS.search(value, opened + 1) if opened >= 0 else None
    found = found or _ADDRESS.search(value)
    return found[0] if found and len(found[0]) <= 320 else b""


# ---------------------------------------------------------------------------------------------- records


class Form(Enum):
    """What a stretch of a volume looks like."""

    WHOLE = "whole"
    """A record that another one follows, or that a blank line closes."""
    UNCLOSED = "unclosed"
    """The last record: it ends with its line, but no blank line follows."""
    TORN = "torn"
    """A record that ends inside a line or right after its From_ line."""
    JUNK = "junk"
    """Bytes before the first From_ line."""


class Span(NamedTuple):
    """A record: where it begins, and its length with the From_ line and the closing line feed.

    ``is_last`` says that the file ends with it.
    """

    offset: int
    length: int
    form: Form
    is_last: bool

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.offset + self.length

    @property
    def is_readable(self) -> bool:
        """Whether it has a From_ line, content (maybe empty) and the closing line feed."""
        return self.form in (Form.WHOLE, Form.UNCLOSED)


def scan(read: Reader, start: int, end: int, *, chunk: int = 1 << 20) -> Iterator[Span]:
    """Yield the records that stand between two offsets, in flat memory; ``start`` is the beginning of a line.

    Every line that begins with ``From`` and a space begins a record, whether or not a blank line comes before it.
    Blank lines before the first record are passed over.
    """
    start = _past_blank_lines(read, start, end, chunk)
    if start >= end:
        return
    begin = start
    for border in _borders(read, start, end, chunk):
        yield Span(begin, border - begin, _form(read, begin, border, is_last=False), is_last=False)
        begin = border
    yield Span(begin, end - begin, _form(read, begin, end, is_last=True), is_last=True)


def _past_blank_lines(read: Reader, start: int, end: int, chunk: int) -> int:
    while start < end:
        data = read(start, min(chunk, end - start))
        blank = len(data) - len(data.lstrip(b"\n"))
        start += blank
        if blank < len(data) or not data:
            break
    return start


def _borders(read: Reader, start: int, end: int, chunk: int) -> Iterator[int]:
    """Yield the offset of every From_ line after the line at ``start``."""
    position = start
    overlap = b""
    while position < end:
        data = read(position, min(chunk, end - position))
        if not data:
            return
        window = overlap + data
        base = position - len(overlap)
        at = window.find(b"\nFrom ")
        while at >= 0:
            yield base + at + 1
            at = window.find(b"\nFrom ", at + 6)
        position += len(data)
        overlap = window[-5:]


def _form(read: Reader, begin: int, end: int, *, is_last: bool) -> Form:
    beginning = read(begin, min(FRAME_LIMIT, end - begin))
    if not beginning.startswith(b"From "):
        return Form.JUNK
    frame_end = beginning.find(b"\n") + 1
    ending = beginning[-2:] if end - begin <= FRAME_LIMIT else read(end - 2, 2)
    if frame_end == 0 or end - begin <= frame_end or not ending.endswith(b"\n"):
        return Form.TORN
    return Form.WHOLE if not is_last or ending == b"\n\n" else Form.UNCLOSED


def reader_of(content: bytes) -> Reader:
    """Return a reader of bytes held in memory."""
    return lambda offset, size: content[offset : offset + size]
