"""One archived message as values: its text, headers and attachments, where it came from, where its copies are.

What is not visible for the person who asks is not there. ``MessageReading`` belongs to one thread at a time; an IMAP
mailbox is asked only for what no folder holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.archive.render import LONGEST_HEADER, SHORTEST_ID, attachment_name, body_of
from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.message.arrival_date import DateSource, arrival_date
from migrator.operations.receipts import ReceiptCopy, as_named, labels_in
from migrator.operations.visible import Visible
from migrator.parse.headers import Headers, headers
from migrator.parse.layout import Layout
from migrator.parse.process import NotParsed, Parser, ShownText
from migrator.report import shown_unique_id
from migrator.ui import sanitize
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from migrator.archive.reader import ArchiveReader
    from migrator.config import Config
    from migrator.ledger import Ledger
    from migrator.ledger.archive import NumberedContent, Origin
    from migrator.message.body import Body
    from migrator.model import Digest

LONGEST_READ = 48 * 1024 * 1024
"""Octets of a message that is taken apart; the bytes of a longer one can be had all the same."""
_LONGEST_ID = 64


class NoSuchMessageError(FerryError):
    """No message that may be seen is called this."""

    def __init__(self, written: str) -> None:
        super().__init__(Kind.REFUSED, f"no archived message has the id {sanitize.line(written, limit=80)}")


@dataclass(frozen=True, slots=True)
class ListedAttachment:
    """One attachment. ``name`` is safe for a file, ``number`` what it is asked for by."""

    number: int
    name: str
    content_type: str
    octets: int

    def as_json(self) -> dict[str, object]:
        """Return the attachment's object."""
        return {
            "number": self.number,
            "name": self.name,
            "content_type": self.content_type,
            "octets": self.octets,
        }


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message. ``problem`` says why there is no text; ``layout`` is None where its HTML cannot be shown.

    ``arrived`` is when it arrived and what says so, in words; empty where nothing does.
    """

    digest: Digest
    octets: int
    headers: Headers
    arrived: str
    text: str
    attachments: tuple[ListedAttachment, ...]
    layout: Layout | None
    problem: str
    accounts: tuple[str, ...]
    origins: tuple[Origin, ...]
    copies: tuple[ReceiptCopy, ...]

    def as_json(self) -> dict[str, object]:
        """Return the message's object; times are RFC 3339, and null where they are not known."""
        known = self.headers
        return {
            "id": self.digest.hex()[:20],
            "digest": self.digest.hex(),
            "octets": self.octets,
            "accounts": list(self.accounts),
            "date": _moment(known.date),
            "from": known.sender,
            "to": known.to,
            "cc": known.cc,
            "subject": known.subject,
            "message_id": known.message_id,
            "arrived": self.arrived or None,
            "text": self.text,
            "problem": self.problem or None,
            "attachments": [one.as_json() for one in self.attachments],
            "sources": [_origin_as_json(one) for one in self.origins],
            "copies": [one.as_json() for one in self.copies],
        }


@dataclass(frozen=True, slots=True)
class AttachmentContent:
    """An attachment with its decoded bytes; ``name`` is safe for a file."""

    name: str
    content: bytes


