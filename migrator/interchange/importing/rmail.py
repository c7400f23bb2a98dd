"""Mailboxes of MMDF and of Rmail (Babyl), whose messages stand between marks of their own.

MMDF puts a line of four ^A before and behind each message. Babyl ends each with ^_; behind a line of attributes stands
the header as it came, then ``*** EOOH ***``, the header as it was shown, a blank line, and the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from migrator.destinations.mbox.mboxrd import Reader
from migrator.interchange.importing.envelopes import envelope_date
from migrator.interchange.importing.items import Deleted, FoundMessage, Item, LeftOut, Marks
from migrator.interchange.importing.marks import of_babyl, of_header
from migrator.interchange.importing.reading import HEADER_OCTETS, Stretches, ends_lines_in_crlf, header_at
from migrator.interchange.importing.recognising import begins_a_field
from migrator.interchange.mail_files import canonical_pieces, message_of, opened, read_at, strictly

_MMDF = b"\1\1\1\1"
_BABYL = b"\x1f"
_SHOWN = b"*** EOOH ***"
_CHUNK = 1 << 20
_NO_HEADER = "it has no header, and may be a piece of the message before it"
_CUT = "it seems to be cut off: the mark that ends it is missing; it was stored as it is"


def mmdf_messages(path: Path, place: str) -> Iterator[Item]:
    """Yield the messages of an MMDF mailbox."""
    with opened(path) as handle:
        read, end = partial(read_at, handle), path.stat().st_size
        number = 0
        for begin, border, is_closed in _between(read, end, _MMDF):
            start, date = _past_envelope(read, begin, border)
            if not read(start, min(4096, border - start)).strip(b"\r\n\0"):
                continue
            number += 1
            marks = of_header(header_at(read, start, border), date)
            yield _item(f"{place}:{number}", handle, ((start, border),), is_closed=is_closed, marks=marks)


def babyl_messages(path: Path, place: str) -> Iterator[Item]:
    """Yield the messages of a Babyl file; the options that it begins with are none."""
    with opened(path) as handle:
        read, end = partial(read_at, handle), path.stat().st_size
        number = 0
        for begin, border, is_closed in _between(read, end, _BABYL):
            head = read(begin, min(HEADER_OCTETS, border - begin))
            text = head.lstrip(b"\r\n\f")
            if begin == 0 or not text:
                continue
            number += 1
            shown = f"{place}:{number}"
            parts = _babyl_parts(text, begin + len(head) - len(text), border)
            if not parts:
                yield LeftOut(shown, "its header is not written as Rmail does", is_trouble=True)
                continue
            yield _item(shown, handle, parts, is_closed=is_closed, marks=of_babyl(text.partition(b"\n")[0]))


def _item(place: str, handle: int, parts: tuple[tuple[int, int], ...], *, is_closed: bool, marks: Marks) -> Item:
    if marks.is_deleted:
        return Deleted(place)
    header = header_at(partial(read_at, handle), *parts[0])
    if not begins_a_field(header):
        return LeftOut(place, _NO_HEADER, is_trouble=True)
    decode = canonical_pieces if ends_lines_in_crlf(header) else strictly
    return FoundMessage(place, message_of(Stretches(handle, parts, decode)), marks, "" if is_closed else _CUT)


def _between(read: Reader, end: int, mark: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield begin and end of what stands between lines that begin with a mark; False where the last has no end."""
    begin = 0
    for offset in _marks(read, end, mark):
        if offset > begin:
            yield begin, offset, True
        line = read(offset, 16).partition(b"\n")[0]
        begin = min(offset + (len(line) + 1 if mark == _MMDF else len(mark)), end)
    if begin < end:
        yield begin, end, False


def _marks(read: Reader, end: int, mark: bytes) -> Iterator[int]:
    """Yield where lines begin with a mark."""
    position, overlap = 0, b"\n"
    needle = b"\n" + mark
    while position < end and (data := read(position, min(_CHUNK, end - position))):
        window = overlap + data
        base = position - len(overlap)
        at = window.find(needle)
        while at >= 0:
            yield base + at + 1
            at = window.find(needle, at + len(needle))
        position += len(data)
        overlap = window[-len(mark) :]


def _past_envelope(read: Reader, begin: int, end: int) -> tuple[int, float | None]:
    text = read(begin, min(1024, end - begin))
    if text.startswith(b"From "):
        line, newline, _ = text.partition(b"\n")
        if newline:
            return begin + len(line) + 1, envelope_date(line)
    return begin, None


def _babyl_parts(text: bytes, begin: int, end: int) -> tuple[tuple[int, int], ...]:
    """Return where header and text of a message stand; nothing where the marks of Rmail are missing.

    With the attribute 0 the header was never reformed: it is the one behind the mark.
    """
    first, newline, _ = text.partition(b"\n")
    mark = text.find(b"\n" + _SHOWN)
    if not newline or mark < 0 or first[:1] not in (b"0", b"1"):
        return ()
    behind = text.find(b"\n", mark + 1) + 1
    if not behind:
        return ()
    original = text[len(first) + 1 : mark + 1]
    if not original.strip(b"\r\n"):
        return ((begin + behind, end),)
    header = begin + len(first) + 1 + len(original) - len(original.lstrip(b"\r\n"))
    header_end = begin + len(first) + 1 + len(original.rstrip(b"\r\n"))
    header_end += _line_end_at(text, header_end - begin)
    if not begins_a_field(text[behind:]) and text[behind : behind + 1] not in (b"\r", b"\n"):
        # Python's mailbox shows no header: the text begins at once, and the blank line stands before the mark.
        return ((header, header_end + _line_end_at(text, header_end - begin)), (begin + behind, end))
    blank = _blank_line(text, behind)
    return ((header, header_end), (begin + blank, end)) if blank >= 0 else ()


def _blank_line(text: bytes, start: int) -> int:
    """Return where the first blank line at or behind a place begins, -1 where there is none."""
    position = start
    while position < len(text):
        line_end = text.find(b"\n", position)
        if line_end < 0:
            return -1
        if not text[position:line_end].strip(b"\r"):
            return position
        position = line_end + 1
    return -1


def _line_end_at(text: bytes, place: int) -> int:
    return 2 if text[place : place + 2] == b"\r\n" else 1 if text[place : place + 1] == b"\n" else 0
