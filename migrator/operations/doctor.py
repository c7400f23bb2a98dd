"""What the file systems of a set-up can promise. Nothing is judged here, and nothing changed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from migrator.files import can_sync_folder
from migrator.operations.file_system import file_system_facts, file_system_of
from migrator.read_back import ReadFrom, where_read_from

IN_MEMORY = frozenset({"tmpfs", "ramfs"})

_READ_FROM_MEMORY = "copies are read back from memory: they are proven, but not what a disk has of them"


def nearest_folder(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    while not os.path.isdir(folder):  # noqa: PTH112  # Path.is_dir raises on some broken paths
        folder = folder.parent
    return folder


def mounts() -> str:
    """Return the text of /proc/self/mounts, empty where there is none."""
    with suppress(OSError):
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    return ""


def weaknesses_of(folder: Path, mounts: str) -> tuple[str, ...]:
    """Say in one clause what the file system of an archive folder cannot promise; in none if it promises all."""
    facts = file_system_facts(folder, mounts, can_sync_folder=can_sync_folder(folder))
    found = [str(shortfall) for shortfall in facts.shortfalls]
    if _is_read_from_memory(folder, mounts):
        found.append(_READ_FROM_MEMORY)
    return (f"on its file system ({facts.kind or 'of unknown type'}) {'; '.join(found)}",) if found else ()


def _is_read_from_memory(folder: Path, mounts: str) -> bool:
    """Measure with one file of an archive where its file system does not say it all; without any, say no."""
    if file_system_of(folder, mounts) in IN_MEMORY:
        return True
    files = (path for name in ("", "new", "cur") for path in (folder / name).glob("*") if path.is_file())
    with suppress(OSError):
        sample = next((path for path in files if path.stat().st_size), None)
        return sample is not None and where_read_from(sample) is ReadFrom.MEMORY
    return False
