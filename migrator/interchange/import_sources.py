"""Mail in files and folders: what a path holds, whatever wrote it, one message after the other.

A folder is gone through to its depths: Maildirs (with their subfolders), Apple's ``.mbox`` folders, mbox files, single
messages (``.eml``, Apple's ``.emlx``, or whatever begins with a header), zips of all of these. What is no mail is named
with the reason, so that nothing is left out in silence. Names from a zip never become names on the disk.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from migrator.errors import FerryError, Kind
from migrator.interchange.mail_files import Variant, message_in, records_of
from migrator.message.body import Message
from migrator.ui.sanitize import line

_BEGINNING = 4_096
_HEADER = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:\r?\n)*[!-9;-~]+[ \t]*:")
_EMLX = re.compile(rb"\A\d+[ \t]*\r?\n[!-9;-~]+:")
_NO_MAIL = frozenset({".ds_store", "thumbs.db", "desktop.ini", "sha256sums", "table_of_contents", "maildirfolder"})
_NO_MAIL_SUFFIXES = frozenset({".msf", ".sha256", ".plist", ".dat", ".lock", ".partial"})
_LEAST_FREE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message and where it was found; its body is good until the next is asked for."""

    place: str
    message: Message


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was not taken, and why. ``is_trouble`` says that there may be mail in it."""

    place: str
    reason: str
    is_trouble: bool


Item = FoundMessage | LeftOut


@dataclass(frozen=True, slots=True)
class Sources:
    """Reads paths. ``variant`` is the dialect of mbox files; members of zips pass through ``spool``, one at a time."""

    variant: Variant
    spool: Path

    def found(self, path: Path) -> Iterator[Item]:
        """Yield what stands at a path."""
        yield from self._any(path, str(path))

    def _any(self, path: Path, place: str) -> Iterator[Item]:
        try:
            mode = path.lstat().st_mode if path.is_symlink() and path.is_dir() else path.stat().st_mode
            if stat.S_ISDIR(mode):
                yield from self._folder(path, place)
            elif stat.S_ISREG(mode):
                yield from self._file(path, place)
            else:
                yield LeftOut(place, "it is neither a file nor a folder", is_trouble=False)
        except OSError as error:
            yield LeftOut(place, f"it cannot be read: {error.strerror}", is_trouble=True)
        except FerryError as error:
            yield LeftOut(place, error.message, is_trouble=True)

    def _folder(self, folder: Path, place: str) -> Iterator[Item]:
        names = sorted(os.listdir(folder))  # noqa: PTH208  # names, in order
        is_maildir = {"cur", "new"} <= set(names)
        for name in names:
            path = folder / name
            if is_maildir and name in ("cur", "new") and path.is_dir():
                for message in sorted(path.iterdir()):
                    yield from self._message(message, f"{place}/{name}/{message.name}", has_lf=True)
            elif is_maildir and name == "tmp":
                continue
            elif name == "__MACOSX":
                yield LeftOut(f"{place}/{name}", "it holds what a Mac adds to files, no mail", is_trouble=False)
            else:
                yield from self._any(path, f"{place}/{name}")

    def _message(self, path: Path, place: str, *, has_lf: bool) -> Iterator[Item]:
        if path.name.startswith(".") or path.is_dir():
            return
        try:
            for message in message_in(path, has_lf=has_lf):
                yield FoundMessage(place, message)
        except (FerryError, OSError) as error:
            yield LeftOut(place, str(error), is_trouble=True)

    def _file(self, path: Path, place: str, *, name: str = "") -> Iterator[Item]:
        """Take a file by what it holds; ``name`` is its own where it only passes through the spool."""
        name = (name or path.name).lower()
        if reason := _is_no_mail(name):
            yield LeftOut(place, reason, is_trouble=False)
            return
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING)
        if beginning.startswith(b"From "):
            for record in records_of(path, self.variant):
                yield FoundMessage(f"{place}:{record.number}", record.message)
        elif beginning.startswith(b"PK\x03\x04") or (name.endswith(".zip") and zipfile.is_zipfile(path)):
            yield from self._zip(path, place)
        elif _HEADER.match(beginning) or name.endswith(".eml") or (name.endswith(".emlx") and _EMLX.match(beginning)):
            yield from self._message(path, place, has_lf=False)
        elif beginning.strip():
            yield LeftOut(place, "it does not look like mail", is_trouble=name.endswith((".mbox", ".emlx")))
        else:
            yield LeftOut(place, "it is empty", is_trouble=False)

    def _zip(self, path: Path, place: str) -> Iterator[Item]:
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
                maildirs = _maildirs_in(members)
                for member in members:
                    yield from self._member(archive, member, place, maildirs)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            yield LeftOut(place, f"the zip cannot be read: {error}", is_trouble=True)

    def _member(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: str, maildirs: frozenset[str]
    ) -> Iterator[Item]:
        inside = PurePosixPath(member.filename)
        shown = f"{place}!{line(member.filename, limit=300)}"
        if member.is_dir() or inside.name.startswith("."):
            return
        if "__MACOSX" in inside.parts:
            yield LeftOut(shown, "it is what a Mac adds to files, no mail", is_trouble=False)
        elif inside.suffix.lower() == ".zip":
            yield LeftOut(shown, "it is a zip inside a zip: unpack it first", is_trouble=True)
        elif inside.parent.name == "tmp" and str(inside.parent.parent) in maildirs:
            return
        else:
            yield from self._unpacked(archive, member, shown, is_in_maildir=_is_in_maildir(inside, maildirs))

    def _unpacked(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: str, *, is_in_maildir: bool
    ) -> Iterator[Item]:
        """Unpack a member into a file of our own naming, never more of it than was announced and there is room for."""
        self.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        if member.file_size > shutil.disk_usage(self.spool).free - _LEAST_FREE:
            raise FerryError(Kind.DISK_FULL, f"there is no room in {self.spool} to unpack {place}")
        suffix = ".emlx" if member.filename.lower().endswith(".emlx") else ""
        with tempfile.NamedTemporaryFile(dir=self.spool, prefix="import-", suffix=suffix) as file:
            with archive.open(member) as packed:
                shutil.copyfileobj(packed, file, 1 << 20)
            file.flush()
            unpacked = Path(file.name)
            if is_in_maildir:
                yield from self._message(unpacked, place, has_lf=True)
            else:
                yield from self._file(unpacked, place, name=PurePosixPath(member.filename).name)


def _is_no_mail(name: str) -> str:
    """Say why a file is none that holds mail, by its name; nothing if it may."""
    if name.startswith("._"):
        return "it is what a Mac adds to files, no mail"
    if name in _NO_MAIL or name.startswith(("dovecot", "courierimap", ".")):
        return "it is no mail but what a mail program keeps beside it"
    if PurePosixPath(name).suffix in _NO_MAIL_SUFFIXES:
        return "it is no mail but what a program keeps beside it"
    return ""


def _maildirs_in(members: list[zipfile.ZipInfo]) -> frozenset[str]:
    """Return the folders of a zip that have ``cur`` or ``new`` in them, and so are Maildirs."""
    parents = (PurePosixPath(member.filename).parent for member in members if not member.is_dir())
    return frozenset(str(folder.parent) for folder in parents if folder.name in ("cur", "new"))


def _is_in_maildir(inside: PurePosixPath, maildirs: frozenset[str]) -> bool:
    return inside.parent.name in ("cur", "new") and str(inside.parent.parent) in maildirs
