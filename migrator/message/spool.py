"""What a run may hold at once: a budget in octets, and files for what is too large for memory."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

from migrator.errors import FerryError, Kind
from migrator.files import storage_error
from migrator.message.body import LinedBody
from migrator.read_back import IO_CHUNK_OCTETS

SINGLE_RUN_BUDGET_OCTETS = 40 * 1024 * 1024
"""What may be on its way in the only run of a process: four messages of 10 MB, so that none is waited for."""
SHARED_RUN_BUDGET_OCTETS = 24 * 1024 * 1024
"""What may be on its way in each of several runs."""
MESSAGE_WEIGHT_OCTETS = 2048
"""What a message on its way takes besides its own octets, in objects: of tiny ones that is nearly all."""


class OctetBudget:
    """Octets on their way: announced, received or being stored. Shared by the reader and the writers of one run."""

    def __init__(self, limit: int, *, each: int = 0) -> None:
        """Allow ``limit`` octets at once; every message counts for ``each`` besides its own."""
        self._limit = limit
        self._each = each
        self._taken = 0
        self._guard = threading.Lock()

    def take(self, octets: int) -> bool:
        """Reserve room for a message; False, and nothing reserved, where there is none. Never blocks.

        A message larger than the whole budget is let through when nothing else is on its way.
        """
        octets += self._each
        with self._guard:
            if self._taken and self._taken + octets > self._limit:
                return False
            self._taken += octets
            return True

    def give_back(self, octets: int, messages: int = 1) -> None:
        """Free what was taken for that many messages."""
        with self._guard:
            self._taken -= octets + messages * self._each


def make_spool(folder: Path) -> None:
    """Create the folder of the spool if need be; raises what ``storage_error`` gives."""
    with disk_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


class SpoolFile(LinedBody):
    """A large message, written piece by piece into a nameless file, which is gone when nobody holds it any more.

    The file has LF line ends, as folders have them; a piece may not end between CR and LF.
    """

    def __init__(self, folder: Path, handle: int | None = None) -> None:
        """Open a file in ``folder``, on whose disk the message must fit, or take one; raises ``disk-full``."""
        self._folder = folder
        self._octets = 0
        self._handle = _nameless(folder) if handle is None else handle
        weakref.finalize(self, os.close, self._handle)

    def write(self, lines: bytes) -> None:
        """Add bytes at the end; raises ``disk-full``."""
        view = memoryview(lines)
        while view:
            with disk_errors(self._folder):
                view = view[os.write(self._handle, view) :]

    def body(self, octets: int) -> SpoolFile:
        """Return what was written, as a body of this many octets in canonical form."""
        self._octets = octets
        return self

    @property
    def octets(self) -> int:
        """The length of the message in canonical form, as ``body`` was given it."""
        return self._octets

    def lines(self) -> Iterator[bytes]:
        """Yield what was written; several readers do not disturb one another."""
        position = 0
        while chunk := self._read(position):
            yield chunk
            position += len(chunk)

    def _read(self, position: int) -> bytes:
        with disk_errors(self._folder):
            return os.pread(self._handle, IO_CHUNK_OCTETS, position)


def _nameless(folder: Path) -> int:
    import tempfile

    make_spool(folder)
    with disk_errors(folder), tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        return os.dup(file.fileno())


class disk_errors:  # noqa: N801  # reads as the statement it is
    """Turn failures of the spool's disk into ours."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Map an OSError."""
        if isinstance(error, OSError):
            failure = storage_error(error, f"keeping a message in {self._folder} for the moment")
            raise FerryError(Kind.DISK_FULL, failure.message, cure=failure.cure) from error


_PAGE_BITS = 12
_PAGE_MASK = (1 << (_PAGE_BITS - 3)) - 1


class RowSet:
    """A set of ledger rows, one bit each: a page of 512 octets for each 4,096 rows of which one is there."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self.count = 0

    def add(self, row: int) -> bool:
        """Add a row; says whether it was not there before."""
        page = self._pages.get(row >> _PAGE_BITS)
        if page is None:
            page = self._pages[row >> _PAGE_BITS] = bytearray(_PAGE_MASK + 1)
        place, bit = (row >> 3) & _PAGE_MASK, 1 << (row & 7)
        if page[place] & bit:
            return False
        page[place] |= bit
        self.count += 1
        return True
