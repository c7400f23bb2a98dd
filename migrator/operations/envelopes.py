"""What a person knows a message by: its date, sender and subject, where the search index has them.

The index is asked as it stands; it is neither made nor brought up to date for this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from migrator.model import Digest
    from migrator.search.index import SearchIndex


@dataclass(frozen=True, slots=True)
class Envelope:
    """Date (seconds since the epoch, None where it has no sane one), sender and subject of one message."""

    date: int | None = None
    sender: str = ""
    subject: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the message's fields, null where nothing is known; the date is RFC 3339."""
        return {
            "date": None if self.date is None else datetime.fromtimestamp(self.date, UTC).isoformat(),
            "from": self.sender or None,
            "subject": self.subject or None,
        }


UNKNOWN = Envelope()

Lookup = Callable[[Sequence["Digest"]], Mapping["Digest", Envelope]]
"""Returns the envelopes of those messages of which anything is known."""


@contextmanager
def envelopes_in(state_dir: Path) -> Iterator[Lookup]:
    """Give what looks up envelopes in the search index of a state folder; without an index it knows none."""
    index = _index_in(state_dir)
    if index is None:
        yield lambda _digests: {}
        return
    with closing(index):
        yield lambda digests: {digest: Envelope(*about) for digest, about in index.about(digests).items()}


def _index_in(state_dir: Path) -> SearchIndex | None:
    from migrator.search.index import FILE_NAME, SearchIndex

    if not (state_dir / FILE_NAME).exists():
        return None
    try:
        return SearchIndex.open(state_dir)
    except FerryError:  # what it would say of a message is not worth failing for
        return None
