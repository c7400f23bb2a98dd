"""Makes values of a fuzzer's bytes; the same bytes always make the same values, whoever came up with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")

LONG = b"\x01"
"""Stands for more than any buffer holds, so that short input reaches the paths of long replies."""

FILL = (b"a line like any other, with .dots. and From and > in it" * 2 + b"\r\n") * 180


class Draw:
    """Takes bytes from the front; when there are none left, everything drawn is the least there is."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, below: int) -> int:
        """Return a number below a limit of at most 65536."""
        piece = self.take(1 if below <= 256 else 2)
        return int.from_bytes(piece, "big") % below

    def one_of(self, items: Sequence[Item]) -> Item:
        return items[self.number(len(items))]

    def take(self, octets: int) -> bytes:
        piece = self._data[self._at : self._at + octets]
        self._at += octets
        return piece

    def rest(self) -> bytes:
        """Return what is left, with ``LONG`` made long."""
        return self.take(len(self._data)).replace(LONG, FILL)

    def slices(self) -> Slices:
        """Return a way of cutting."""
        return Slices(self.take(6))


class Slices:
    """One way of cutting bytes into pieces."""

    def __init__(self, sizes: bytes) -> None:
        self._sizes = [size % 23 or 5000 for size in sizes] or [7]

    def of(self, data: bytes) -> Iterator[bytes]:
        """Yield pieces of ``data``, none of them empty."""
        at = turn = 0
        while at < len(data):
            size = self._sizes[turn % len(self._sizes)]
            # Long data goes by in steps, too: a byte at a time would be all that is ever tried of it.
            size = size if len(data) < 2000 or turn < 40 or turn % 5 else 4093
            yield data[at : at + size]
            at, turn = at + size, turn + 1


def said_well(error: Exception, *secrets: str) -> None:
    """Hold an error about a server's words against what a person may be shown: printable, one line, and no secret."""
    assert str(error).isprintable()
    assert str(error)
    assert not any(secret in str(error) for secret in secrets)


def explained(error: Exception) -> None:
    """Hold an error about a person's own words, which it may repeat as they are, against being of use."""
    assert len(str(error)) > 10
