"""Find archived messages, in an index that first follows the ledger.

What stands in the way of that is part of the answer, and the search goes on with what the index has.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from migrator.errors import ConfigError, FerryError
from migrator.report import OnProgress, no_progress
from migrator.search.index import Hit, SearchIndex
from migrator.search.query import Calendar, Query, QueryError, parse
from migrator.wiring.archive import SEARCH_PATIENCE, bring_up_to_date, open_archive

if TYPE_CHECKING:
    from migrator.config import Config
    from migrator.ledger import Ledger
    from migrator.model import Digest


@dataclass(frozen=True, slots=True)
class IndexState:
    """What the index lacks: ``unread`` counts messages by why they cannot be searched yet.

    ``is_busy`` says that another process is indexing, ``error`` why the index could not be brought up to date.
    """

    unread: Mapping[str, int] = field(default_factory=dict)
    is_busy: bool = False
    error: FerryError | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found: ``hits`` are the newest of ``total``."""

    total: int = 0
    hits: tuple[Hit, ...] = ()
    index: IndexState = IndexState()

    def as_json(self) -> dict[str, object]:
        """Return the numbers and hits of the search's document."""
        return {"total": self.total, "hits": [hit.as_json() for hit in self.hits]}


@dataclass(frozen=True, slots=True)
class Matches:
    """The contents that a query finds; ``digests`` is None where there was no query: everything."""

    digests: set[Digest] | None = None
    index: IndexState = IndexState()


def parse_query(written: str, today: date | None = None) -> Query:
    """Return what a query means; raises ``ConfigError`` in words for a person."""
    try:
        return parse(written, Calendar(today or date.today()))  # noqa: DTZ011  # "today" is that of the person who asks
    except QueryError as error:
        raise ConfigError([f"query: {error}"]) from error


def search(
    query: Query,
    config: Config,
    ledger: Ledger,
    *,
    limit: int | None = None,
    patience: float = SEARCH_PATIENCE,
    on_progress: OnProgress = no_progress,
) -> SearchResult:
    """Find messages, newest first and at most ``limit``; ``on_progress`` hears of the indexing before.

    Another process that indexes is waited for ``patience`` seconds.
    """
    with closing(SearchIndex.open(config.state_dir)) as index:
        state = _refresh(index, config, ledger, patience, on_progress)
        total, hits = index.search(query, limit=limit)
        return SearchResult(total, tuple(hits), state)


def find_digests(
    written: str | None, config: Config, ledger: Ledger, *, on_progress: OnProgress = no_progress
) -> Matches:
    """Return which contents a query finds, for what is to be done with them; raises ``ConfigError``."""
    if written is None:
        return Matches()
    query = parse_query(written)
    with closing(SearchIndex.open(config.state_dir)) as index:
        state = _refresh(index, config, ledger, SEARCH_PATIENCE, on_progress)
        return Matches(index.digests(query), state)


def _refresh(
    index: SearchIndex, config: Config, ledger: Ledger, patience: float, on_progress: OnProgress
) -> IndexState:
    try:
        with open_archive(config, ledger) as reader:
            followed = bring_up_to_date(
                index, ledger, reader, config.state_dir, patience=patience, on_progress=on_progress
            )
    except FerryError as error:
        return IndexState(error=error)
    return IndexState(is_busy=True) if followed is None else IndexState(followed.unread)
