"""Messages in files: mbox in its four dialects, taken at its word, and single messages. Reads in flat memory.

Every line that begins with ``From`` and a space begins a record, except inside a Content-Length that is believed: one
that lands on such a line or on the end of the file. The dialects differ in what else they did to the text: mboxrd put a
``>`` before every ``>*From ``, mboxo and mboxcl before ``From `` alone, mboxcl2 before nothing. A message whose last
line has no end gets one, as POP3 would have delivered it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Protocol, runtime_checkable

from migrator.destinations.mbox import mboxrd
from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Body, MemoryBody, Message
from migrator.message.dating import date_beside
from migrator.message.digest import HEADER_LIMIT, header_block, header_facts
from migrator.message.line_ends import pieces_to_lf, to_crlf
from migrator.model import Digest

SMALL = 1 << 20
"""Messages up to this size are held in memory; longer ones are read again whenever their bytes are wanted."""

IO_CHUNK_OCTETS = 1 << 20
_STEP = 64 * 1024
_CONTENT_LENGTH = re.compile(rb"^content-length[ \t]*:[ \t]*(\d{1,15})[ \t]*\r?$", re.I | re.M)
_FROM_LINE = re.compile(rb"From \S+.*\d{4}\b")

Pieces = Iterable[bytes]
Decode = Callable[[Pieces], Iterator[bytes]]


class Variant(StrEnum):
    """How an mbox file quotes and separates."""

    MBOXRD = "mboxrd"
    MBOXO = "mboxo"
    MBOXCL = "mboxcl"
    MBOXCL2 = "mboxcl2"

    @property
    def has_lengths(self) -> bool:
        """Whether its Content-Length headers may say where a message ends."""
        return self in (Variant.MBOXCL, Variant.MBOXCL2)


@runtime_checkable
class Measured(Protocol):
    """A message in an open file, whose length in canonical form takes a pass over it to know."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the message in pieces."""

    def with_octets(self, octets: int) -> Body:
        """Return the same message with its length known."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The canonical form of a stretch of an open file, decoded while it is read."""

    handle: int
    begin: int
    end: int
    decode: Decode
    octets: int = -1

    def chunks(self) -> Iterator[bytes]:
        """Yield the message in pieces; a last line without an end gets one."""
        last = b""
        for piece in self.decode(read_pieces(self.handle, self.begin, self.end)):
            if piece:
                last = piece[-1:]
                yield piece
        if last not in (b"", b"\n"):
            yield b"\r\n"

    def with_octets(self, octets: int) -> Stretch:
        """Return the same message with its length known."""
        return Stretch(self.handle, self.begin, self.end, self.decode, octets)


@dataclass(frozen=True, slots=True)
class Record:
    """One message in a file. ``number`` counts from 1; ``is_closed`` says that nothing of it can be missing.

    The message's body is good until the next record is asked for.
    """

    number: int
    end: int
    is_closed: bool
    message: Message

    @property
    def digest(self) -> Digest:
        """What identifies the message."""
        return self.message.digest


def records_of(path: Path, variant: Variant = Variant.MBOXRD) -> Iterator[Record]:
    """Yield the messages of an mbox file in order; bytes before the first From_ line are passed over."""
    with opened(path) as handle:
        end = os.fstat(handle).st_size
        read = partial(read_at, handle)
        spans = records_by_length(read, 0, end, variant) if variant.has_lengths else record_offsets(read, 0, end)
        for number, (begin, border) in enumerate(spans, 1):
            frame_end, is_crlf = frame_of(read, begin, border)
            content_end, is_closed = without_separator(read, frame_end, border)
            body = Stretch(handle, frame_end, content_end, decoder(variant, is_crlf=is_crlf))
            yield Record(number, border, is_closed, message_of(body))


def message_in(path: Path, *, has_lf: bool = False) -> Iterator[Message]:
    """Yield the one message of a file; ``has_lf``: as in a Maildir, where a CR before an LF is part of the line.

    The message's body is good until the iterator is asked again.
    """
    with opened(path) as handle:
        end = os.fstat(handle).st_size
        first, is_crlf = frame_of(partial(read_at, handle), 0, end)
        yield message_of(Stretch(handle, 0, end, strictly if has_lf and not (is_crlf and first) else canonical_pieces))


