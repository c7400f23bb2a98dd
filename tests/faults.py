"""Damage to files and disks, each named after what it does. Nothing here outlives the test, not even one that is killed.

What root is needed for (a full disk, a read-only folder that stops even root) is left out without it, and says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_CLONE_NEWNS = 0x00020000
_LIBC = ctypes.CDLL(None, use_errno=True)


def flip_bit(path: Path, offset: int, bit: int = 0) -> None:
    """Turn one bit of a byte; a negative offset counts from the end."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 1 << bit
    _write_in_place(path, 0, bytes(content))


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Put other bytes in place of what is there; the size stays unless they reach beyond the end."""
    _write_in_place(path, offset, data)


def cut_tail(path: Path, octets: int) -> None:
    """Take the last bytes away, as a torn write does."""
    os.truncate(path, max(0, path.stat().st_size - octets))


def add_tail(path: Path, data: bytes) -> None:
    """Append bytes, as a half-finished write or another program does."""
    with path.open("ab") as file:
        file.write(data)


def insert(path: Path, offset: int, data: bytes) -> None:
    """Move everything behind ``offset`` by the bytes that are put there."""
    content = path.read_bytes()
    _write_in_place(path, offset, data + content[offset:])


def remove(path: Path) -> None:
    """Make a file go away."""
    path.unlink()


def swap(one: Path, other: Path) -> None:
    """Exchange two files under their names."""
    aside = one.with_name(one.name + ".aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody, root included, write anything below a folder."""
    with _own_mounts():
        _mount("--bind", str(folder), str(folder))
        _mount("-o", "remount,bind,ro", str(folder))
        yield


@contextmanager
def small_disk(folder: Path, octets: int) -> Iterator[None]:
    """Make an empty folder a disk of its own with room for so many bytes; what it holds is gone at the end.

    This process and those it starts see it, but no thread that was there before.
    """
    with _own_mounts():
        _mount("-t", "tmpfs", "-o", f"size={octets}", "small", str(folder))
        yield


def fill_disk(folder: Path, leave: int = 0) -> Path:
    """Fill a small disk but for some bytes (in whole pages); removing the returned file makes room again."""
    filler = folder / ".filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        os.truncate(filler, max(0, filler.stat().st_size - leave))
    return filler


def _write_in_place(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@contextmanager
def _own_mounts() -> Iterator[None]:
    """Keep what is mounted to this thread and what it starts; the kernel undoes it when the last of them ends."""
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    folder = Path.cwd()
    before = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY)
    try:
        _check(_LIBC.unshare(_CLONE_NEWNS))
        _mount("--make-rprivate", "/")
        try:
            yield
        finally:
            _check(_LIBC.setns(before, _CLONE_NEWNS))
            os.chdir(folder)  # setns(2) went to the root
    finally:
        os.close(before)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        if number == errno.EPERM:
            pytest.skip("this root may not mount (no CAP_SYS_ADMIN)")
        raise OSError(number, os.strerror(number))
