"""A batch as one object, before it leaves: its records in a nameless file or in memory, its name, its places."""

from __future__ import annotations

import os
import tempfile
import zlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import md5, sha256
from pathlib import Path
from typing import IO

from migrator.destinations.mbox.records import frame_of, record_of
from migrator.destinations.mbox.volumes import TAIL
from migrator.destinations.s3.store import ENDING
from migrator.files import make_folder, storage_error
from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Message
from migrator.model import MboxLocator

MEMORY_OCTETS = 8 << 20
"""A larger object waits in a file without a name, which is gone with the process."""


@dataclass(frozen=True, slots=True)
class BuiltObject:
    """A batch as it is to be stored. ``digest`` names it; ``tail_digest`` and ``md5`` (in base64) are of the same."""

    content: IO[bytes]
    octets: int
    digest: bytes
    tail_digest: bytes
    md5: str
    frames: tuple[tuple[int, int, int], ...]

    @property
    def name(self) -> str:
        """What it is called: equal bytes have equal names, wherever and whenever they were put together."""
        return f"{self.digest.hex()}{ENDING}"

    def locators(self, name: str) -> tuple[MboxLocator, ...]:
        """Return where each message stands, in order, once the object stands under a name."""
        return tuple(MboxLocator(name, *place) for place in self.frames)

    def close(self) -> None:
        """Let go of the bytes."""
        self.content.close()


def build(messages: Sequence[Message], folder: Path, now: datetime) -> BuiltObject:
    """Put the records of a batch together; raises ``disk-full`` where ``folder`` has no room for them.

    A message that does not say when it arrived gets the beginning of the day, so that a batch that is stored again the
    same day has the same bytes and the same name.
    """
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with _disk_errors(folder):
        make_folder(folder)
        content = tempfile.SpooledTemporaryFile(MEMORY_OCTETS, dir=str(folder))  # noqa: SIM115  # outlives this
        try:
            return _written(messages, day, content)
        except BaseException:
            content.close()
            raise


def _written(messages: Sequence[Message], day: datetime, content: IO[bytes]) -> BuiltObject:
    whole, quick = sha256(), md5(usedforsecurity=False)
    places: list[tuple[int, int, int]] = []
    end = 0
    for message in messages:
        begin, frame = end, frame_of(message, day)
        for piece in record_of(message, frame):
            content.write(piece)
            whole.update(piece)
            quick.update(piece)
            end += len(piece)
        places.append((begin, end - begin, zlib.crc32(frame)))
    content.seek(max(0, end - TAIL), os.SEEK_SET)
    tail = sha256(content.read(TAIL)).digest()
    return BuiltObject(content, end, whole.digest(), tail, b64encode(quick.digest()).decode(), tuple(places))


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(error, f"putting an object together in {folder}", read_only="state-read-only") from error