def message_of(body: Measured | Body) -> Message:
    """Return a message with everything that identifies it, from one pass; a small one is in memory then."""
    state, octets, beginning = sha256(), 0, b""
    held: list[bytes] | None = []
    for piece in body.chunks():
        state.update(piece)
        octets += len(piece)
        if len(beginning) < HEADER_LIMIT:
            beginning += piece[:HEADER_LIMIT]
        if held is not None:
            held.append(piece)
            held = held if octets <= SMALL else None
    facts = header_facts(header_block(beginning))
    kept: Body
    if held is not None:
        kept = MemoryBody(b"".join(held))
    elif isinstance(body, Measured):
        kept = body.with_octets(octets)
    else:
        kept = body
    return Message(Digest(state.digest()), facts.digest, facts.message_id, octets, kept)


def archived_message(body: Body) -> Message:
    """Return the message of a body that was read from an archive, with the date that stood beside it there."""
    return message_of(body)._replace(fallback_date=date_beside(body))


# --------------------------------------------------------------------------------------------- borders


def record_offsets(read: mboxrd.Reader, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each record, taking every From_ line for the beginning of one."""
    for span in mboxrd.scan(read, start, end):
        if span.form is not mboxrd.Form.JUNK:
            yield span.offset, span.end


def records_by_length(read: mboxrd.Reader, start: int, end: int, variant: Variant) -> Iterator[tuple[int, int]]:
    """Yield records whose ends their Content-Length tells, where it can be believed."""
    begin = next((offset for offset, _ in record_offsets(read, start, end)), end)
    while begin < end:
        border = end_by_length(read, begin, end) or _next_from_line(read, begin, end, variant)
        yield begin, border
        begin = border


def end_by_length(read: mboxrd.Reader, begin: int, end: int) -> int | None:
    """Return where Content-Length ends the record, blank lines included, if a From_ line or the end stands there."""
    beginning = read(begin, HEADER_LIMIT)
    frame_end = beginning.find(b"\n") + 1
    header_end = re.search(rb"\n\r?\n", beginning[frame_end - 1 :])
    if not frame_end or not header_end:
        return None
    content = frame_end - 1 + header_end.end()
    found = _CONTENT_LENGTH.search(beginning[frame_end:content])
    if not found:
        return None
    place = begin + content + int(found[1])
    if place > end:
        return None
    effects = read(place, 16)
    landed = place + len(effects) - len(effects.lstrip(b"\r\n"))
    is_at_border = landed >= end or (read(landed, 5) == b"From " and (landed == place or read(landed - 1, 1) == b"\n"))
    return landed if is_at_border and _is_line_end(read, place) else None


def _is_line_end(read: mboxrd.Reader, place: int) -> bool:
    return read(place - 1, 1) == b"\n" or read(place, 2)[:1] in (b"\n", b"\r", b"")


def _next_from_line(read: mboxrd.Reader, begin: int, end: int, variant: Variant) -> int:
    """Return where the next record begins by its From_ line.

    Where such lines are not quoted, one counts only behind a blank line and with the look of an envelope.
    """
    for offset, _ in record_offsets(read, begin, end):
        if offset == begin:
            continue
        if variant is not Variant.MBOXCL2:
            return offset
        is_after_blank = read(offset - 2, 2) == b"\n\n" or read(offset - 4, 4) == b"\r\n\r\n"
        if is_after_blank and _FROM_LINE.match(read(offset, 200).partition(b"\n")[0]):
            return offset
    return end


def frame_of(read: mboxrd.Reader, begin: int, end: int) -> tuple[int, bool]:
    """Return where the first line ends, and whether it ends in CRLF."""
    position = begin
    last = b""
    while position < end and (piece := read(position, min(4096, end - position))):
        at = piece.find(b"\n")
        if at >= 0:
            return position + at + 1, (last + piece[:at]).endswith(b"\r")
        last = piece[-1:]
        position += len(piece)
    return end, False


def without_separator(read: mboxrd.Reader, begin: int, border: int) -> tuple[int, bool]:
    """Take the blank line that separates records from a record's end; says whether there was one."""
    ending = read(max(begin, border - 4), min(4, border - begin))
    if ending.endswith(b"\r\n\r\n") or (ending == b"\r\n" and border - begin == 2):
        return border - 2, True
    if ending.endswith(b"\n\n") or ending == b"\n":
        return border - 1, True
    return border, False


# -------------------------------------------------------------------------------------------- decoding


def decoder(variant: Variant, *, is_crlf: bool) -> Decode:
    """Return what makes canonical form of a record's content."""
    undo: Decode
    match variant:
        case Variant.MBOXRD:
            undo = mboxrd.decoded
        case Variant.MBOXO | Variant.MBOXCL:
            undo = _unquoted_once
        case Variant.MBOXCL2:
            undo = strictly
    return (lambda pieces: undo(pieces_to_lf(pieces))) if is_crlf else undo


def strictly(pieces: Pieces) -> Iterator[bytes]:
    """Turn every LF into CRLF, whatever stands before it."""
    for piece in pieces:
        yield to_crlf(piece)


def canonical_pieces(pieces: Pieces) -> Iterator[bytes]:
    """Turn every LF that no CR precedes into CRLF."""
    before = b""
    for piece in pieces:
        if before == b"\r" and piece.startswith(b"\n"):
            yield b"\n"
            rest = piece[1:]
        else:
            rest = piece
        yield re.sub(rb"(?<!\r)\n", b"\r\n", rest) if rest.count(b"\n") != rest.count(b"\r\n") else rest
        before = piece[-1:] or before


def _unquoted_once(pieces: Pieces) -> Iterator[bytes]:
    """Take the ``>`` from lines that begin with ``>From ``, and turn LF into CRLF."""
    held = b"\n"
    is_first = True
    for piece in pieces:
        text = (held + piece).replace(b"\n>From ", b"\nFrom ")
        text, held = text[:-6], text[-6:]
        if text:
            yield to_crlf(text[1:] if is_first else text)
            is_first = False
    yield to_crlf(held[1:] if is_first else held)


# ---------------------------------------------------------------------------------------------- reading


class opened:  # noqa: N801  # reads as the statement it is
    """A file open for reading."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1

    def __enter__(self) -> int:
        try:
            self._handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise FerryError(Kind.REFUSED, f"cannot read {self._path}: {error.strerror}") from error
        return self._handle

    def __exit__(self, *_error: object) -> None:
        os.close(self._handle)


def read_at(handle: int, offset: int, size: int) -> bytes:
    """Read ``size`` bytes at ``offset``; fewer only where the file ends."""
    data = b""
    while len(data) < size and (piece := os.pread(handle, size - len(data), offset + len(data))):
        data = data + piece if data else piece
    return data


def near_reader(handle: int) -> mboxrd.Reader:
    """Return a reader for many short looks that lie near one another: the file is read in stretches, which are kept.

    Two of them, because what is looked at moves between where a message begins and where it ends.
    """
    kept: dict[int, bytes] = {}

    def read(offset: int, size: int) -> bytes:
        if size > _STEP:
            return read_at(handle, offset, size)
        begin = offset - offset % _STEP
        stretch = kept.pop(begin, None)
        if stretch is None:
            stretch = read_at(handle, begin, 2 * _STEP)
            if len(kept) > 1:
                del kept[next(iter(kept))]
        kept[begin] = stretch  # the one used last stands last
        return stretch[offset - begin : offset - begin + size]

    return read


def read_pieces(handle: int, begin: int, end: int) -> Iterator[bytes]:
    """Yield the bytes between two offsets."""
    while begin < end and (piece := read_at(handle, begin, min(IO_CHUNK_OCTETS, end - begin))):
        yield piece
        begin += len(piece)
