"""A message that was set aside beside what it collides with, so that a person can say whether that is fine.

That is the copy which a server altered or damaged, as it stands there now; or what the same source gave under the same
unique-id. Nothing is judged or written. A mailbox is asked only for what stands in no folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

from migrator.archive.render import body_of
from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass
from migrator.message.digest import digest_of
from migrator.model import CopyState
from migrator.parse.headers import Headers, headers
from migrator.parse.process import NotParsed, Parser
from migrator.ui import sanitize
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from migrator.archive.reader import ArchiveFolder, ArchiveReader
    from migrator.config import Account, Config
    from migrator.ledger import Ledger
    from migrator.ledger.history import SetAside
    from migrator.message.body import Body
    from migrator.model import Digest, Locator

LONGEST_READ = 16_000_000
"""Octets of a message that is shown beside another."""
_LONGEST_LINE = 200
_ALTERED = frozenset({CopyState.UNPROVEN, CopyState.DAMAGED})


class Role(StrEnum):
    """What one of the versions is."""

    RETRIEVED = "retrieved"
    """The message as its source gave it."""
    KEPT = "kept"
    """What stands in a destination in its place."""
    SAME_NAME = "same-name"
    """Another message that its source gave under the same unique-id."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version. ``where`` is the destination it was read from; ``problem`` says why there is no text."""

    role: Role
    where: str
    content: bytes
    headers: Headers | None
    text: str
    problem: str = ""

    @property
    def digest(self) -> Digest:
        """The digest of these bytes."""
        return digest_of(self.content)


@dataclass(frozen=True, slots=True)
class Difference:
    """The first line in which two versions differ, counted from 1, with what is no visible ASCII escaped."""

    line: int
    first: str
    second: str


def versions_of(
    message: SetAside, account: Account, config: Config, ledger: Ledger, parser: Parser
) -> tuple[Version, ...]:
    """Return what is there of a message that was set aside, and of what it collides with; nothing if it never came."""
    with open_archive(config, ledger) as reader:
        of_account = reader.only(reader.of(account.name))
        others = [one for one in ledger.archive.sharing_unique_id(message.row) if one != message.digest]
        return tuple(_versions(message, of_account, others, parser))


def _versions(message: SetAside, reader: ArchiveReader, others: list[Digest], parser: Parser) -> Iterator[Version]:
    if message.digest is not None:
        yield _exact(Role.RETRIEVED, message.digest, reader, parser)
        for archive_folder in reader.all:
            copy = archive_folder.copies.find([message.digest]).get(message.digest)
            if copy is not None and copy.locator is not None and copy.state in _ALTERED:
                yield _as_it_stands(archive_folder, copy.locator, parser)
    for digest in others:
        yield _exact(Role.SAME_NAME, digest, reader, parser)


def _exact(role: Role, digest: Digest, reader: ArchiveReader, parser: Parser) -> Version:
    try:
        with body_of(digest, reader, exact=True) as body:
            return _version(role, "", body, parser)
    except FerryError as error:
        return Version(role, "", b"", None, "", error.message)


def _as_it_stands(archive_folder: ArchiveFolder, locator: Locator, parser: Parser) -> Version:
    label = archive_folder.destination.label
    try:
        for body in archive_folder.destination.read([locator]):
            if isinstance(body, FerryError):
                raise body
            return _version(Role.KEPT, label, body, parser)
    except FerryError as error:
        return Version(Role.KEPT, label, b"", None, "", error.message)
    return Version(Role.KEPT, label, b"", None, "", "nothing can be read there")


def _version(role: Role, where: str, body: Body, parser: Parser) -> Version:
    if body.octets > LONGEST_READ:
        return Version(role, where, b"", None, "", f"it is too large to be shown ({body.octets:,} bytes)")
    content = b"".join(body.chunks())
    shown = parser.show(content)
    if isinstance(shown, NotParsed):
        return Version(role, where, content, headers(content), "", shown.reason)
    return Version(role, where, content, headers(content), sanitize.text(shown.text).strip("\n"))


def first_difference(first: bytes, second: bytes) -> Difference | None:
    """Return where two messages begin to differ, None where they are equal."""
    ours, theirs = first.split(b"\r\n"), second.split(b"\r\n")
    for number in range(max(len(ours), len(theirs))):
        one, other = (lines[number] if number < len(lines) else None for lines in (ours, theirs))
        if one != other:
            return Difference(number + 1, _shown(one, other), _shown(other, one))
    return None


def _shown(line: bytes | None, beside: bytes | None) -> str:
    """Return the part of a line that differs from the one beside it, with a little before it."""
    if line is None:
        return ""
    common = next((n for n, pair in enumerate(zip(line, beside or b"", strict=False)) if pair[0] != pair[1]), None)
    start = max(0, (min(len(line), len(beside or b"")) if common is None else common) - _LONGEST_LINE // 2)
    return repr(line[start : start + _LONGEST_LINE])[2:-1]
