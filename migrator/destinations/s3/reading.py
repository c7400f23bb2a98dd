"""Reading objects back: records by ranges, many in one request, and a whole object through a window."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from migrator.copy_records import Found
from migrator.destinations.identify import found_at, found_in_pieces
from migrator.destinations.mbox import mboxrd
from migrator.destinations.mbox.equality import damage_of
from migrator.destinations.mbox.mboxrd import Span
from migrator.destinations.mbox.records import body_of, runs_of
from migrator.destinations.s3.failures import StoreError
from migrator.destinations.s3.store import PIECE_OCTETS, ObjectStore
from migrator.errors import FerryError, Kind
from migrator.message.body import Body, LinesBody
from migrator.message.line_ends import StoredBody
from migrator.model import Locator, MboxLocator

RANGE_OCTETS = 4 << 20
"""How much is asked for at once: the more, the fewer requests; it is held in memory."""

_WINDOWS = 3


def read_records(
    store: ObjectStore, locators: Sequence[Locator], away: Callable[[], FerryError]
) -> Iterator[Body | FerryError]:
    """Yield the canonical form of what stands at each locator, in order, or what is wrong there.

    What keeps the store as a whole from answering is raised, for it says nothing of any copy; so is ``away`` where
    nothing stands there at all.
    """
    is_looked_at = False
    for run in runs_of(locators, RANGE_OCTETS):
        try:
            if run[0].length > RANGE_OCTETS:
                yield _large(store, run[0])
                continue
            start = run[0].offset
            data = store.read(run[0].volume, start, run[-1].offset + run[-1].length - start)
        except StoreError as error:
            if not error.is_absent:
                raise
            if not is_looked_at and next(store.listing(), None) is None:
                raise away() from error
            is_looked_at = True
            yield from (missing(store, run[0].volume) for _ in run)
            continue
        for locator in run:
            begin = locator.offset - start
            body = body_of(data[begin : begin + locator.length], locator)
            yield _mismatch(store, locator, body) if isinstance(body, str) else _in_pieces(body)


def _in_pieces(body: LinesBody) -> Body:
    """Return a message as one that comes in pieces where it is large."""
    return body if len(body.lines) <= PIECE_OCTETS else StoredBody(partial(_cut, body.lines), body.envelope)


def _cut(data: bytes) -> Iterator[bytes]:
    return (data[start : start + PIECE_OCTETS] for start in range(0, len(data), PIECE_OCTETS))


def missing(store: ObjectStore, name: str) -> FerryError:
    """Return the error of copies whose object is not there."""
    cure = "bring it back: a bucket with versioning still has it; or repair stores again what stood in it"
    return FerryError(Kind.MISMATCH, f"the object {store.url(name)} is missing", cure=cure)


def _large(store: ObjectStore, locator: MboxLocator) -> Body | FerryError:
    beginning = store.read(locator.volume, locator.offset, mboxrd.FRAME_LIMIT)
    closing = store.read(locator.volume, locator.offset + locator.length - 1, 1)
    frame_end = beginning.find(b"\n") + 1
    if damage := damage_of(beginning[:frame_end], closing, locator.length if closing else 0, locator):
        return _mismatch(store, locator, damage)
    begin, end = locator.offset + frame_end, locator.offset + locator.length - 1
    return StoredBody(partial(_lines, store, locator.volume, begin, end), beginning[:frame_end])


def _lines(store: ObjectStore, name: str, begin: int, end: int) -> Iterator[bytes]:
    try:
        yield from mboxrd.unquoted(pieces(store, name, begin, end))
    except StoreError as error:
        if error.is_absent:
            raise missing(store, name) from error
        raise


def pieces(store: ObjectStore, name: str, begin: int, end: int) -> Iterator[bytes]:
    """Yield a range of an object in pieces; ends early where the object does."""
    while begin < end and (data := store.read(name, begin, min(RANGE_OCTETS, end - begin))):
        yield from _cut(data)
        begin += len(data)


def _mismatch(store: ObjectStore, locator: MboxLocator, damage: str) -> FerryError:
    return FerryError(
        Kind.MISMATCH,
        f"the copy at byte {locator.offset} of {store.url(locator.volume)} is damaged: {damage}",
        cure="bring the object back: a bucket with versioning still has it; or repair stores again what stood in it",
    )


class Window:
    """An object as something to read anywhere: what was read last is kept, so that reading on costs few requests."""

    def __init__(self, store: ObjectStore, name: str, octets: int) -> None:
        self._store = store
        self._name = name
        self._octets = octets
        self._kept: dict[int, bytes] = {}

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from a place on; fewer only where the object ends."""
        end = min(offset + size, self._octets)
        parts: list[bytes] = []
        while offset < end:
            block = offset - offset % RANGE_OCTETS
            part = self._block(block)[offset - block : end - block]
            if not part:
                break
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def _block(self, start: int) -> bytes:
        if start not in self._kept:
            while len(self._kept) >= _WINDOWS:
                del self._kept[next(iter(self._kept))]
            self._kept[start] = self._store.read(self._name, start, min(RANGE_OCTETS, self._octets - start))
        return self._kept[start]

    def pieces(self, begin: int, end: int) -> Iterator[bytes]:
        """Yield a range in pieces."""
        while begin < end and (piece := self.read(begin, min(PIECE_OCTETS, end - begin))):
            yield piece
            begin += len(piece)

    def found(self, span: Span) -> Found:
        """Read one record and say which message it is."""
        beginning = self.read(span.offset, min(PIECE_OCTETS, span.length))
        frame_end = beginning.index(b"\n") + 1
        locator = MboxLocator(self._name, span.offset, span.length, zlib.crc32(beginning[:frame_end]))
        if span.length <= PIECE_OCTETS:
            return found_at(locator, mboxrd.decode(beginning[frame_end : span.length - 1]))
        return found_in_pieces(locator, mboxrd.decoded(self.pieces(span.offset + frame_end, span.end - 1)))
