"""Messages in mbox files of any make: which lines begin one is decided by evidence, unless the dialect is given.

A line that begins with ``From`` and a space begins a message if it has the look of an envelope and a header field
stands behind it; it is text otherwise, and stays where it is. Where every message says by its Content-Length where it
ends, and that is right each time, that decides. ``>From`` lines are undone as mboxrd does, except within such a length
that has unquoted ones in it. Where a dialect is given, it is taken at its word: every such line begins a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from migrator.destinations.mbox.mboxrd import Reader, reader_of
from migrator.interchange.importing.envelopes import envelope_date, is_bare_envelope, is_envelope
from migrator.interchange.importing.items import Deleted, FoundMessage, Item, LeftOut
from migrator.interchange.importing.marks import of_header
from migrator.interchange.importing.reading import ends_lines_in_crlf, header_at
from migrator.interchange.importing.recognising import BEGINNING_OCTETS, begins_a_field, head_octets, looks_like_mail
from migrator.interchange.mail_files import (
    Stretch,
    Variant,
    decoder,
    end_by_length,
    frame_of,
    message_of,
    near_reader,
    opened,
    record_offsets,
    records_by_length,
    without_separator,
)
from migrator.lazy_dataclasses import dataclass

_LINE_LIMIT = 1024
_LOOKED_BEHIND = 8192
_EVIDENCE = 20
_CUT_ENVELOPE = re.compile(rb"From (?:-|\S+@\S+)")
_BOUNDARY = re.compile(rb'boundary[ \t]*=[ \t]*(?:"([^"\r\n]{1,200})"|([^\s;"]{1,200}))', re.I)
_NO_HEADER = "it has no header, and may be a piece of the message before it; `--variant mboxrd` takes it as it is"


def messages_of(path: Path, place: str, variant: Variant | None, *, start: int = 0) -> Iterator[Item]:
    """Yield what stands in an mbox file from ``start`` on; ``variant`` is None where nobody said how it is written."""
    with opened(path) as handle:
        read, end = near_reader(handle), path.stat().st_size
        start = start or head_octets(read(0, BEGINNING_OCTETS))
        spans = _by_evidence(read, start, end) if variant is None else _as_given(read, start, end, variant)
        for number, (begin, border, variant_here) in enumerate(spans, 1):
            record = _Record(f"{place}:{number}", handle, read, begin, border, is_last=border >= end)
            yield record.item(variant_here, is_trusted=variant is not None)


def first_border(beginning: bytes) -> int:
    """Return where a message begins in a file that begins with something else; 0 where none does, or the first byte."""
    read, at = reader_of(beginning), beginning.find(b"\nFrom ")
    while at >= 0:
        if is_border(read, at + 1, len(beginning)) and looks_like_mail(beginning[beginning.find(b"\n", at + 1) + 1 :]):
            return at + 1
        at = beginning.find(b"\nFrom ", at + 1)
    return 0


# --------------------------------------------------------------------------------------------- borders

_Span = tuple[int, int, Variant]


def _as_given(read: Reader, start: int, end: int, variant: Variant) -> Iterator[_Span]:
    spans = records_by_length(read, start, end, variant) if variant.has_lengths else record_offsets(read, start, end)
    for begin, border in spans:
        yield begin, border, variant


def _by_evidence(read: Reader, start: int, end: int) -> Iterator[_Span]:
    has_lengths = _has_lengths(read, start, end)
    begin = start
    while begin < end:
        border = end_by_length(read, begin, end) if has_lengths else None
        if border is None or not (border >= end or is_border(read, border, end)):
            border = _next_border(read, begin, end) if has_lengths else None
        if border is None:
            yield from _by_envelopes(read, begin, end)
            return
        variant = Variant.MBOXCL2 if _has_unquoted(read, begin, border) else Variant.MBOXRD
        yield begin, border, variant
        begin = border


def _by_envelopes(read: Reader, begin: int, end: int) -> Iterator[_Span]:
    for offset, _ in record_offsets(read, begin, end):
        if offset > begin and is_border(read, offset, end):
            yield begin, offset, Variant.MBOXRD
            begin = offset
    yield begin, end, Variant.MBOXRD


def _next_border(read: Reader, begin: int, end: int) -> int:
    return next((o for o, _ in record_offsets(read, begin, end) if o > begin and is_border(read, o, end)), end)


def _has_lengths(read: Reader, start: int, end: int) -> bool:
    """Say whether each of the first messages has a Content-Length that ends it at an envelope or with the file."""
    begin = start
    for _ in range(_EVIDENCE):
        border = end_by_length(read, begin, end)
        if border is None or not (border >= end or is_border(read, border, end)):
            return False
        begin = border
        if begin >= end:
            break
    return begin > start


def _has_unquoted(read: Reader, begin: int, border: int) -> bool:
    return any(offset > begin for offset, _ in islice(record_offsets(read, begin, border), 2))


def is_border(read: Reader, offset: int, end: int) -> bool:
    """Say whether the line at an offset, which begins with ``From`` and a space, begins a message."""
    text = read(offset, _LINE_LIMIT)
    line, newline, behind = text.partition(b"\n")
    if not newline:
        is_at_end = offset + len(text) >= end
        return is_at_end and _is_after_blank(read, offset) and _CUT_ENVELOPE.match(line) is not None
    if is_envelope(line):
        is_all = offset + len(text) >= end
        return _begins_a_message(behind) or (is_all and b"\n" not in behind.strip(b"\r\n\0"))
    return (
        is_bare_envelope(line)
        and (line.rstrip() == b"From -" or _is_after_blank(read, offset))
        and looks_like_mail(read(offset + len(line) + 1, _LOOKED_BEHIND))
    )


def _begins_a_message(behind: bytes) -> bool:
    """Say whether a message begins here, or another envelope stands here, which leaves the one before it empty."""
    while behind.startswith((b">From ", b">>From ")):
        behind = behind.partition(b"\n")[2]
    if begins_a_field(behind):
        return True
    rest = behind.lstrip(b"\r\n")
    return rest.startswith(b"From ") and is_envelope(rest.partition(b"\n")[0])


def _is_after_blank(read: Reader, offset: int) -> bool:
    before = read(max(0, offset - 4), min(4, offset))
    return before.endswith((b"\n\n", b"\n\r\n")) or not before.strip(b"\r\n")


# -------------------------------------------------------------------------------------------- messages


@dataclass(frozen=True, slots=True)
class _Record:
    """A stretch of an open file that begins with a From_ line."""

    place: str
    handle: int
    read: Reader
    begin: int
    border: int
    is_last: bool

    def item(self, variant: Variant, *, is_trusted: bool) -> Item:
        """Return the message; ``is_trusted``: somebody said how to read the file, and it need not look like mail."""
        read = self.read
        start, is_crlf = frame_of(read, self.begin, self.border)
        header = header_at(read, start, self.border)
        if not header.strip(b"\r\n\0") and self._is_blank(read, start):
            return self._empty()
        if not is_trusted and not _begins_a_message(header.lstrip(b"\r\n\0")):
            return LeftOut(self.place, _NO_HEADER, is_trouble=True)
        marks = of_header(header, envelope_date(read(self.begin, _LINE_LIMIT).partition(b"\n")[0]))
        if marks.is_deleted:
            return Deleted(self.place)
        end, is_closed = without_separator(read, start, self.border)
        decode = decoder(variant, is_crlf=is_crlf or ends_lines_in_crlf(header))
        doubt = self._doubt(read, header, end) if self.is_last and not is_closed else ""
        return FoundMessage(self.place, message_of(Stretch(self.handle, start, end, decode)), marks, doubt)

    def _is_blank(self, read: Reader, start: int) -> bool:
        """Say whether nothing but blank lines and NULs stands behind the From_ line."""
        pieces = (read(at, min(_LOOKED_BEHIND, self.border - at)) for at in range(start, self.border, _LOOKED_BEHIND))
        return not any(piece.strip(b"\r\n\0") for piece in pieces)

    def _empty(self) -> Item:
        if self.is_last:
            return LeftOut(self.place, "the file ends right behind, or inside, a From_ line", is_trouble=True)
        return LeftOut(self.place, "a From_ line stands there with no message behind it", is_trouble=False)

    def _doubt(self, read: Reader, header: bytes, end: int) -> str:
        """Say by what the last message of a file seems to be cut off."""
        if not re.search(rb"(?:\A|\n)\r?\n\Z", header):
            return "it seems to be cut off inside its header; it was stored as it is"
        ending = read(max(self.begin, end - _LOOKED_BEHIND), _LOOKED_BEHIND)
        if not ending.endswith(b"\n"):
            return "it seems to be cut off: the last line has no end; it was stored as it is"
        found = _BOUNDARY.search(header)
        if found and b"--" + (found[1] or found[2]) + b"--" not in ending:
            return "it seems to be cut off: its last part has no end; it was stored as it is"
        return ""
