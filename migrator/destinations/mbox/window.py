"""A volume as something to read anywhere: what was read last is kept, so that reading on costs few system calls."""

from __future__ import annotations

from migrator.read_back import read_range

BLOCK_OCTETS = 1 << 20
_KEPT = 3  # a record may begin in the block before, and what follows it in the block behind


class Window:
    """An open file, of which a few blocks are kept in memory. Nobody may change it meanwhile."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._kept: dict[int, bytes] = {}

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from a place on; fewer only where the file ends. Raises ``OSError``."""
        number, begin = divmod(offset, BLOCK_OCTETS)
        if begin + size <= BLOCK_OCTETS:
            return self._block(number)[begin : begin + size]
        if size > BLOCK_OCTETS:
            return read_range(self._handle, offset, size)
        rest = begin + size - BLOCK_OCTETS
        return self._block(number)[begin:] + self._block(number + 1)[:rest]

    def _block(self, number: int) -> bytes:
        block = self._kept.get(number)
        if block is None:
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            block = self._kept[number] = read_range(self._handle, number * BLOCK_OCTETS, BLOCK_OCTETS)
        return block
