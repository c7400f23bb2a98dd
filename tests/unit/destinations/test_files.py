from __future__ import annotations

import os
from pathlib import Path

from migrator.destinations.files import PIECE, drop_cache


def is_cached(handle: int, offset: int) -> bool:
    try:
        return os.preadv(handle, [bytearray(1)], offset, os.RWF_NOWAIT) == 1
    except BlockingIOError:
        return False


def test_what_was_appended_and_synced_is_read_from_the_device(tmp_path: Path) -> None:
    handle = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        for _ in range(60):
            os.write(handle, b"x" * (PIECE - 1))  # so that nothing begins where a page does
        os.fsync(handle)
        places = range(0, 60 * (PIECE - 1), PIECE)
        drop_cache(handle)
        cached = [is_cached(handle, place) for place in places]
        assert not any(cached) or all(cached)  # all: a file system in memory, which has no device to read from
    finally:
        os.close(handle)
