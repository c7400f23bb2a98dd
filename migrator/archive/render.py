"""One archived message for a person: found by the beginning of its digest, read, and rendered for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.errors import FerryError, Kind
from migrator.model import Digest
from migrator.parse.headers import headers
from migrator.parse.process import NotParsed, Parser, ShownText
from migrator.ui import sanitize

if TYPE_CHECKING:
    from migrator.archive.reader import ArchiveReader
    from migrator.ledger.archive import ArchiveLedger
    from migrator.message.body import Body

SHORTEST_ID = 8
LONGEST_SHOWN = 96 * 1024 * 1024
"""A longer message is not parsed; its bytes can be had all the same."""

_ID = re.compile(r"[0-9a-f]{8,64}\Z")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as lines that are safe on a terminal: its headers, its text, its attachments."""

    headers: tuple[str, ...]
    text: str
    attachments: tuple[str, ...]
    problem: str = ""


def identified(written: str, ledger: ArchiveLedger) -> Digest:
    """Return the digest that begins like this; raises ``FerryError`` if none or several do."""
    low = written.strip().lower()
    if not _ID.match(low):
        raise FerryError(
            Kind.REFUSED, f"{sanitize.line(written, limit=80)!r} is no id", cure="take one from `mailferry search`"
        )
    found = ledger.contents_like(bytes.fromhex(low.ljust(64, "0")), bytes.fromhex(low.ljust(64, "f")))
    if not found:
        raise FerryError(Kind.REFUSED, f"no archived message has an id that begins with {low}")
    if len(found) > 1:
        longer = ", ".join(content.digest.hex()[:24] for content in found)
        raise FerryError(Kind.REFUSED, f"several ids begin with {low}: {longer}", cure="write more of it")
    return found[0].digest


@contextmanager
def body_of(digest: Digest, reader: ArchiveReader, *, exact: bool) -> Iterator[Body]:
    """Give the digest's bytes from a destination that has them, for the time of the context; raises ``FerryError``.

    Where ``exact`` is false, a verified copy that a server has altered will do.
    """
    with closing(reader.read([digest], exact=exact)) as answers:
        _, body = next(answers)
        if isinstance(body, FerryError):
            raise body
        yield body


def rendered(message: bytes, parser: Parser) -> Rendered:
    """Return a message for a terminal; one that cannot be parsed with its headers and the reason."""
    shown = parser.show(message) if len(message) <= LONGEST_SHOWN else NotParsed("it is too large to be shown")
    if isinstance(shown, NotParsed):
        return Rendered(_header_lines(message), "", (), sanitize.line(shown.reason))
    return Rendered(_header_lines(message), sanitize.text(shown.text).strip("\n"), _attachment_lines(shown))


def _header_lines(message: bytes) -> tuple[str, ...]:
    known = headers(message)
    pairs = (
        ("Date", known.date_text),
        ("From", known.sender),
        ("To", known.to),
        ("Cc", known.cc),
        ("Subject", known.subject),
        ("Message-ID", known.message_id),
    )
    return tuple(f"{name}: {sanitize.line(value)}" for name, value in pairs if value)


def _attachment_lines(shown: ShownText) -> tuple[str, ...]:
    return tuple(
        f"{number}  {attachment_name(one.name, number)}  ({sanitize.line(one.content_type, limit=80)},"
        f" {one.octets:,} bytes)"
        for number, one in enumerate(shown.attachments, 1)
    )


def attachment_name(offered: str, number: int) -> str:
    """Return the safe name of an attachment."""
    return sanitize.file_name(offered, instead=f"attachment-{number}")
