"""One archived message for a person: found by the beginning of its digest, read, and rendered for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.errors import ConfigError, FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.message.arrival_date import DateSource, arrival_date
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

LONGEST_HEADER = 256 * 1024
"""Octets of a message that are read for its date of arrival."""

_ID = re.compile(r"[0-9a-f]{8,64}\Z")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as lines that are safe on a terminal: its headers, its text, its attachments."""

    headers: tuple[str, ...]
    text: str
    attachments: tuple[str, ...]
    problem: str = ""


def identified(written: str, ledger: ArchiveLedger) -> Digest:
    """Return the digest that begins like this; raises ``FerryError`` if none or several do.

    What cannot be the beginning of any is a ``ConfigError``: a slip of the hand.
    """
    low = written.strip().lower()
    if not _ID.match(low):
        shape = f"it has {SHORTEST_ID} or more of the characters 0-9 and a-f"
        raise ConfigError(
            [f"{sanitize.line(written, limit=80)!r} is not an id: {shape}; `mailferry search` shows them"]
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


def rendered(message: bytes, parser: Parser, date_beside: float | None = None) -> Rendered:
    """Return a message for a terminal; one that cannot be parsed with its headers and the reason.

    ``date_beside`` is when it arrived as the From_ line above it says.
    """
    lines = (*_header_lines(message), *_arrival_line(message, date_beside))
    shown = parser.show(message) if len(message) <= LONGEST_SHOWN else NotParsed("it is too large to be shown")
    if isinstance(shown, NotParsed):
        return Rendered(lines, "", (), sanitize.line(shown.reason))
    return Rendered(lines, sanitize.text(shown.text).strip("\n"), _attachment_lines(shown))


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


def _arrival_line(message: bytes, date_beside: float | None) -> Iterator[str]:
    """Yield the date that counts as that of arrival, with what it was taken from; nothing where nothing says it."""
    arrived = arrival_date(message[:LONGEST_HEADER], datetime.now(UTC), date_beside)
    if arrived.source is not DateSource.CLOCK:
        yield f"Arrived: {arrived}"


def _attachment_lines(shown: ShownText) -> tuple[str, ...]:
    return tuple(
        f"{number}  {attachment_name(one.name, number)}  ({sanitize.line(one.content_type, limit=80)},"
        f" {one.octets:,} bytes)"
        for number, one in enumerate(shown.attachments, 1)
    )


def attachment_name(offered: str, number: int) -> str:
    """Return the safe name of an attachment."""
    return sanitize.file_name(offered, instead=f"attachment-{number}")
