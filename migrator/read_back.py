"""Reading from the device what was written to it, and not from the memory that it passed through.

A copy is proven by what the disk gives. The page cache of a file is dropped before it is read, which Linux does for
pages that are synced and that nobody has mapped. Where pages stay all the same (measured once for each device, with
mincore(2)), files are read with O_DIRECT, which passes by the cache. Where that is refused too, or the file system
lies in memory, the read-back says no more than the system's memory does; ``mailferry doctor`` names such folders.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

IO_CHUNK_OCTETS = 120 * 1024
"""How many bytes to read or write at once: less than what malloc takes from the system each time (128 KiB in
glibc), at the price of a page fault for every four kilobytes."""

LONG_CHUNK_OCTETS = 1 << 20
"""The same where so much is to be read that a thread reads ahead."""

_DIRECT = getattr(os, "O_DIRECT", 0)
_measured: set[int] = set()
_stays_cached: set[int] = set()
"""The devices (``st_dev``) of which pages stay although they are to be dropped; of all that were measured."""


class ReadFrom(StrEnum):
    """Where a read-back comes from."""

    DEVICE = "device"
    """The page cache was dropped; also said of a folder in which there is nothing to measure with."""
    DEVICE_DIRECTLY = "device, directly"
    """The cache keeps its pages, and O_DIRECT passes it by."""
    MEMORY = "memory"


def open_to_read_back(path: Path, flags: int = 0) -> int:
    """Open a file for reading so that it is read from the device, where the system allows it; raises ``OSError``."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        drop_cache(handle)
        if not _stays(handle):
            return handle
        direct = _opened_directly(path, flags)
    except BaseException:
        os.close(handle)
        raise
    if direct is None:
        return handle
    os.close(handle)
    return direct


def drop_cache(handle: int) -> None:
    """Make the next reads of a file come from the device, where the system allows it. What is not synced stays.

    The whole file's: of a part, Linux drops only the large folios that lie in it altogether, which may be none.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        return  # advice that a file system does not take costs nothing but the cache's being asked


def _stays(handle: int) -> bool:
    """Say whether the pages of a device's files stay when they are dropped; looks at the first file there only."""
    status = os.fstat(handle)
    if status.st_dev not in _measured and status.st_size:
        _measured.add(status.st_dev)
        if is_cached(handle):
            _stays_cached.add(status.st_dev)
    return status.st_dev in _stays_cached


def _opened_directly(path: Path, flags: int) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags | _DIRECT) if _DIRECT else None
    except OSError as error:
        if error.errno == errno.EINVAL:  # a file system without it
            return None
        raise


# --------------------------------------------------------------------------------------------------- reading


def read_range(handle: int, offset: int, size: int) -> bytes:
    """Read from a place without moving there; fewer bytes than asked for only where the file ends."""
    if _stays_cached and fcntl.fcntl(handle, fcntl.F_GETFL) & _DIRECT:
        return _read_directly(handle, offset, size)
    data = os.pread(handle, size, offset)
    if len(data) == size or not data:
        return data
    pieces = [data]
    have = len(data)
    while have < size and (data := os.pread(handle, size - have, offset + have)):
        pieces.append(data)
        have += len(data)
    return b"".join(pieces)


def _read_directly(handle: int, offset: int, size: int) -> bytes:
    """Read whole pages into memory that begins where a page does, as O_DIRECT wants it."""
    begin = offset - offset % mmap.PAGESIZE
    span = -(-(offset + size - begin) // mmap.PAGESIZE) * mmap.PAGESIZE
    with mmap.mmap(-1, max(span, mmap.PAGESIZE)) as pages, memoryview(pages) as room:
        have = 0
        while have < span and (count := os.preadv(handle, [room[have:span]], begin + have)):
            have += count
            if have % mmap.PAGESIZE:  # the file ends here
                break
        return bytes(room[offset - begin : min(have, offset - begin + size)])


def pieces_of(handle: int, begin: int, end: int, most: int = IO_CHUNK_OCTETS) -> Iterator[bytes]:
    """Yield a range of a file in pieces of at most that many bytes; ends early where the file does."""
    while begin < end and (piece := read_range(handle, begin, min(most, end - begin))):
        yield piece
        begin += len(piece)


def read_ahead(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what ``pieces`` does, while a thread has the next one made; what that raises is raised here.

    It is worth it from ``LONG_CHUNK_OCTETS`` a piece: handing over costs as much as hashing 100 KB.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="reading-ahead") as thread:
        coming = thread.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = thread.submit(next, pieces, None)
            yield piece


# ------------------------------------------------------------------------------------------------- measuring


def where_read_from(path: Path) -> ReadFrom:
    """Measure with one file of a folder where a read-back of it comes from; raises ``OSError``."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.pread(handle, 1, 0)  # so that there is something to be dropped
        drop_cache(handle)
        if not is_cached(handle):
            return ReadFrom.DEVICE
    finally:
        os.close(handle)
    direct = _opened_directly(path, 0)
    if direct is None:
        return ReadFrom.MEMORY
    os.close(direct)
    return ReadFrom.DEVICE_DIRECTLY


def is_cached(handle: int) -> bool:
    """Say whether the first page of a file is in the page cache, by mincore(2); False where that cannot be known."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "mincore"):
        return False
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    address = libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_SHARED, handle, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        return False
    try:
        pages = ctypes.create_string_buffer(1)
        return libc.mincore(address, mmap.PAGESIZE, pages) == 0 and bool(pages.raw[0] & 1)
    finally:
        libc.munmap(address, mmap.PAGESIZE)
