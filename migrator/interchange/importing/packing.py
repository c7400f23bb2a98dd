"""Compressed files and archives: what stands in them, one member at a time, unpacked into files of our own naming.

gzip, bzip2, xz, zstd (Python 3.14, or the package ``zstandard``), tar and zip. Names from an archive never become
names on the disk. What is damaged is named, and what stands before it is taken.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import IO, cast

from migrator.errors import FerryError, Kind
from migrator.interchange.importing.recognising import BEGINNING_OCTETS, Form, form_of
from migrator.interchange.importing.zstd import open_zstd
from migrator.lazy_dataclasses import dataclass

LEAST_FREE_OCTETS = 64 * 1024 * 1024
"""Room that is left on the disk of the spool."""

DAMAGE = (
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    struct.error,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    EOFError,
)
"""What is raised by archives that are damaged, encrypted, or packed in a way that is not known here."""

_CHUNK = 1 << 20
_NO_MAIL = (Form.EMPTY, Form.BLANK, Form.OTHER, Form.FOREIGN)
_ENCRYPTED = 1
_KNOWN_TO_ZIPFILE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_NAMED = {
    b"\x04\x22\x4d\x18": "it is packed by lz4: unpack it first, with `lz4 -d FILE`",
    b"Dovecot-LZ4": (
        "it is packed by Dovecot with lz4, as only Dovecot reads it:"
        " `doveadm -o plugin/zlib_save= backup -u USER maildir:FOLDER` writes it unpacked"
    ),
    b"\x1f\x9d": "it is packed by compress: unpack it first, with `uncompress FILE`",
}
_NO_ZSTD = "it is packed by zstd: install `mailferry[zstd]`, or unpack it first, with `zstd -d FILE`"


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: its name there, when it was changed, and how its content is read."""

    name: str
    modified: float | None
    copy: Callable[[IO[bytes], bool], None]
    """Writes its content into a file: all of it, or where that is not asked for, only as much as ``poured`` needs."""


class CutError(EOFError):
    """A compressed file ends before its end; what could be unpacked stands in the spool."""


def open_packed(path: Path) -> IO[bytes]:
    """Open a compressed file for reading what it holds; raises ``refused`` where nothing here can unpack it."""
    with path.open("rb") as file:
        magic = file.read(16)
    for known, words in _NAMED.items():
        if magic.startswith(known):
            raise FerryError(Kind.REFUSED, words)
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        if find_spec("compression") is None and find_spec("zstandard") is None:
            raise FerryError(Kind.REFUSED, _NO_ZSTD)
        return open_zstd(path)
    if magic.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return cast("IO[bytes]", bz2.open(path, "rb") if magic.startswith(b"BZh") else lzma.open(path, "rb"))


def open_plain(path: Path) -> IO[bytes]:
    """Open a file that is not compressed."""
    return path.open("rb")


def is_tar(open_stream: Callable[[], IO[bytes]]) -> bool:
    """Say whether what a compressed file holds is a tar."""
    try:
        with open_stream() as stream:
            return form_of(stream.read(BEGINNING_OCTETS)) is Form.TAR
    except (*DAMAGE, OSError, ValueError):
        return False


@contextmanager
def spooled(folder: Path, write: Callable[[IO[bytes]], None]) -> Iterator[Path]:
    """Yield a file in a folder that ``write`` has filled; it is gone afterwards."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="import-") as file:
        write(cast("IO[bytes]", _Bounded(file, folder)))
        file.flush()
        yield Path(file.name)


def poured(stream: IO[bytes], file: IO[bytes], is_all: bool) -> None:  # noqa: FBT001  # a callback's argument
    """Write what a stream gives into a file: no more than its beginning, if that already says that it is no mail.

    Raises ``CutError`` where a compressed stream ends too early: what came stands in the file.
    """
    try:
        beginning = stream.read(BEGINNING_OCTETS)
        file.write(beginning)
        if is_all or form_of(beginning) not in _NO_MAIL:
            shutil.copyfileobj(stream, file, _CHUNK)
    except EOFError as error:
        raise CutError from error


class _Bounded:
    """A file that is written only as long as there is room beside it."""

    def __init__(self, file: IO[bytes], folder: Path) -> None:
        self._file = file
        self._folder = folder
        self._room = 0

    def write(self, data: bytes) -> int:
        if self._room < len(data):
            self._room = shutil.disk_usage(self._folder).free - LEAST_FREE_OCTETS
            if self._room < len(data):
                raise FerryError(
                    Kind.DISK_FULL, f"there is no room in {self._folder} to unpack it", finding="disk-full"
                )
            self._room = min(self._room, 64 * _CHUNK)
        self._room -= len(data)
        return self._file.write(data)


# ----------------------------------------------------------------------------------------------- members


def zip_names(path: Path) -> list[str]:
    """Return the names of all files in a zip."""
    with zipfile.ZipFile(path) as archive:
        return [member.filename for member in archive.infolist() if not member.filename.endswith("/")]


def zip_members(path: Path) -> Iterator[Member]:
    """Yield the files of a zip in order; one that cannot be read raises only when it is copied."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.filename.endswith("/"):  # is_dir() falls over a name of nothing
                yield Member(member.filename, _zip_time(member), partial(_copied, archive, member))


def _copied(archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: IO[bytes], is_all: bool) -> None:  # noqa: FBT001
    if member.flag_bits & _ENCRYPTED:
        raise FerryError(Kind.REFUSED, "it is encrypted: unpack it first")
    if member.compress_type not in _KNOWN_TO_ZIPFILE:
        raise FerryError(
            Kind.REFUSED, "it is packed in a way that is not known here: unpack it first, with `7z x FILE`"
        )
    with archive.open(member) as packed:
        poured(packed, file, is_all)


def _zip_time(member: zipfile.ZipInfo) -> float | None:
    try:
        return datetime(*member.date_time, tzinfo=UTC).timestamp() if member.date_time[0] > 1980 else None
    except ValueError:
        return None


def tar_names(open_stream: Callable[[], IO[bytes]]) -> list[str]:
    """Return the names of the files of a tar, up to where it can be read."""
    names: list[str] = []
    try:
        with open_stream() as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            names += [member.name for member in archive if member.isreg()]
    except (*DAMAGE, OSError, ValueError):
        return names
    return names


def tar_members(open_stream: Callable[[], IO[bytes]]) -> Iterator[Member]:
    """Yield the files of a tar in order; each must be copied before the next is asked for."""
    with open_stream() as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None:
                yield Member(member.name, float(member.mtime), partial(poured, content))


# ---------------------------------------------------------------------------------------------- line ends


def with_line_feeds(path: Path, file: IO[bytes]) -> None:
    """Write a file whose lines end in CR alone with lines that end in LF."""
    with path.open("rb") as content:
        held = b""
        while piece := content.read(_CHUNK):
            text = held + piece
            held = b"\r" if text.endswith(b"\r") else b""
            text = text[:-1] if held else text
            file.write(text.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        file.write(b"\n" if held else b"")


def as_utf8(path: Path, file: IO[bytes]) -> None:
    """Write a file in UTF-16, which begins with its mark, in UTF-8; raises ``refused`` where it is none."""
    with path.open("rb") as binary, io.TextIOWrapper(binary, "utf-16", newline="") as content:
        try:
            while piece := content.read(_CHUNK):
                file.write(piece.encode())
        except (UnicodeError, ValueError) as error:
            raise FerryError(Kind.REFUSED, "it begins as text in UTF-16 does and is none") from error
