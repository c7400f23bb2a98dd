"""Records of an mbox volume: appending them in few writes, and reading them back from the device.

Both keep memory flat: small messages are gathered into few writes and reads, large ones pass through in pieces. A
record's frame is checked at every reading: its From_ line by CRC-32, its closing line feed, its length.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from migrator.copy_records import PlacedRecord
from migrator.destinations.mbox import mboxrd
from migrator.destinations.mbox.equality import damage_of, equal
from migrator.destinations.mbox.record_file import RecordFile
from migrator.destinations.mbox.volumes import OpenVolume, holds_volumes, regular_file
from migrator.errors import FerryError, Kind
from migrator.files import Device, Step, away_error, storage_error, write_all
from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Body, LinesBody, Message
from migrator.message.dating import moment_of_arrival
from migrator.message.line_ends import StoredBody, beginning_of, lines_of, pieces_of_lines
from migrator.model import Locator, MboxLocator
from migrator.read_back import IO_CHUNK_OCTETS, LONG_CHUNK_OCTETS, open_to_read_back, pieces_of, read_ahead, read_range


def frame_of(message: Message, now: datetime) -> bytes:
    """Return the From_ line of a message; one that does not say when it arrived did so ``now``."""
    beginning = beginning_of(message.body, mboxrd.SENDER_SEARCH_LIMIT)
    arrived = moment_of_arrival(message, beginning, now)
    if isinstance(message.body, RecordFile):
        return message.body.frame  # it was written when the message began to come
    return mboxrd.frame(mboxrd.envelope_sender(beginning), mboxrd.timestamp(arrived))


def record_of(message: Message, frame: bytes) -> Iterator[bytes]:
    """Yield the record of a message under its From_ line; a large one comes in pieces."""
    if isinstance(message.body, RecordFile):
        yield from message.body.record()
        return
    yield frame
    if message.octets <= IO_CHUNK_OCTETS:
        yield mboxrd.quote(lines_of(message.body))
    else:
        yield from mboxrd.quoted(pieces_of_lines(message.body))
    yield b"\n"


class RecordAppender:
    """Appends a batch to one volume. Nothing is durable before the volume's fsync.

    ``locators`` says where the messages added so far stand, or will once ``flush`` has returned.
    """

    def __init__(self, volume: OpenVolume, device: Device, step: Step) -> None:
        self.locators: list[MboxLocator] = []
        self._volume = volume
        self._device = device
        self._step = step
        self._gathered: list[bytes] = []
        self._size = 0
        self._end = volume.end

    def add(self, message: Message, frame: bytes) -> None:
        """Append a message under its From_ line."""
        begin = self._end
        for piece in record_of(message, frame):
            self._put(piece)
        self.locators.append(MboxLocator(self._volume.name, begin, self._end - begin, zlib.crc32(frame)))

    def _put(self, content: bytes) -> None:
        self._gathered.append(content)
        self._size += len(content)
        self._end += len(content)
        if self._size >= self._device.write_size:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the operating system."""
        if not self._gathered:
            return
        write_all(self._volume.handle, b"".join(self._gathered), self._device)
        self._gathered.clear()
        self._size = 0
        self._volume.end = self._end
        self._step("mbox.appending")


READ_AHEAD_FROM = 32 << 20
"""A record of that many bytes is read back by two threads; of smaller ones the next is being received meanwhile."""


@dataclass(frozen=True, slots=True)
class LongBody(StoredBody):
    """A message in a folder whose next piece is read, and its line ends turned, while one is worked on."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the message in canonical form, in pieces of bounded size."""
        return read_ahead(StoredBody.chunks(self))


