"""What goes into the search index, and what comes out of it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from migrator.model import Digest
    from migrator.parse.headers import Headers
    from migrator.search.cursor import Cursor

SHOWN_ID = 20
"""Characters of a digest that are shown as a message's id."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index gets to know of one message; the words are folded. ``problem`` says why it could not be read."""

    digest: Digest
    octets: int
    headers: Headers
    words: tuple[str, str, str, str, str, str, str]
    attachments: int
    accounts: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """One message found. ``accounts`` are those it belongs to; ``date`` is None where it has no sane one."""

    digest: Digest
    accounts: tuple[str, ...]
    date: int | None
    sender: str
    recipients: str
    subject: str
    octets: int
    problem: str

    @property
    def shown_id(self) -> str:
        """What a message is called by in a list; any beginning of its digest that is its own does as well."""
        return self.digest.hex()[:SHOWN_ID]

    def as_json(self) -> dict[str, object]:
        """Return the hit's object; its date is RFC 3339 or null."""
        return {
            "id": self.shown_id,
            "account": self.accounts[0] if self.accounts else None,
            "accounts": list(self.accounts),
            "date": None if self.date is None else datetime.fromtimestamp(self.date, UTC).isoformat(),
            "from": self.sender,
            "to": self.recipients,
            "subject": self.subject,
            "octets": self.octets,
            "digest": self.digest.hex(),
            "problem": self.problem or None,
        }


@dataclass(frozen=True, slots=True)
class Page:
    """What was found: ``hits`` of ``total`` messages, or of more where ``is_more`` says so, the newest first.

    ``following`` is behind what the next page begins; there is none behind the last.
    """

    total: int
    is_more: bool
    hits: list[Hit]
    following: Cursor | None


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far the index has followed a ledger: the number of the last content looked at, and what that ledger is."""

    number: int = 0
    fingerprint: bytes = b""
    sightings: float = 0.0
