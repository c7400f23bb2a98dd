"""Messages as stretches of an open file: the pieces of canonical form, however the lines of the file end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migrator.destinations.mbox.mboxrd import Reader
from migrator.interchange.mail_files import Decode, read_pieces
from migrator.lazy_dataclasses import dataclass

HEADER_OCTETS = 64 * 1024
"""How far into a message its header is looked at for what programs noted there."""

_PROGRAMS_OWN = re.compile(rb"(?:x-mozilla-|x-?status|status|x-uid|content-length)", re.I)
_FIELD_LINE = re.compile(rb"[!-9;-~]{1,200}[ \t]*:|[ \t]+\S")


@dataclass(frozen=True, slots=True)
class Stretches:
    """One message that stands in an open file in several stretches, decoded while it is read."""

    handle: int
    parts: tuple[tuple[int, int], ...]
    decode: Decode
    octets: int = -1

    def chunks(self) -> Iterator[bytes]:
        """Yield the message in pieces; a last line without an end gets one."""
        last = b""
        for piece in self.decode(piece for begin, end in self.parts for piece in read_pieces(self.handle, begin, end)):
            if piece:
                last = piece[-1:]
                yield piece
        if last not in (b"", b"\n"):
            yield b"\r\n"

    def with_octets(self, octets: int) -> Stretches:
        """Return the same message with its length known."""
        return Stretches(self.handle, self.parts, self.decode, octets)


def ends_lines_in_crlf(header: bytes) -> bool:
    """Say whether most lines of a header end in CRLF; what the mail program itself put there does not count.

    A CR before the line feed is part of the line in a file whose lines end in LF, which is why the lines are asked.
    """
    if b"\r\n" not in header:
        return False
    crlf = lf = 0
    for line in header.split(b"\n")[:-1]:
        if not _FIELD_LINE.match(line):
            break
        if _PROGRAMS_OWN.match(line):
            continue
        if line.endswith(b"\r"):
            crlf += 1
        else:
            lf += 1
    return crlf > lf


def header_at(read: Reader, begin: int, end: int) -> bytes:
    """Return the header block that begins at an offset, with the blank line behind it; what is too long is cut."""
    size = 4096
    while True:
        text = read(begin, min(size, end - begin))
        if found := _header_end(text):
            return text[:found]
        if size >= HEADER_OCTETS or len(text) < size:
            return text
        size *= 4


def _header_end(text: bytes) -> int:
    """Return where the first blank line ends, 0 where there is none: a search for fixed bytes is a tenth of re's."""
    if text.startswith((b"\n", b"\r\n")):
        return text.find(b"\n") + 1
    ends = (text.find(mark) + len(mark) for mark in (b"\n\n", b"\n\r\n") if mark in text)
    return min(ends, default=0)
