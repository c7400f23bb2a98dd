"""A large message that becomes a volume of its own without being copied once more.

While it comes it is written as a record into a file without a name, on the archive's own file system: nobody sees it
until it is whole and synced, and it is gone with the process. Then the file is given a volume's name (linkat(2)). Where
a file system cannot do that (no O_TMPFILE, no /proc), the message takes the usual way.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from migrator.destinations.mbox import mboxrd
from migrator.files import Device, create_file, share_decides
from migrator.message.arrival_date import arrival_date
from migrator.message.body import Message
from migrator.message.spool import SpoolFile, disk_errors
from migrator.model import MboxLocator
from migrator.read_back import pieces_of

OWN_VOLUME_FROM = 32 << 20
"""A message of this many octets or more begins a volume, if it came in a file that can become one."""

_WRITE_BACK_OCTETS = 8 << 20


def open_record_file(folder: Path, now: datetime, device: Device) -> RecordFile | None:
    """Open a nameless file beside the volumes, or where their folder will be; None where there are no such files."""
    place = next((place for place in (folder, *folder.parents) if place.is_dir()), None)
    if place is None or not hasattr(os, "O_TMPFILE"):
        return None
    try:
        handle = os.open(place, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    file = RecordFile(folder, handle, now)
    with disk_errors(folder), share_decides():
        device.fchmod(handle, 0o600)
    return file


def own_volume(messages: Sequence[Message]) -> RecordFile | None:
    """Return the file of a message that is to be a volume of its own; None where these are to be appended."""
    if len(messages) != 1 or messages[0].octets < OWN_VOLUME_FROM:
        return None
    body = messages[0].body
    return body if isinstance(body, RecordFile) else None


class RecordFile(SpoolFile):
    """A message under its From_ line, quoted, as a volume has it; ``now`` is when it came if it does not say so."""

    def __init__(self, folder: Path, handle: int, now: datetime) -> None:
        super().__init__(folder, handle)
        self.frame = b""
        self.size = 0
        self._now = now
        self._quoting = mboxrd.Quoting()
        self._written_back = 0

    def write(self, lines: bytes) -> None:
        """Add bytes at the end; raises ``disk-full``."""
        if not self.frame:
            self.frame = _frame_above(lines, self._now)
            self._put(self.frame)
        self._put(self._quoting.add(lines))

    def _put(self, content: bytes) -> None:
        super().write(content)
        self.size += len(content)
        if self.size - self._written_back >= _WRITE_BACK_OCTETS:  # so that the sync at the end has little left to do
            with disk_errors(self._folder):
                os.posix_fadvise(self._handle, self._written_back, 0, os.POSIX_FADV_DONTNEED)
            self._written_back = self.size

    def body(self, octets: int) -> RecordFile:
        """Return what was written, as a body of this many octets in canonical form."""
        self._put(self._quoting.rest + b"\n")
        super().body(octets)
        return self

    def lines(self) -> Iterator[bytes]:
        """Yield what was written; several readers do not disturb one another."""
        return mboxrd.unquoted(self._pieces(len(self.frame), self.size - 1))

    def record(self) -> Iterator[bytes]:
        """Yield the record, its From_ line included."""
        return self._pieces(0, self.size)

    def _pieces(self, begin: int, end: int) -> Iterator[bytes]:
        with disk_errors(self._folder):
            yield from pieces_of(self._handle, begin, end)

    def named(self, path: Path, device: Device) -> int:
        """Sync the file and give it a name, which is not durable yet; return a handle of its own, for appending.

        Where it cannot be given one, what has it is a new file with nothing in it. Raises ``FileExistsError`` where
        the name is taken, and ``OSError``.
        """
        device.fsync(self._handle)
        nameless = f"/proc/self/fd/{self._handle}"
        try:
            handle = os.open(nameless, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError:
            return create_file(path, device)
        folder = -1
        try:
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            device.link(nameless, path.name, dst_dir_fd=folder, follow_symlinks=True)
        except OSError as error:
            os.close(handle)
            if isinstance(error, FileExistsError):
                raise
            return create_file(path, device)
        finally:
            if folder >= 0:
                os.close(folder)
        return handle

    def locator(self, volume: str) -> MboxLocator:
        """Say where the message stands once the file is a volume of this name."""
        return MboxLocator(volume, 0, self.size, zlib.crc32(self.frame))


def _frame_above(lines: bytes, now: datetime) -> bytes:
    """Return the From_ line of a message that begins so."""
    beginning = lines[: mboxrd.SENDER_SEARCH_LIMIT]
    return mboxrd.frame(mboxrd.envelope_sender(beginning), mboxrd.timestamp(arrival_date(beginning, now).moment))
