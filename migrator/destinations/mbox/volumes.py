"""The volumes of an mbox folder as files: their names, what they look like now, and how one is opened and locked.

A volume of ours is called by the month (UTC) in which it was begun and a number: ``2026-11-001.mbox``. Any other
regular file ``*.mbox`` in the folder that begins with a From_ line is somebody else's volume: it is part of the archive
and is read, but never written to.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from migrator.copy_records import VolumeRecord, VolumeState
from migrator.files import (
    Device,
    LockTimeout,
    is_regular_file,
    lock_volume,
    make_folder,
    stamp_of,
    storage_error,
    sync_folder,
)
from migrator.lazy_dataclasses import dataclass
from migrator.read_back import read_range

TAIL = 4096
"""How many bytes before a volume's end its tail digest covers."""

_OURS = re.compile(r"(\d{4}-\d{2})-(\d{3,})\.mbox")


@dataclass(slots=True)
class OpenVolume:
    """A volume that is open and locked for us alone. ``end`` is its size; appending moves it."""

    name: str
    handle: int
    end: int

    def record(self, *, end: int | None = None, state: VolumeState = VolumeState.OPEN) -> VolumeRecord:
        """Describe the volume as it is now, known up to ``end`` (by default: all of it)."""
        known = self.end if end is None else end
        stamp = stamp_of(os.fstat(self.handle))
        return VolumeRecord(self.name, known, tail_digest(self.handle, known), stamp, state)


@dataclass(frozen=True, slots=True)
class Distrusted:
    """The volumes whose fsync has failed, as empty files in our state folder.

    The kernel reports such a failure once and then forgets it, so we must not: nothing is appended there again.
    """

    folder: Path

    def __contains__(self, name: str) -> bool:
        return (self.folder / name).exists()

    def add(self, name: str) -> None:
        """Note a volume, as durably as the state folder allows; never raises."""
        try:
            make_folder(self.folder, Device())
            os.close(os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            sync_folder(self.folder, Device())
        except OSError:
            return  # the same disk may be dying; this run at least keeps away, and the next finds the intent


def month_of(now: datetime) -> str:
    """Return the month of archiving as volumes are named by it."""
    return now.astimezone(UTC).strftime("%Y-%m")


def name_of(month: str, number: int) -> str:
    """Return the name of a month's volume."""
    return f"{month}-{number:03d}.mbox"


def month_and_number(name: str) -> tuple[str, int] | None:
    """Return what ``name_of`` was given, or None where the volume is not ours."""
    found = _OURS.fullmatch(name)
    return (found[1], int(found[2])) if found else None


def next_name(month: str, taken: Iterable[str]) -> str:
    """Return the name after the last one of the month; a number once used is never used again."""
    numbers = (parts[1] for parts in map(month_and_number, taken) if parts and parts[0] == month)
    return name_of(month, max(numbers, default=0) + 1)


def names_on_disk(folder: Path) -> list[str]:
    """Return the names of everything in the folder that is called like an mbox, whatever it may be."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.name.endswith(".mbox"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise storage_error(error, f"looking at the archive {folder}") from error


def regular_file(path: Path) -> os.stat_result | None:
    """Return what is known of a file without opening it; None if it is missing or is no regular file."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status if is_regular_file(status) else None


def holds_volumes(folder: Path) -> bool:
    """Tell whether there is any file in the folder that may be a volume."""
    return any(regular_file(folder / name) is not None for name in names_on_disk(folder))


def holds_any_of(folder: Path, records: Iterable[VolumeRecord]) -> bool:
    """Tell whether a volume of this size and with this end stands in a folder, under whatever name."""
    known = {(record.end, record.tail_digest) for record in records if record.end}
    sizes = {end for end, _ in known}
    for name in names_on_disk(folder):
        status = regular_file(folder / name)
        if status is not None and status.st_size in sizes:
            with (folder / name).open("rb") as file:
                if (status.st_size, tail_digest(file.fileno(), status.st_size)) in known:
                    return True
    return False


def holds_all_of(folder: Path, records: Iterable[VolumeRecord]) -> bool:
    """Tell whether every one of these volumes stands in a folder under its name, as long as known or longer."""
    for record in records:
        status = regular_file(folder / record.name)
        if status is None or status.st_size < record.end:
            return False
        with (folder / record.name).open("rb") as file:
            if tail_digest(file.fileno(), record.end) != record.tail_digest:
                return False
    return True


@contextmanager
def opened(folder: Path, name: str, timeout: LockTimeout) -> Iterator[OpenVolume]:
    """Open a volume, for writing if possible, and lock it until the block ends; raises ``locked``, and OSError."""
    volume = open_locked(folder / name, timeout, even_read_only=True)
    try:
        yield volume
    finally:
        os.close(volume.handle)


def created(folder: Path, name: str, create: Callable[[Path], int], timeout: LockTimeout) -> OpenVolume:
    """Create a volume of this name, or one begun later if somebody has just taken it; raises ``locked``, and OSError.

    ``create`` is given its path, and raises ``FileExistsError`` where there is such a file.
    """
    while True:
        try:
            handle = create(folder / name)
        except FileExistsError:
            month, number = month_and_number(name) or (name, 0)
            name = name_of(month, number + 1)
            continue
        try:
            lock_volume(handle, folder / name, timeout)
            return OpenVolume(name, handle, os.fstat(handle).st_size)
        except BaseException:
            os.close(handle)
            raise


def open_locked(path: Path, timeout: LockTimeout, *, even_read_only: bool = False) -> OpenVolume:
    """Open a volume for appending and lock it until its handle is closed.

    ``even_read_only`` opens it for reading where it cannot be written.
    """
    handle = _open_for_reading(path) if even_read_only else _open(path)
    try:
        lock_volume(handle, path, timeout)
        return OpenVolume(path.name, handle, os.fstat(handle).st_size)
    except BaseException:
        os.close(handle)
        raise


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)


def _open_for_reading(path: Path) -> int:
    try:
        return _open(path)
    except PermissionError:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def tail_digest(handle: int, end: int) -> bytes:
    """Return SHA-256 over the last 4,096 bytes (or fewer) before ``end``."""
    begin = max(0, end - TAIL)
    return sha256(read_range(handle, begin, end - begin)).digest()


def begins_like_mbox(handle: int) -> bool:
    """Tell whether a file is empty or begins with a From_ line."""
    beginning = read_range(handle, 0, 5)
    return beginning in (b"", b"From ")


def ends_at_border(handle: int, size: int) -> bool:
    """Tell whether a record may be appended: the file is empty, or a blank line ends it."""
    return size == 0 or read_range(handle, max(0, size - 2), 2) == b"\n\n"