class RecordReader:
    """Reads records through fresh handles, once the page cache of their volumes has been dropped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handles: dict[str, int | FerryError] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for handle in self._handles.values():
            if isinstance(handle, int):
                os.close(handle)

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        """Yield the canonical form of what stands at each locator, in order, or what is wrong there."""
        for run in runs_of(locators, IO_CHUNK_OCTETS):
            handle = self._opened(run[0].volume)
            if isinstance(handle, FerryError):
                yield from (handle for _ in run)
            elif run[0].length > IO_CHUNK_OCTETS:
                yield self._large(handle, run[0])
            else:
                yield from self._small(handle, run)

    def equal(self, volume: str, records: Sequence[PlacedRecord]) -> Iterator[bool]:
        """Yield of each of these copies, in order, whether just that message stands there; of what is long, no."""
        with suppress(FerryError):
            if isinstance(handle := self._opened(volume), int):
                for run in _side_by_side(records):
                    yield from _equal(handle, run)
                return
        yield from (False for _ in records)

    def _opened(self, volume: str) -> int | FerryError:
        if volume not in self._handles:
            self._handles[volume] = self._open(volume)
        return self._handles[volume]

    def _open(self, volume: str) -> int | FerryError:
        path = self._folder / volume
        try:
            if regular_file(path) is None:
                return self._missing(path)
            return open_to_read_back(path)
        except OSError as error:
            return storage_error(error, f"opening the volume {path}")

    def _missing(self, path: Path) -> FerryError:
        if not holds_volumes(self._folder):
            raise away_error(f"the archive {self._folder}")
        return FerryError(Kind.MISMATCH, f"the volume {path} is missing", cure="bring it back from a backup")

    def _small(self, handle: int, run: Sequence[MboxLocator]) -> Iterator[Body | FerryError]:
        """Read records that stand side by side at once, and cut them."""
        start, end = run[0].offset, run[-1].offset + run[-1].length
        try:
            data = read_range(handle, start, end - start)
        except OSError as error:
            yield from self._small_one_by_one(handle, run, error)
            return
        for locator in run:
            body = body_in(data, locator.offset - start, locator)
            yield self._mismatch(locator, body) if isinstance(body, str) else body

    def _small_one_by_one(self, handle: int, run: Sequence[MboxLocator], error: OSError) -> Iterator[Body | FerryError]:
        """Find out which records of a run a bad spot on the disk has hit; the others can be read all the same."""
        if len(run) == 1:
            yield storage_error(error, f"reading the copy at byte {run[0].offset} of {self._folder / run[0].volume}")
            return
        for locator in run:
            yield from self._small(handle, [locator])

    def _large(self, handle: int, locator: MboxLocator) -> Body | FerryError:
        end = locator.offset + locator.length
        try:
            beginning = read_range(handle, locator.offset, mboxrd.FRAME_LIMIT)
            closing = read_range(handle, end - 1, 1)
            frame_end = beginning.find(b"\n") + 1
            is_short = os.fstat(handle).st_size < end
        except OSError as error:
            return storage_error(error, f"reading the copy at byte {locator.offset} of {self._folder / locator.volume}")
        if damage := damage_of(beginning[:frame_end], closing, 0 if is_short else locator.length, locator):
            return self._mismatch(locator, damage)
        is_long = locator.length >= READ_AHEAD_FROM
        most = LONG_CHUNK_OCTETS if is_long else IO_CHUNK_OCTETS
        content = partial(self._lines, handle, locator.offset + frame_end, end - 1, locator.volume, most)
        return (LongBody if is_long else StoredBody)(content, beginning[:frame_end])

    def _lines(self, handle: int, begin: int, end: int, volume: str, most: int) -> Iterator[bytes]:
        try:
            yield from mboxrd.unquoted(pieces_of(handle, begin, end, most))
        except OSError as error:
            raise storage_error(error, f"reading {self._folder / volume}") from error

    def _mismatch(self, locator: MboxLocator, damage: str) -> FerryError:
        path = self._folder / locator.volume
        return FerryError(
            Kind.MISMATCH,
            f"the copy at byte {locator.offset} of {path} is damaged: {damage}",
            cure="bring the volume back from a backup; the message stays at its source if it is still there",
        )


def body_of(record: bytes, locator: MboxLocator) -> LinesBody | str:
    """Return the message of a record, or what is wrong with its frame."""
    return body_in(record, 0, locator)


def body_in(data: bytes, begin: int, locator: MboxLocator) -> LinesBody | str:
    """Return the message of a record that begins at a place in what was read, or what is wrong with its frame."""
    end = min(begin + locator.length, len(data))
    frame_end = data.find(b"\n", begin, end) + 1
    frame = data[begin:frame_end]
    if damage := damage_of(frame, data[end - 1 : end], end - begin, locator):
        return damage
    return LinesBody(mboxrd.unquote(data[frame_end : end - 1]), frame)


def _equal(handle: int, run: Sequence[PlacedRecord]) -> list[bool]:
    begin, end = run[0].offset, run[-1].offset + run[-1].length
    if end - begin <= IO_CHUNK_OCTETS:
        with suppress(OSError):
            return equal(read_range(handle, begin, end - begin), run)
    return [False] * len(run)


def _side_by_side(records: Sequence[PlacedRecord]) -> Iterator[Sequence[PlacedRecord]]:
    """Group records as ``runs_of`` does."""
    begin = 0
    end, limit = -1, 0
    for number, (_, _, _, offset, length, *_) in enumerate(records):
        if offset != end or end + length > limit:
            if number:
                yield records[begin:number]
            begin, limit = number, offset + IO_CHUNK_OCTETS
        end = offset + length
    if records:
        yield records[begin:]


def runs_of(locators: Sequence[Locator], most: int) -> Iterator[list[MboxLocator]]:
    """Group records that stand side by side, up to ``most`` bytes at once; a longer one stands alone."""
    run: list[MboxLocator] = []
    end, room = -1, 0
    for locator in locators:
        if not isinstance(locator, MboxLocator):
            raise TypeError(f"not a place in an mbox folder: {locator}")
        is_next = locator.offset == end and locator.length <= room
        if run and not (is_next and locator.volume == run[0].volume):
            yield run
            run = []
        if not run:
            room = most
        run.append(locator)
        end = locator.offset + locator.length
        room -= locator.length
    if run:
        yield run
