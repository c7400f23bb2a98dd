"""What stands in a volume that somebody touched, compared with the copies that are known to stand there: pure.

Nothing that is there is stored again, so whatever is whole is known afterwards, wherever it stands now. But what a
fault of the disk or a mail reader made of a known message is no new message: it would travel to other destinations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from migrator.copy_records import Found
from migrator.model import CopyState, Digest, HeaderDigest, Locator, MboxLocator

_Sign = tuple[str, bytes] | tuple[str, int, int]


class KnownRecord(NamedTuple):
    """A copy that the ledger knows in a volume, and how its record is recognised when its content is another one."""

    copy_id: int
    digest: Digest
    header_digest: HeaderDigest
    message_id: bytes
    state: CopyState
    locator: MboxLocator


class Compared(NamedTuple):
    """The outcome. ``moved`` copies stand elsewhere in the volume than known, ``healed`` ones stand there again.

    ``lost`` ones stand nowhere as a record of their own. ``strangers`` are messages of which no copy was known in this
    volume.
    """

    moved: list[Found]
    healed: list[Found]
    lost: list[KnownRecord]
    strangers: list[Found]

    @property
    def is_as_known(self) -> bool:
        """Whether every known copy stands where it stood."""
        return not (self.moved or self.lost)


def compared(known: Sequence[KnownRecord], found: Iterable[Found]) -> Compared:
    """Tell what became of each known copy, and which records are messages that were not known here."""
    copies = {copy.digest: copy for copy in known}
    standing: dict[Digest, Found] = {}
    unknown: list[Found] = []
    for one in found:
        copy = copies.get(one.digest)
        if copy is None:
            unknown.append(one)
        elif one.digest not in standing or one.locator == copy.locator:
            standing[one.digest] = one
    moved = [one for digest, one in standing.items() if one.locator != copies[digest].locator]
    healed = [
        one
        for digest, one in standing.items()
        if one.locator == copies[digest].locator and copies[digest].state in (CopyState.DAMAGED, CopyState.GONE)
    ]
    lost = [copy for copy in known if copy.digest not in standing]
    return Compared(moved, healed, lost, _without_remains(unknown, lost))


def _without_remains(unknown: Sequence[Found], lost: Sequence[KnownRecord]) -> list[Found]:
    """Leave out what is plainly left of a lost copy: a record in its place, or one with its header; one for each."""
    signs: dict[_Sign, list[KnownRecord]] = {}
    for copy in lost:
        for sign in _signs(copy.locator, copy.message_id, copy.header_digest):
            signs.setdefault(sign, []).append(copy)
    explained: set[int] = set()
    strangers: list[Found] = []
    for one in unknown:
        candidates = (
            copy for sign in _signs(one.locator, one.message_id, one.header_digest) for copy in signs.get(sign, ())
        )
        remains = next((copy for copy in candidates if copy.copy_id not in explained), None)
        if remains is None:
            strangers.append(one)
        else:
            explained.add(remains.copy_id)
    return strangers


def _signs(locator: Locator, message_id: bytes, header_digest: HeaderDigest) -> Iterator[_Sign]:
    """Yield what a record is known by when its content is another one: where it stands, and its header."""
    if isinstance(locator, MboxLocator):
        yield "length", locator.offset, locator.length
        yield "frame", locator.offset, locator.frame_crc
    if message_id:
        yield "message-id", message_id
    yield "header", header_digest
