"""What a file system cannot promise, by its type and how it is mounted. Pure.

An archive may lie on any of these: nothing is lost, doubled or overwritten there. But some of what holds on a local
disk is up to the share then, and a person should know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from migrator.lazy_dataclasses import dataclass

NETWORK = frozenset(
    "nfs nfs4 cifs smb3 smbfs 9p afs ceph glusterfs lustre beegfs vboxsf fuse.sshfs fuse.rclone fuse.glusterfs"  # noqa: SIM905
    " fuse.gvfsd-fuse fuse.davfs fuse.s3fs fuse.vmhgfs-fuse".split()
)
"""Types of file systems that are on another machine."""

_SMB = frozenset({"cifs", "smb3", "smbfs"})
_FAT = frozenset({"vfat", "msdos", "exfat"})
_WINDOWS = _FAT | {"ntfs", "ntfs3", "fuseblk"}


class Shortfall(StrEnum):
    """Something that a local disk promises, and this does not; in words that follow "there"."""

    RIGHTS = "the share decides who may read the files, whatever rights mailferry sets"
    NEW_NAMES = "a new file may be gone after a power cut of the share, though its content was proven"
    LOCKS = "locks keep out programs on this machine only"
    CASE = "names that differ in case only are one name"
    COLON = "names have no colon, so mail programs cannot keep flags in a Maildir"
    LARGE_FILES = "no file can be larger than 4 GB, so a larger mbox export fails"
    NUMBERS = "files are known by other numbers after each mount, so the archive is then read in full"
    MEMORY = "everything is gone when the machine is switched off"


@dataclass(frozen=True, slots=True)
class FileSystemFacts:
    """A file system, and what it cannot promise. ``kind`` and ``mount_point`` are empty where nothing is known."""

    kind: str
    mount_point: str
    shortfalls: tuple[Shortfall, ...]

    @property
    def is_remote(self) -> bool:
        """Whether it is on another machine."""
        return self.kind in NETWORK


def file_system_facts(path: Path, mounts: str, *, can_sync_folder: bool = True) -> FileSystemFacts:
    """Say what the file system of a folder cannot promise, by the text of /proc/self/mounts.

    ``can_sync_folder`` is what the folder said when it was asked (``migrator.files``).
    """
    mount_point, kind, options = _mounted_at(path, mounts)
    found = dict.fromkeys(_shortfalls(kind, options))
    if not can_sync_folder:
        found[Shortfall.NEW_NAMES] = None
    return FileSystemFacts(kind, mount_point, tuple(one for one in Shortfall if one in found))


def file_system_of(folder: Path, mounts: str) -> str:
    """Return the type of the file system of a folder, by the text of /proc/self/mounts; ``""`` if it does not say."""
    return _mounted_at(folder, mounts)[1]


def _mounted_at(path: Path, mounts: str) -> tuple[str, str, frozenset[str]]:
    """Return where the file system of a path is mounted, its type and its options; the last mount of a point counts."""
    best = "", "", frozenset[str]()
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) >= 4:
            point = _unescaped(words[1])
            if Path(point) in (path, *path.parents) and len(point) >= len(best[0]):
                best = point, words[2], frozenset(words[3].split(","))
    return best


def _unescaped(written: str) -> str:
    """Undo what the kernel writes for blanks, tabs, line feeds and backslashes (getmntent(3))."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), written)


def _shortfalls(kind: str, options: frozenset[str]) -> Iterator[Shortfall]:
    is_fuse = kind == "fuse" or kind.startswith("fuse.")
    if kind in _WINDOWS or is_fuse or kind == "vboxsf" or (kind in _SMB and "posix" not in options):
        yield Shortfall.RIGHTS
    if kind in _SMB or is_fuse:
        yield Shortfall.NEW_NAMES
    if "nolock" in options or "local_lock=all" in options or (is_fuse and kind in NETWORK):
        yield Shortfall.LOCKS
    if kind in _WINDOWS | _SMB | {"hfsplus", "vboxsf"} and "posix" not in options:
        yield Shortfall.CASE
    if kind in _FAT or (kind in _WINDOWS and "windows_names" in options) or (kind in _SMB and "nomapposix" in options):
        yield Shortfall.COLON
    if kind in ("vfat", "msdos"):
        yield Shortfall.LARGE_FILES
    if kind in _FAT or "noserverino" in options or kind in ("fuse.sshfs", "fuse.rclone", "fuse.gvfsd-fuse"):
        yield Shortfall.NUMBERS
    if kind in ("tmpfs", "ramfs"):
        yield Shortfall.MEMORY
