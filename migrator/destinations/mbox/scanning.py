"""Which records stand in a volume, and which message each of them is, read in flat memory.

Most mail is gone through by stretches; a record that is long or not whole, and the last one, by itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from migrator.copy_records import Found
from migrator.destinations.identify import found_at, found_in_pieces
from migrator.destinations.mbox import mboxrd
from migrator.destinations.mbox.mboxrd import Span
from migrator.destinations.mbox.stretch import found_in
from migrator.destinations.mbox.volumes import OpenVolume
from migrator.destinations.mbox.window import Window
from migrator.model import MboxLocator
from migrator.read_back import IO_CHUNK_OCTETS, pieces_of, read_range

STREAM_ABOVE = 1 << 20
"""Records longer than this (in bytes) are read in pieces, never as a whole."""

_SHORT = IO_CHUNK_OCTETS // 8
_SHORT_IN_A_ROW = 16
"""After that many short records, the next ones are gone through by stretches again."""


def records_of(volume: OpenVolume, begin: int, *, in_stretches: bool = True) -> Iterator[tuple[Span, Found | None]]:
    """Yield the records from an offset on, the beginning of a line, each with the message that it is, if it is one.

    Not ``in_stretches``, each is read when it is asked for, and none after it. Raises ``OSError``.
    """
    window = Window(volume.handle)
    while True:
        while in_stretches and (told := _stretch(volume, begin)):
            yield from told
            begin = told[-1][0].end
        short = 0
        for span in mboxrd.scan(window.read, begin, volume.end):
            yield span, _found(volume, window, span) if span.is_readable else None
            begin = span.end
            short = short + 1 if in_stretches and span.length < _SHORT else 0
            if short == _SHORT_IN_A_ROW:
                break
        else:
            return


def _stretch(volume: OpenVolume, begin: int) -> list[tuple[Span, Found]]:
    return found_in(
        volume.name, begin, read_range(volume.handle, begin, min(IO_CHUNK_OCTETS, max(0, volume.end - begin)))
    )


def _found(volume: OpenVolume, window: Window, span: Span) -> Found:
    """Read one record and say which message it is."""
    beginning = window.read(span.offset, min(STREAM_ABOVE, span.length))
    frame_end = beginning.index(b"\n") + 1
    locator = MboxLocator(volume.name, span.offset, span.length, zlib.crc32(beginning[:frame_end]))
    if span.length <= STREAM_ABOVE:
        return found_at(locator, mboxrd.decode(beginning[frame_end : span.length - 1]))
    pieces = pieces_of(volume.handle, span.offset + frame_end, span.end - 1)
    return found_in_pieces(locator, mboxrd.decoded(pieces))