class MessageReading:
    """An open archive, of which one message after the other can be read."""

    def __init__(self, config: Config, ledger: Ledger, reader: ArchiveReader, visible: Visible) -> None:
        """Read for a person who may see what ``visible`` says."""
        self._config = config
        self._ledger = ledger
        self._reader = reader
        self._visible = visible

    def digest_of(self, written: str) -> Digest:
        """Return the message that is called like this: its digest, or a beginning of it that is its own.

        Raises ``NoSuchMessageError`` for none, and for one that may not be seen as well.
        """
        low = written.lower()
        if not SHORTEST_ID <= len(low) <= _LONGEST_ID or low.strip("0123456789abcdef"):
            raise NoSuchMessageError(written)
        first, last = bytes.fromhex(low.ljust(_LONGEST_ID, "0")), bytes.fromhex(low.ljust(_LONGEST_ID, "f"))
        found = [one for one in self._ledger.archive.contents_like(first, last) if self._is_visible(one)]
        if len(found) != 1:
            raise NoSuchMessageError(written)
        return found[0].digest

    def _is_visible(self, content: NumberedContent) -> bool:
        return self._visible.includes(self._owners(content.digest))

    def _owners(self, digest: Digest) -> tuple[str, ...]:
        seen_by = self._ledger.archive.owners([digest]).get(digest)
        return tuple(seen_by) if seen_by else self._reader.accounts_of([digest])[digest]

    @contextmanager
    def body(self, written: str, *, exact: bool) -> Iterator[tuple[Digest, Body]]:
        """Give a message's bytes for the time of the context; raises ``FerryError``.

        With ``exact`` they are those of the digest; else a verified copy that a server has altered will do.
        """
        digest = self.digest_of(written)
        with body_of(digest, self._reader, exact=exact) as body:
            yield digest, body

    def view(self, written: str, parser: Parser) -> MessageView:
        """Return a message as a person reads it; what cannot be parsed comes with its headers and the reason."""
        with self.body(written, exact=False) as (digest, body):
            octets = body.octets
            is_read_whole = octets <= LONGEST_READ
            content = _whole(body) if is_read_whole else _beginning(body)
        shown: ShownText | NotParsed = NotParsed(f"it is too large to be shown ({octets:,} bytes)")
        layout: Layout | NotParsed = Layout()
        if is_read_whole:
            shown, layout = parser.show(content), parser.layout(content)
        owners = self._owners(digest)
        return MessageView(
            digest,
            octets,
            headers(content),
            _arrival(content),
            "" if isinstance(shown, NotParsed) else sanitize.text(shown.text).strip("\n"),
            () if isinstance(shown, NotParsed) else _listed(shown),
            None if isinstance(layout, NotParsed) else layout,
            shown.reason if isinstance(shown, NotParsed) else "",
            self._visible.named(owners),
            tuple(one for one in self._ledger.archive.origins(digest) if self._visible.includes([one.account])),
            self._copies(digest),
        )

    def _copies(self, digest: Digest) -> tuple[ReceiptCopy, ...]:
        """Return where its copies are, among the destinations of accounts that may be seen."""
        labels = labels_in(self._config)
        own = {one.destination.identity for one in self._reader.all if self._visible.includes(one.accounts)}
        copies = self._ledger.receipts.copies([digest]).get(digest, [])
        return tuple(
            as_named(copy, labels) for copy in copies if self._visible.accounts is None or copy.destination in own
        )

    def layout(self, written: str, parser: Parser, *, loads_pictures: bool = False) -> Layout:
        """Return a message as its sender laid it out, harmless; raises ``FerryError`` where that cannot be."""
        result = parser.layout(self._content(written), loads_pictures=loads_pictures)
        if isinstance(result, NotParsed):
            raise FerryError(Kind.REFUSED, f"this layout cannot be shown: {result.reason}")
        return result

    def attachment(self, written: str, number: int, parser: Parser) -> AttachmentContent:
        """Return one attachment, counted from 1 as ``view`` lists them; raises ``NoSuchMessageError`` for none."""
        message = self._content(written)
        shown = parser.show(message)
        if isinstance(shown, NotParsed):
            raise FerryError(Kind.REFUSED, f"attachments cannot be taken out: {shown.reason}")
        if not 1 <= number <= len(shown.attachments):
            raise NoSuchMessageError(f"{written} with an attachment {number}")
        content = parser.attachment(message, number)
        if isinstance(content, NotParsed):
            raise FerryError(Kind.REFUSED, f"attachment {number} cannot be taken out: {content.reason}")
        return AttachmentContent(attachment_name(shown.attachments[number - 1].name, number), content)

    def _content(self, written: str) -> bytes:
        with self.body(written, exact=False) as (_, body):
            if body.octets > LONGEST_READ:
                raise FerryError(Kind.TOO_LARGE, f"this message has {body.octets:,} bytes, too many to be taken apart")
            return _whole(body)


@contextmanager
def reading_messages(config: Config, ledger: Ledger, visible: Visible) -> Iterator[MessageReading]:
    """Give the archive to read messages from, as far as they may be seen."""
    with open_archive(config, ledger) as reader:
        yield MessageReading(config, ledger, reader, visible)


def open_to_stream(
    written: str, config: Config, ledger: AbstractContextManager[Ledger], visible: Visible
) -> tuple[Digest, Body, ExitStack]:
    """Return a message's digest and exact bytes, and what to close once they were read; raises ``FerryError``."""
    with ExitStack() as stack:
        reading = stack.enter_context(reading_messages(config, stack.enter_context(ledger), visible))
        digest, body = stack.enter_context(reading.body(written, exact=True))
        return digest, body, stack.pop_all()


def _whole(body: Body) -> bytes:
    return b"".join(body.chunks())


def _beginning(body: Body) -> bytes:
    held = b""
    for chunk in body.chunks():
        held += chunk
        if len(held) >= LONGEST_HEADER:
            break
    return held[:LONGEST_HEADER]


def _arrival(message: bytes) -> str:
    arrived = arrival_date(message[:LONGEST_HEADER], datetime.now(UTC))
    return "" if arrived.source is DateSource.CLOCK else str(arrived)


def _listed(shown: ShownText) -> tuple[ListedAttachment, ...]:
    return tuple(
        ListedAttachment(
            number, attachment_name(one.name, number), sanitize.line(one.content_type, limit=80), one.octets
        )
        for number, one in enumerate(shown.attachments, 1)
    )


def _origin_as_json(origin: Origin) -> dict[str, object]:
    return {
        "account": origin.account,
        "host": origin.host,
        "username": origin.username,
        "unique_id": shown_unique_id(origin.unique_id),
        "first_seen": _moment(origin.first_seen),
        "copied_at": _moment(origin.copied_at),
        "gone_at": _moment(origin.gone_at),
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
