"""The forms of an export: a folder of files, a Maildir, an mbox file, a zip of files.

A writer proves what it finds from an export that was cut short, and writes each message so that no half of one ever
has the name of a whole one. Bytes are compared with the digest while they are written.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Protocol

from migrator.destinations.mbox import mboxrd
from migrator.errors import FerryError, Kind
from migrator.files import make_folder, publish, sync_folder
from migrator.interchange.mail_files import records_of
from migrator.message.body import Body
from migrator.message.line_ends import pieces_to_lf, to_crlf
from migrator.model import Digest
from migrator.parse.headers import headers

NAME_LENGTH = 20
"""Characters of a digest that name a file: what ``search`` shows and ``show`` takes."""

_CHUNK = 1 << 20

Sums = dict[Path, str]
"""SHA-256 (hex) of each file that a writer stands for."""


class Writer(Protocol):
    """Writes messages in one form to one place. Raises ``FerryError`` for a message, ``OSError`` for the whole."""

    def has(self, digest: Digest) -> bool:
        """Say whether this message is there, proven; raises ``FerryError`` where another file has its place."""

    def add(self, digest: Digest, body: Body) -> None:
        """Write a message that is not there."""

    def finish(self) -> Sums:
        """Give the files their names; returns every file that holds a message asked for."""

    def close(self) -> None:
        """Let go; what was written is kept for the next time where that is possible."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a folder of files, one per message, is made of messages."""

    folders: tuple[str, ...]
    temporary: str
    final: str
    suffix: str
    encode: Callable[[Iterable[bytes]], Iterable[bytes]]
    decode: Callable[[bytes], bytes]


def _as_it_is(pieces: Iterable[bytes]) -> Iterable[bytes]:
    return pieces


_EML = Shape((), "", "", ".eml", _as_it_is, bytes)
_MAILDIR = Shape(("new", "cur", "tmp"), "tmp", "cur", ".mailferry:2,", pieces_to_lf, to_crlf)


class FilesFolder:
    """A folder with a file for each message, named by its digest."""

    def __init__(self, folder: Path, shape: Shape) -> None:
        """Write into ``folder``, made if it is not there."""
        self._folder = folder
        self._shape = shape
        self._sums: Sums = {}
        self._is_made = False
        self._names = self._listed()

    def _listed(self) -> dict[str, str]:
        """Return the files that are there, by what stands before the flags that a mail reader may have changed."""
        with suppress(FileNotFoundError, NotADirectoryError):
            files = (self._folder / self._shape.final).iterdir()
            return {file.name.partition(":")[0]: file.name for file in files}
        return {}

    def has(self, digest: Digest) -> bool:
        """Say whether this message is there; its file is read and compared."""
        name = self._names.get(self._name(digest).partition(":")[0])
        if name is None:
            return False
        path = self._folder / self._shape.final / name
        canonical, stored = sha256(), sha256()
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                canonical.update(self._shape.decode(piece))
                stored.update(piece)
        if canonical.digest() != digest:
            raise FerryError(Kind.REFUSED, f"{path} exists and is something else; it is not overwritten")
        self._sums[path] = stored.hexdigest()
        return True

    def add(self, digest: Digest, body: Body) -> None:
        """Write a message under a passing name, and name it when it is whole."""
        self._make()
        name = self._name(digest)
        temporary = self._folder / self._shape.temporary / f".{name.partition(':')[0]}.partial"
        final = self._folder / self._shape.final / name
        temporary.unlink(missing_ok=True)
        stored = sha256()
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            for piece in self._shape.encode(checked(digest, body, undo=temporary)):
                stored.update(piece)
                file.write(piece)
        if self._shape is _MAILDIR and (written := date_of(body)) is not None:
            os.utime(temporary, (written, written))  # what mail readers and IMAP servers take for the time of arrival
        _publish(temporary, final, is_durable=False)  # an export syncs everything at its end
        self._sums[final] = stored.hexdigest()

    def _name(self, digest: Digest) -> str:
        return digest.hex()[:NAME_LENGTH] + self._shape.suffix

    def _make(self) -> None:
        if not self._is_made:
            make_folder(self._folder)
            for name in self._shape.folders:
                make_folder(self._folder / name)
            self._is_made = True

    def finish(self) -> Sums:
        """Have the names on the disk."""
        self._make()
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


