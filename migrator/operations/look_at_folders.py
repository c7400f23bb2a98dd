"""An archive folder as it is on the disk now, beside what the ledger knows of it. Nothing is judged, nothing changed.

Cheap: names, sizes and stamps; the end of a file is only read where its stamp is another one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.destinations.mbox.volumes import begins_like_mbox, names_on_disk, regular_file, tail_digest
from migrator.errors import FerryError
from migrator.files import stamp_of
from migrator.findings.facts import VolumeFacts, VolumeLook
from migrator.lazy_dataclasses import dataclass, replace
from migrator.operations.doctor import nearest_folder

if TYPE_CHECKING:
    from migrator.copy_records import VolumeRecord

FEWEST = 10
"""That many copies, and more than half of them, gone at once is no tidying: the folder was emptied."""
_PACKED = (".gz", ".bz2", ".xz", ".zst")


@dataclass(frozen=True, slots=True)
class FolderLook:
    """What was seen. ``is_away``: nothing, or hardly anything, of what is known there is.

    ``anchor`` is the folder, or the nearest one above it that is there; ``not_written`` tells why no file can be made,
    as ``why_not_written`` does.
    """

    is_away: bool = False
    anchor: str = ""
    not_written: str = ""
    volumes: tuple[VolumeFacts, ...] = ()
    strange_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownFolder:
    """What the ledger knows of a folder. ``is_written_to``: a run is under way in it, or was cut short.

    ``base_names`` asks for those under which copies are known to stand in a Maildir.
    """

    volumes: Sequence[VolumeRecord]
    is_written_to: bool
    base_names: Callable[[], Iterable[str]]


def look_at_folder(kind: str, folder: Path, known: KnownFolder) -> FolderLook:
    """Look at a folder of this kind, of which this is known."""
    look = _look_at_mbox if kind == "mbox" else _look_at_maildir
    return replace(look(folder, known), anchor=str(nearest_folder(folder)), not_written=why_not_written(folder))


def look_at_new_folder(kind: str, folder: Path) -> FolderLook:
    """Look at a folder in which no copy is known; mail that stands there all the same is unknown."""
    names = [name for name in _names(folder) if _is_mbox(folder / name)] if kind == "mbox" else []
    if kind == "maildir" and _is_maildir(folder) and _message_files(folder):
        names = [folder.name]
    unknown = tuple(VolumeFacts(name, VolumeLook.UNKNOWN) for name in names)
    strange = tuple(_packed(folder)) if kind == "mbox" else ()
    return FolderLook(
        anchor=str(nearest_folder(folder)), not_written=why_not_written(folder), volumes=unknown, strange_files=strange
    )


def why_not_written(folder: Path) -> str:
    """Name the disk, or the folder, that lets no file be made here, and the folder itself not if it is not there.

    Empty where it can be written. The file system is asked, nothing is tried.
    """
    nearest = nearest_folder(folder)
    with suppress(OSError):
        if os.statvfs(nearest).f_flag & os.ST_RDONLY:
            return f"disk {nearest.stat().st_dev}"
    return "" if os.access(nearest, os.W_OK | os.X_OK) else str(nearest)


def _look_at_mbox(folder: Path, known: KnownFolder) -> FolderLook:
    volumes = {record.name: record for record in known.volumes if record.end}
    seen = {name: _look_at_volume(folder / name, record) for name, record in volumes.items()}
    if volumes and all(look is VolumeLook.MISSING for look in seen.values()):
        return FolderLook(is_away=True)
    if known.is_written_to:  # what a run wrote is not strange
        seen = {name: None if look is VolumeLook.GROWN else look for name, look in seen.items()}
    else:
        seen |= {name: VolumeLook.UNKNOWN for name in _names(folder) if name not in volumes and _is_mbox(folder / name)}
    return FolderLook(
        volumes=tuple(VolumeFacts(name, look) for name, look in seen.items() if look is not None),
        strange_files=tuple(_packed(folder)),
    )


def _names(folder: Path) -> list[str]:
    try:
        return names_on_disk(folder)
    except FerryError:
        return []


def _look_at_volume(path: Path, record: VolumeRecord) -> VolumeLook | None:
    """Say how a volume differs from what is known of it; None where it does not."""
    try:
        status = regular_file(path)
        if status is None:
            return VolumeLook.MISSING
        if stamp_of(status) == record.stamp:
            return None
        if status.st_size < record.end:
            return VolumeLook.SHRUNK
        if _tail(path, record.end) != record.tail_digest:
            return VolumeLook.REWRITTEN
    except OSError:
        return VolumeLook.MISSING
    return VolumeLook.GROWN if status.st_size > record.end else None


def _tail(path: Path, end: int) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return tail_digest(handle, end)
    finally:
        os.close(handle)


def _is_mbox(path: Path) -> bool:
    with suppress(OSError):
        if regular_file(path) is not None:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return begins_like_mbox(handle)
            finally:
                os.close(handle)
    return False


def _packed(folder: Path) -> list[str]:
    """Return the names of compressed volumes, which no reader of the archive opens."""
    with suppress(OSError), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.name.endswith(_PACKED) and ".mbox" in entry.name)
    return []


def _look_at_maildir(folder: Path, known: KnownFolder) -> FolderLook:
    names = list(known.base_names())
    if not names:
        return FolderLook()
    if not _is_maildir(folder):
        return FolderLook(is_away=True)
    there = _message_files(folder)
    missing = sum(name not in there for name in names)
    return FolderLook(is_away=missing == len(names) or (missing >= FEWEST and 2 * missing > len(names)))


def _is_maildir(folder: Path) -> bool:
    return (folder / "cur").is_dir() or (folder / "new").is_dir()


def _message_files(folder: Path) -> Mapping[str, Path]:
    from migrator.destinations.maildir.reading import message_files

    return message_files(folder)
