"""Mail in files and folders: what a path holds, whatever wrote it, one message after the other.

A folder is gone through to its depths, each file and each child by itself: what cannot be read is named, and the rest
is taken. What a file is, is decided by what it holds (``recognising``). Nothing that may be mail is left out silently.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from migrator.errors import FerryError
from migrator.interchange.importing.files import File, Files
from migrator.interchange.importing.items import NO_MARKS, Item, LeftOut
from migrator.interchange.importing.marks import has_maildir_info, of_maildir
from migrator.interchange.mail_files import Variant
from migrator.lazy_dataclasses import dataclass, field

NO_MAIL = "no mail was found in it"
"""Why a place is trouble in which something was expected to be."""
_MAILDIR = ("cur", "new", "tmp")


class _Task(Enum):
    """What a path is taken for."""

    ANY = "whatever it is"
    MAILDIR_FOLDER = "the cur or new of a Maildir"
    MAILDIR_FILE = "a message in one"


@dataclass(slots=True)
class _Walk:
    """What is still to be gone through, and the folders that were."""

    tasks: list[tuple[Path, str, _Task]]
    folders: set[tuple[int, int]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Sources:
    """Reads paths. ``variant`` is the dialect of mbox files, if known; what is packed passes through ``spool``."""

    variant: Variant | None
    spool: Path

    def found(self, path: Path) -> Iterator[Item]:
        """Yield what stands at a path; where that is nothing at all, it is trouble."""
        walk = _Walk([(path, str(path), _Task.ANY)])
        is_any = False
        for item in self._walked(walk):
            is_any = is_any or not isinstance(item, LeftOut) or item.is_trouble
            if isinstance(item, LeftOut) and item.place == str(path):
                is_any = True
                yield LeftOut(item.place, item.reason, is_trouble=True)
            else:
                yield item
        if not is_any:
            yield LeftOut(str(path), NO_MAIL, is_trouble=True)

    def _walked(self, walk: _Walk) -> Iterator[Item]:
        while walk.tasks:
            path, place, task = walk.tasks.pop()
            try:
                yield from self._one(path, place, task, walk)
            except OSError as error:
                yield LeftOut(place, f"it cannot be read: {error.strerror or error}", is_trouble=not _is_lock(path))
            except FerryError as error:
                yield LeftOut(place, str(error), is_trouble=True)

    def _one(self, path: Path, place: str, task: _Task, walk: _Walk) -> Iterator[Item]:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            identity = (status.st_dev, status.st_ino)
            if identity in walk.folders:
                yield LeftOut(place, "it leads to a folder that was gone through already", is_trouble=False)
                return
            walk.folders.add(identity)
            yield from self._folder(path, place, task, walk)
        elif stat.S_ISREG(status.st_mode):
            is_in_maildir = task is _Task.MAILDIR_FILE
            if is_in_maildir and path.name.startswith("."):
                return
            is_marked = is_in_maildir or has_maildir_info(path.name)
            marks = of_maildir(path.name, status.st_mtime) if is_marked else NO_MARKS
            files = Files(self.variant, self.spool)
            yield from files.items(File(path, place, path.name, marks, is_in_maildir))
        else:
            yield LeftOut(place, "it is neither a file nor a folder", is_trouble=False)

    def _folder(self, folder: Path, place: str, task: _Task, walk: _Walk) -> Iterator[Item]:
        """Put what is in a folder first among what is to be gone through, in the order of names."""
        names = sorted(os.listdir(folder))  # noqa: PTH208  # names, in order
        is_maildir = task is _Task.ANY and _is_maildir({n for n in names if n in _MAILDIR and (folder / n).is_dir()})
        tasks: list[tuple[Path, str, _Task]] = []
        for name in names:
            shown = f"{place}/{name}"
            if is_maildir and name == "tmp":
                continue
            if name == "__MACOSX":
                yield LeftOut(shown, "it holds what a Mac adds to files, not mail", is_trouble=False)
            elif name == "Attachments" and "Messages" in names:
                yield LeftOut(shown, "it holds the attachments of the messages beside it", is_trouble=False)
            elif is_maildir and name in ("cur", "new"):
                tasks.append((folder / name, shown, _Task.MAILDIR_FOLDER))
            else:
                is_message = task is _Task.MAILDIR_FOLDER
                tasks.append((folder / name, shown, _Task.MAILDIR_FILE if is_message else _Task.ANY))
        walk.tasks += reversed(tasks)


def _is_maildir(folders: set[str]) -> bool:
    """Say whether a folder is a Maildir: Thunderbird makes no ``new``, and some backups leave out an empty ``cur``."""
    return "cur" in folders or {"new", "tmp"} <= folders


def _is_lock(path: Path) -> bool:
    """Say whether a link that leads nowhere is the lock of a Mozilla profile, and no mail that went away."""
    return path.is_symlink() and path.name in ("lock", ".parentlock")
