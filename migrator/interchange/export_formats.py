"""What every form of an export keeps to, and the forms that are one file: an mbox file, a zip of files.

A writer proves what it finds from an export that was cut short, and writes each message so that no half of one ever
has the name of a whole one. Bytes are compared with the digest while they are written. What is under way is a plain
file of our own: no link is ever written through (``open_partial``). The folders of files are in ``export_folders``.
"""

from __future__ import annotations

import errno
import os
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Protocol

from migrator.destinations.mbox import mboxrd
from migrator.errors import FerryError, Kind
from migrator.files import is_regular_file, make_folder, publish
from migrator.interchange.mail_files import records_of
from migrator.message.arrival_date import DateSource, arrival_date
from migrator.message.body import Body
from migrator.message.dating import date_beside
from migrator.model import Digest
from migrator.parse.headers import headers

NAME_LENGTH = 20
"""Characters of a digest that name a file: what ``search`` shows and ``show`` takes."""

CHUNK = 1 << 20
"""How many bytes are read or written at once."""

_NO_DATE = datetime.fromtimestamp(0, UTC)
_UNDER_WAY = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC

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


class MboxFile:
    """One mbox file in mboxrd form. Until it is whole it has ``.partial`` behind its name."""

    def __init__(self, path: Path) -> None:
        """Write ``path``; what an export that was cut short has left is gone through first."""
        self._path = path
        self._partial = path.with_name(f"{path.name}.partial")
        self._file: IO[bytes] | None = None
        self._is_named = path.exists()
        self._known = self._found()

    def _found(self) -> set[Digest]:
        """Return what is there whole; from a partial file half a message is cut off."""
        if self._is_named:
            return {record.digest for record in records_of(self._path)}
        if not os.path.lexists(self._partial):
            return set()
        file = self._opened()
        known: set[Digest] = set()
        end = 0
        if os.fstat(file.fileno()).st_size:
            for record in records_of(self._partial):
                if record.is_closed:
                    known.add(record.digest)
                    end = record.end
        file.truncate(end)
        file.seek(end)
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
            self._file = os.fdopen(open_partial(self._partial), "r+b", buffering=CHUNK)
            self._file.seek(0, os.SEEK_END)
        return self._file

    def finish(self) -> Sums:
        """Make the file durable and give it its name."""
        if not self._is_named:
            self._opened().flush()
            publish_new(self._partial, self._path)
        forget_twin(self._partial, self._path)
        return {self._path: sum_of(self._path)}

    def close(self) -> None:
        """Close the file; a partial one stays, to be gone on with."""
        if self._file is not None:
            with suppress(OSError):  # it could not be written before, which is known by now
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
            publish_new(self._partial, self._path)
        forget_twin(self._partial, self._path)
        return {self._path: sum_of(self._path)}

    def close(self) -> None:
        """Close the file; a partial one is of no use."""
        if self._zip is not None and self._file is not None:
            for close in (self._zip.close, self._file.close):
                with suppress(OSError, ValueError):  # as above
                    close()
            self._file = None
            self._partial.unlink(missing_ok=True)

    def _end_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def publish_new(whole: Path, path: Path, *, is_durable: bool = True) -> None:
    """Give a file that is whole its name; raises ``refused`` where something else has that name already."""
    try:
        publish(whole, path, is_durable=is_durable)
    except FileExistsError as error:
        raise FerryError(Kind.REFUSED, f"{path} exists, and is not overwritten") from error


def forget_twin(partial: Path, path: Path) -> None:
    """Remove the passing name of a file that has its own: a crash between the two left it both."""
    if partial.exists() and partial.samefile(path):
        partial.unlink()


def open_partial(path: Path) -> int:
    """Open the file of an export that was cut short to go on with it, or begin it (0600); raises ``OSError``.

    A link, or a file that another user made or has under another name, is not written to: its name is given to a new
    file, and what it leads to stays as it is.
    """
    for _ in range(2):
        try:
            return os.open(path, os.O_CREAT | os.O_EXCL | _UNDER_WAY, 0o600)
        except FileExistsError:
            if (handle := _opened_again(path)) is not None:
                return handle
            path.unlink(missing_ok=True)
    return os.open(path, os.O_CREAT | os.O_EXCL | _UNDER_WAY, 0o600)


def _opened_again(path: Path) -> int | None:
    try:
        handle = os.open(path, _UNDER_WAY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENOENT):  # a link, a pipe, or gone by now
            return None
        raise
    status = os.fstat(handle)
    if is_regular_file(status) and status.st_nlink == 1 and status.st_uid == os.geteuid():
        return handle
    os.close(handle)
    return None


def checked(digest: Digest, body: Body) -> Iterator[bytes]:
    """Yield a body's bytes, and raise ``mismatch`` at the end if they are not those of the digest."""
    state = sha256()
    for chunk in body.chunks():
        state.update(chunk)
        yield chunk
    if state.digest() != digest:
        raise FerryError(Kind.MISMATCH, "the stored copy changed while it was read", cure="see mailferry verify")


def date_of(body: Body) -> int | None:
    """Return when a message was written, by its headers."""
    return headers(next(iter(body.chunks()), b"")).date


def arrival_of(body: Body) -> datetime | None:
    """Return when a message arrived, by its headers or the From_ line above it; None where neither says."""
    arrived = arrival_date(next(iter(body.chunks()), b""), datetime.now(UTC), date_beside(body))
    return None if arrived.source is DateSource.CLOCK else arrived.moment


def _frame(body: Body) -> bytes:
    """Return the From_ line: what arrived nobody knows when is of 1970, so that an export is the same at any time."""
    beginning = next(iter(body.chunks()), b"")
    return mboxrd.frame(mboxrd.envelope_sender(beginning), mboxrd.timestamp(arrival_of(body) or _NO_DATE))


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
    while piece := file.read(CHUNK):
        state.update(piece)
    return state.hexdigest()
