"""Files with one message: of a Maildir, of any program that saves mail, and of Apple Mail (emlx)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from migrator.destinations.mbox.mboxrd import Reader
from migrator.interchange.importing.envelopes import envelope_date
from migrator.interchange.importing.items import NO_MARKS, Deleted, FoundMessage, Item, LeftOut, Marks
from migrator.interchange.importing.marks import of_apple
from migrator.interchange.importing.reading import ends_lines_in_crlf, header_at
from migrator.interchange.importing.recognising import BEGINNING_OCTETS, begins_a_field, head_octets
from migrator.interchange.mail_files import Stretch, canonical_pieces, message_of, opened, read_at, strictly
from migrator.lazy_dataclasses import replace

_ENVELOPE_LIMIT = 1024
_PLIST_OCTETS = 1 << 20
_LENGTH_LINE = re.compile(rb"[ \t]*(\d{1,15})[ \t]*\r?\n")
_NO_HEADER = "it stands where mail does and has no header"


def message_at(path: Path, place: str, marks: Marks = NO_MARKS, *, has_lf: bool = False) -> Iterator[Item]:
    """Yield the message of a file; ``has_lf``: as in a Maildir, where a CR before an LF is part of the line.

    A mark of UTF-8, blank lines and NULs before it are passed over, and so is a From_ line with a header behind it.
    """
    if marks.is_deleted:
        yield Deleted(place)
        return
    with opened(path) as handle:
        read, end = partial(read_at, handle), path.stat().st_size
        begin, envelope = _begin(read, end)
        header = header_at(read, begin, end)
        if not header.strip(b"\r\n\0"):
            yield LeftOut(place, "it stands where mail does and is empty", is_trouble=True)
        elif not begins_a_field(header):
            yield LeftOut(place, _NO_HEADER, is_trouble=True)
        else:
            decode = strictly if has_lf and not ends_lines_in_crlf(header) else canonical_pieces
            marks = marks if marks.date is not None else replace(marks, date=envelope_date(envelope))
            yield FoundMessage(place, message_of(Stretch(handle, begin, end, decode)), marks)


def apple_message_at(path: Path, place: str) -> Iterator[Item]:
    """Yield the message of an emlx file, which stands between a line with its length and a property list."""
    with opened(path) as handle:
        read, end = partial(read_at, handle), path.stat().st_size
        begin, message_end = apple_bounds(read, end)
        marks = of_apple(read(message_end, _PLIST_OCTETS))
        if marks.is_deleted:
            yield Deleted(place)
            return
        if not begins_a_field(header_at(read, begin, min(message_end, end))):
            yield LeftOut(place, _NO_HEADER, is_trouble=True)
            return
        is_cut = message_end > end
        doubt = "it seems to be cut off: its file is shorter than it says; it was stored as it is" if is_cut else ""
        body = Stretch(handle, begin, min(message_end, end), canonical_pieces)
        yield FoundMessage(place, message_of(body), marks, doubt)


def apple_bounds(read: Reader, end: int) -> tuple[int, int]:
    """Return where the message of an emlx file begins and ends, by its first line; the file may end before."""
    found = _LENGTH_LINE.match(read(0, 64))
    if found is None:
        return 0, end
    return found.end(), found.end() + int(found[1])


def _begin(read: Reader, end: int) -> tuple[int, bytes]:
    """Return where the message begins, and the From_ line before it where there is one."""
    begin = head_octets(read(0, min(BEGINNING_OCTETS, end)))
    line, newline, behind = read(begin, _ENVELOPE_LIMIT).partition(b"\n")
    if newline and line.startswith((b"From ", b">From ")) and begins_a_field(behind):
        return begin + len(line) + 1, line
    return begin, b""
