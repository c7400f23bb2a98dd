"""The lines of LIST and UIDL: a message number and what stands behind it, kept as they came and read by thousands.

Blank lines are nothing, any white space is as good as a space, and a line without a number is set aside for those who
ask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from weakref import finalize

from migrator.errors import Advice, FerryError, Kind, printable
from migrator.pop3.protocol import Verb, out_of_step

MAX_LINE = 4 * 1024
"""Octets of one line that are believed; RFC 1939 allows unique-ids of 70, the longest seen have some hundreds."""

ENDLESS_LINE = 1024 * 1024
"""Octets after which a line is taken to have no end."""

_IN_MEMORY = 16 * 1024 * 1024
_BLOCK = 256 * 1024


class Text:
    """The content of one LIST or UIDL reply, in memory or, when large, in an unnamed file."""

    def __init__(self, allowed: int, spool_dir: Path | None) -> None:
        self.lines = 0
        self.octets = 0
        self._allowed = allowed
        self._allowed_octets = 512 * allowed + _IN_MEMORY
        self._open_line = 0
        self._has_begun = False
        self._has_long_line = False
        folder = str(spool_dir) if spool_dir else None
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY, dir=folder)  # noqa: SIM115 - it lives with the listing
        finalize(self, self._file.close)  # so that a listing that is merely forgotten leaves nothing open

    def write(self, piece: bytes) -> None:
        """Append what came. Raises ``protocol`` if it grows beyond its bounds."""
        if not self._has_begun and (beginning := piece.lstrip(b" \t\r\n")):
            if beginning[:1] in b"+-":
                raise out_of_step("its listing begins with a status line", piece[:80])
            self._has_begun = True
        self.lines += piece.count(b"\n")
        self.octets += len(piece)
        if self.lines > self._allowed or self.octets > self._allowed_octets:
            raise FerryError(Kind.PROTOCOL, f"the server lists far more than it announced: {self.lines:,} messages")
        self._check_line_lengths(piece)
        self._file.write(piece)

    def _check_line_lengths(self, piece: bytes) -> None:
        """Walk in strides: where no line end stands within one, there is a line that is too long."""
        begin = -self._open_line
        while begin + MAX_LINE < len(piece):
            end = piece.rfind(b"\n", max(begin, 0), max(begin + MAX_LINE, 0))
            if end < 0:
                self._has_long_line = True
                end = piece.find(b"\n", max(begin + MAX_LINE, 0))
                if (end if end >= 0 else len(piece)) - begin > ENDLESS_LINE:
                    raise FerryError(
                        Kind.PROTOCOL, f"the server's listing has a line of more than {ENDLESS_LINE} octets"
                    )
                if end < 0:
                    break
            begin = end + 1
        last = piece.rfind(b"\n")
        self._open_line = len(piece) - last - 1 if last >= 0 else self._open_line + len(piece)

    def columns(self, odd: OddLines) -> Iterator[tuple[list[int], list[bytes]]]:
        """Yield message numbers and what stands behind each, thousands at a time; ``odd`` takes lines without one."""
        for block in self.whole_lines():
            usual = None if self._has_long_line else _two_words_each(block)
            yield usual or _whatever_words(block, odd)

    def whole_lines(self) -> Iterator[bytes]:
        """Yield the text in blocks that end with a line end; other readers may move the file meanwhile."""
        rest = b""
        read_to = 0
        while block := self.read(read_to, _BLOCK):
            read_to += len(block)
            lines, line_end, rest = (rest + block).rpartition(b"\n")
            if line_end:
                yield lines + line_end
        if rest:
            yield rest + b"\n"

    def read(self, offset: int, octets: int) -> bytes:
        """Return up to ``octets`` bytes from ``offset`` on."""
        self._file.seek(offset)
        return self._file.read(octets)

    def close(self) -> None:
        """Let go of memory and file."""
        self._file.close()


def _two_words_each(block: bytes) -> tuple[list[int], list[bytes]] | None:
    """Split lines that are a number and a word, as nearly all are; None if one is not, or has other white space.

    Splitting all at once and putting it together again takes a third of the time of splitting line by line.
    """
    words = block.split()
    lines = block.count(b"\n")
    if len(words) != 2 * lines or b"%b %b\r\n" * lines % tuple(words) != block:
        return None
    numbers = as_numbers(words[::2])
    return (numbers, words[1::2]) if numbers else None


def _whatever_words(block: bytes, odd: OddLines) -> tuple[list[int], list[bytes]]:
    found = [entry for line in block.split(b"\n") if (entry := entry_of(line, odd))]
    return [number for number, _ in found], [behind for _, behind in found]


def as_numbers(words: list[bytes]) -> list[int] | None:
    """Return what these decimal numbers are, None if one is none or may not fit 64 bits."""
    is_each_one = all(words) and b"".join(words).isdigit() and max(map(len, words)) < 19
    return list(map(int, words)) if is_each_one else None


_ENTRY = re.compile(rb"\s*(\d{1,15})(?:\s+(.*))?", re.DOTALL)


def entry_of(line: bytes, odd: OddLines) -> tuple[int, bytes] | None:
    """Return a line's message number and what stands behind it; None for a blank line or one that ``odd`` takes.

    Of a line that is too long only the number is believed.
    """
    line = line.rstrip(b"\r")
    if not line.strip():
        return None
    is_too_long = len(line) > MAX_LINE
    found = _ENTRY.fullmatch(line[:MAX_LINE])
    if found is None:
        odd.add(line[:MAX_LINE])
        return None
    return int(found[1]), b"" if is_too_long else found[2] or b""


class OddLines:
    """The lines of one reply that make no sense: how many, and the first."""

    def __init__(self, verb: Verb) -> None:
        self.verb = verb
        self.count = 0
        self._first = b""

    def add(self, line: bytes) -> None:
        """Take one."""
        self._first = self._first or line
        self.count += 1

    def check(self, sensible: int) -> None:
        """Raise ``protocol`` if there are more of them than of others: then this is not a reply to the command."""
        if self.count > sensible:
            raise out_of_step(f"this is not a reply to {self.verb}", self._first)

    def doubt(self) -> FerryError | None:
        """Return the error that tells a person of them, if there are any."""
        if not self.count:
            return None
        return FerryError(
            Kind.PROTOCOL,
            f"{self.verb} has lines without a message number ({self.count}): what they stand for cannot be retrieved",
            server_words=printable(self._first, limit=120),
            cure="look at the mailbox by other means; the other messages are not affected",
            advice=Advice.LATER,
        )