class MboxFile:
    """One mbox file in mboxrd form. Until it is whole it has ``.partial`` behind its name."""

    def __init__(self, path: Path) -> None:
        """Write ``path``; what an export that was cut short has left is gone through first."""
        self._path = path
        self._partial = path.with_name(f"{path.name}.partial")
        self._file: IO[bytes] | None = None
        self._added = 0
        self._is_named = path.exists()
        self._known = self._found()

    def _found(self) -> set[Digest]:
        """Return what is there whole; from a partial file half a message is cut off."""
        if self._is_named:
            return {record.digest for record in records_of(self._path)}
        if not self._partial.exists():
            return set()
        known: set[Digest] = set()
        end = 0
        for record in records_of(self._partial):
            if record.is_closed:
                known.add(record.digest)
                end = record.end
        os.truncate(self._partial, end)
        return known

    def has(self, digest: Digest) -> bool:
        """Say whether the file holds this message; raises where a finished file lacks it."""
        if digest in self._known:
            return True
        if self._is_named:
            raise FerryError(Kind.REFUSED, f"{self._path} exists without this message", cure="export to another path")
        return False

    def add(self, digest: Digest, body: Body) -> None:
        """Append a message; one that turns out not to be what was asked for is taken off again."""
        file = self._opened()
        begin = file.tell()
        try:
            file.write(_frame(body))
            for piece in mboxrd.encoded(checked(digest, body)):
                file.write(piece)
            file.write(b"\n")
        except BaseException:
            file.seek(begin)
            file.truncate()
            raise
        self._known.add(digest)

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            make_folder(self._path.parent)
            handle = os.open(self._partial, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(handle, "r+b", buffering=_CHUNK)
            self._file.seek(0, os.SEEK_END)
        return self._file

    def finish(self) -> Sums:
        """Make the file durable and give it its name."""
        if not self._is_named:
            self._opened().flush()
            _publish(self._partial, self._path)
        return {self._path: sum_of(self._path)}

    def close(self) -> None:
        """Close the file; a partial one stays, to be gone on with."""
        if self._file is not None:
            self._file.close()


class EmlZip:
    """One zip with a file for each message, and the manifest in it. It is begun again when it was cut short."""

    def __init__(self, path: Path) -> None:
        """Write ``path``."""
        self._path = path
        self._partial = path.with_name(f"{path.name}.partial")
        self._file: IO[bytes] | None = None
        self._zip: zipfile.ZipFile | None = None
        self._is_named = path.exists()
        self._known: dict[str, str] = {}
        if self._is_named:
            with zipfile.ZipFile(path) as existing:
                self._known = dict.fromkeys(existing.namelist(), "")

    def has(self, digest: Digest) -> bool:
        """Say whether a finished zip holds this message; raises where it lacks it, or holds something else."""
        if not self._is_named:
            return False
        name = self._name(digest)
        if name in self._known:
            with zipfile.ZipFile(self._path) as existing, existing.open(name) as member:
                if _sum(member) == digest.hex():
                    return True
        raise FerryError(Kind.REFUSED, f"{self._path} exists without this message", cure="export to another path")

    def add(self, digest: Digest, body: Body) -> None:
        """Add a message."""
        archive = self._opened()
        name = self._name(digest)
        about = zipfile.ZipInfo(name, _zip_time(date_of(body)))
        about.compress_type = zipfile.ZIP_DEFLATED
        about.external_attr = 0o600 << 16
        with archive.open(about, "w", force_zip64=body.octets > 1 << 30) as member:
            for piece in body.chunks():  # was compared with its digest when it was read
                member.write(piece)
        self._known[name] = digest.hex()

    def _opened(self) -> zipfile.ZipFile:
        if self._zip is None:
            make_folder(self._path.parent)
            self._partial.unlink(missing_ok=True)
            handle = os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(handle, "w+b")
            self._zip = zipfile.ZipFile(self._file, "w")
        return self._zip

    def _name(self, digest: Digest) -> str:
        return f"{digest.hex()[:NAME_LENGTH]}.eml"

    def finish(self) -> Sums:
        """Write the manifest and the directory, and give the file its name."""
        if not self._is_named:
            archive = self._opened()
            manifest = "".join(f"{digest}  {name}\n" for name, digest in sorted(self._known.items()))
            archive.writestr("SHA256SUMS", manifest)
            archive.close()
            self._end_file()
            _publish(self._partial, self._path)
        return {self._path: sum_of(self._path)}

    def close(self) -> None:
        """Close the file; a partial one is of no use."""
        if self._zip is not None and self._file is not None:
            self._zip.close()
            self._end_file()
            self._partial.unlink(missing_ok=True)

    def _end_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _publish(whole: Path, path: Path, *, is_durable: bool = True) -> None:
    try:
        publish(whole, path, is_durable=is_durable)
    except FileExistsError as error:
        raise FerryError(Kind.REFUSED, f"{path} exists, and is not overwritten") from error


def checked(digest: Digest, body: Body, *, undo: Path | None = None) -> Iterator[bytes]:
    """Yield a body's bytes, and raise ``mismatch`` at the end if they are not those of the digest."""
    state = sha256()
    for chunk in body.chunks():
        state.update(chunk)
        yield chunk
    if state.digest() != digest:
        if undo:
            undo.unlink(missing_ok=True)
        raise FerryError(Kind.MISMATCH, "the stored copy changed while it was read", cure="see mailferry verify")


def date_of(body: Body) -> int | None:
    """Return when a message was written, by its headers."""
    return headers(next(iter(body.chunks()), b"")).date


def _frame(body: Body) -> bytes:
    beginning = next(iter(body.chunks()), b"")
    written = datetime.fromtimestamp(headers(beginning).date or 0, UTC)
    return mboxrd.frame(mboxrd.envelope_sender(beginning), mboxrd.timestamp(written))


def _zip_time(written: int | None) -> tuple[int, int, int, int, int, int]:
    moment = datetime.fromtimestamp(written or 0, UTC)
    if not 1980 <= moment.year <= 2107:  # what the format can say
        return 1980, 1, 1, 0, 0, 0
    return moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second


def sum_of(path: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with path.open("rb") as file:
        return _sum(file)


def _sum(file: IO[bytes]) -> str:
    state = sha256()
    while piece := file.read(_CHUNK):
        state.update(piece)
    return state.hexdigest()
