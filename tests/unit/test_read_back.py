"""What is read back comes from the device, where a file system can be brought to that, and is the same either way."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, enumerate as enumerate_threads

import pytest

from migrator import read_back
from migrator.read_back import (
    IO_CHUNK_OCTETS,
    ReadFrom,
    drop_cache,
    is_cached,
    open_to_read_back,
    pieces_of,
    read_ahead,
    read_range,
    where_read_from,
)
from tests.faults import small_disk

CONTENT = os.urandom(3 * IO_CHUNK_OCTETS + 77)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    handle = open_to_read_back(path)
    try:
        yield handle
    finally:
        os.close(handle)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    with path.open("wb") as new:
        new.write(CONTENT)
        os.fsync(new.fileno())
    return path


@pytest.fixture
def on_a_device_that_keeps_its_pages(file: Path) -> Iterator[Path]:
    """A file on a device of which it is remembered that dropping does not help, as it was measured on another."""
    device = file.stat().st_dev
    before = set(read_back._measured), set(read_back._stays_cached)  # noqa: SLF001  # what a measurement would do
    read_back._measured.add(device)  # noqa: SLF001
    read_back._stays_cached.add(device)  # noqa: SLF001
    yield file
    for known, kept in zip((read_back._measured, read_back._stays_cached), before, strict=True):  # noqa: SLF001
        known.clear()
        known.update(kept)


def test_what_was_appended_and_synced_is_no_longer_cached_when_it_is_read_back(file: Path) -> None:
    with file.open("rb") as first:
        first.read()
        assert is_cached(first.fileno())
        drop_cache(first.fileno())
        if is_cached(first.fileno()):
            pytest.skip("this file system lies in memory")
    assert where_read_from(file) is ReadFrom.DEVICE


PLACES = [
    (0, 1),
    (0, 4096),
    (1, 4095),
    (4095, 2),
    (5000, IO_CHUNK_OCTETS),
    (IO_CHUNK_OCTETS - 1, IO_CHUNK_OCTETS + 2),
    (len(CONTENT) - 3, 50),
    (0, 10**6),
]


@pytest.mark.parametrize(("offset", "size"), [*PLACES, (len(CONTENT), 10), (len(CONTENT) + 5000, 10)])
def test_any_range_is_the_same_past_the_cache(on_a_device_that_keeps_its_pages: Path, offset: int, size: int) -> None:
    with opened(on_a_device_that_keeps_its_pages) as handle:
        assert read_range(handle, offset, size) == CONTENT[offset : offset + size]


def test_a_device_that_keeps_its_pages_is_read_past_the_cache(on_a_device_that_keeps_its_pages: Path) -> None:
    path = on_a_device_that_keeps_its_pages
    with path.open("rb") as first:
        drop_cache(first.fileno())
        if is_cached(first.fileno()):
            pytest.skip("this file system lies in memory")
        with opened(path) as handle:
            read_range(handle, 0, len(CONTENT))
        assert not is_cached(first.fileno())


def test_a_file_system_in_memory_is_told_and_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk", 2_000_000):
        path = tmp_path / "disk" / "file"
        path.write_bytes(CONTENT)
        assert where_read_from(path) is not ReadFrom.DEVICE
        with opened(path) as handle:
            assert read_range(handle, 5, len(CONTENT)) == CONTENT[5:]
        with opened(path) as handle:
            assert read_range(handle, 0, 10) == CONTENT[:10]


def test_a_link_is_not_followed_where_that_is_asked(file: Path) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    with pytest.raises(OSError, match="symbolic link"):
        open_to_read_back(link, os.O_NOFOLLOW)


# Reading ahead.


def test_pieces_that_are_read_ahead_are_those_of_the_file_in_their_order(file: Path) -> None:
    with opened(file) as handle:
        pieces = list(read_ahead(pieces_of(handle, 5, len(CONTENT), 1000)))
    assert b"".join(pieces) == CONTENT[5:]
    assert {len(piece) for piece in pieces[:-1]} == {1000}


def test_nothing_to_read_ahead_is_nothing() -> None:
    assert list(read_ahead(iter(()))) == []


def test_one_piece_is_made_while_one_is_worked_on_and_no_more() -> None:
    made: list[int] = []
    second = Event()

    def pieces() -> Iterator[bytes]:
        for number in range(5):
            made.append(number)
            if number == 1:
                second.set()
            yield b"%d" % number

    coming = read_ahead(pieces())
    assert next(coming) == b"0"
    assert second.wait(10)
    assert list(coming) == [b"1", b"2", b"3", b"4"]
    assert made == [0, 1, 2, 3, 4]


def test_what_breaks_while_it_is_read_ahead_is_raised_where_it_is_used() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"first"
        raise OSError(errno.EIO, "the disk says no")

    coming = read_ahead(pieces())
    assert next(coming) == b"first"
    with pytest.raises(OSError, match="the disk says no"):
        next(coming)


def test_who_stops_early_leaves_no_thread() -> None:
    coming = read_ahead(iter([b"1", b"2", b"3"]))
    next(coming)
    coming.close()  # type: ignore[attr-defined]  # it is a generator
    assert not [thread for thread in enumerate_threads() if thread.name.startswith("reading-ahead")]
