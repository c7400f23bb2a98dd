"""The forms of an export that are folders with a file for each message: eml files, and a Maildir.

No name has a colon, which FAT, exFAT, NTFS and many shares do not take: in a Maildir a message without flags stands in
``new`` and needs none. What a mail reader has moved to ``cur`` and flagged since is known by what stands before.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from migrator.errors import FerryError, Kind
from migrator.files import is_regular_file, make_folder, sync_folder
from migrator.interchange.export_formats import CHUNK, NAME_LENGTH, Sums, arrival_of, checked, publish_new
from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Body
from migrator.message.line_ends import pieces_to_lf, to_crlf
from migrator.model import Digest

_INFO = re.compile("[:;!]")
"""What mail readers put between a name and its flags; all but the first where the file system takes no colon."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a folder of files is made of messages: one goes to ``final``, and may since stand in one of ``others``."""

    temporary: str
    final: str
    others: tuple[str, ...]
    suffix: str
    encode: Callable[[Iterable[bytes]], Iterable[bytes]]
    decode: Callable[[bytes], bytes]


def _as_it_is(pieces: Iterable[bytes]) -> Iterable[bytes]:
    return pieces


_EML = Shape("", "", (), ".eml", _as_it_is, bytes)
_MAILDIR = Shape("tmp", "new", ("cur",), ".mailferry", pieces_to_lf, to_crlf)


class FilesFolder:
    """A folder with a file for each message, named by its digest."""

    def __init__(self, folder: Path, shape: Shape) -> None:
        """Write into ``folder``, made if it is not there."""
        self._folder = folder
        self._shape = shape
        self._sums: Sums = {}
        self._is_made = False
        self._files = dict(self._listed())

    def _listed(self) -> Iterator[tuple[str, Path]]:
        """Yield the files that are there, by what stands before the flags that a mail reader may have changed."""
        for name in (self._shape.final, *self._shape.others):
            with suppress(FileNotFoundError, NotADirectoryError):
                yield from ((_INFO.split(file.name)[0], file) for file in (self._folder / name).iterdir())

    def has(self, digest: Digest) -> bool:
        """Say whether this message is there; its file is read and compared."""
        path = self._files.get(self._name(digest))
        if path is None:
            return False
        canonical, stored = sha256(), sha256()
        if is_regular_file(path.stat()):
            with path.open("rb") as file:
                while piece := file.read(CHUNK):
                    canonical.update(self._shape.decode(piece))
                    stored.update(piece)
        if canonical.digest() != digest:
            raise FerryError(Kind.REFUSED, f"{path} exists and is something else; it is not overwritten")
        self._sums[path] = stored.hexdigest()
        return True

    def add(self, digest: Digest, body: Body) -> None:
        """Write a message under a passing name, and name it when it is whole; of what fails nothing is left."""
        self._make()
        name = self._name(digest)
        temporary = self._temporary(name)
        final = self._folder / self._shape.final / name
        temporary.unlink(missing_ok=True)
        try:
            self._sums[final] = self._written(temporary, digest, body)
            publish_new(temporary, final, is_durable=False)  # an export syncs everything at its end
        except BaseException:
            self._sums.pop(final, None)
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def _written(self, path: Path, digest: Digest, body: Body) -> str:
        """Write a message; returns the SHA-256 of the file."""
        stored = sha256()
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            for piece in self._shape.encode(checked(digest, body)):
                stored.update(piece)
                file.write(piece)
        if self._shape is _MAILDIR and (arrived := arrival_of(body)) is not None:
            moment = arrived.timestamp()  # what mail readers and IMAP servers take for the time of arrival
            with suppress(OSError):  # a date that the file system cannot hold
                os.utime(path, (moment, moment))
        return stored.hexdigest()

    def _temporary(self, name: str) -> Path:
        return self._folder / self._shape.temporary / f".{name}.partial"

    def _name(self, digest: Digest) -> str:
        return digest.hex()[:NAME_LENGTH] + self._shape.suffix

    def _make(self) -> None:
        if not self._is_made:
            make_folder(self._folder)
            for name in (self._shape.temporary, self._shape.final, *self._shape.others):
                make_folder(self._folder / name)
            self._is_made = True

    def finish(self) -> Sums:
        """Have the names on the disk; of what a crash left no other name of a whole message stays."""
        self._make()
        for path in self._sums:
            name = _INFO.split(path.name)[0]
            self._temporary(name).unlink(missing_ok=True)
        sync_folder(self._folder / self._shape.final)
        return self._sums

    def close(self) -> None:
        """Nothing is held."""


def EmlFolder(folder: Path) -> FilesFolder:  # noqa: N802  # stands beside the classes of the other forms
    """Return a writer of one file per message, which holds the digest's bytes."""
    return FilesFolder(folder, _EML)


def MaildirFolder(folder: Path) -> FilesFolder:  # noqa: N802  # as above
    """Return a writer of a Maildir (lines end in LF)."""
    return FilesFolder(folder, _MAILDIR)
