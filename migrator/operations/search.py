"""Find archived messages, in an index that first follows the ledger.

What stands in the way of that is part of the answer, and the search goes on with what the index has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.errors import ConfigError, FerryError
from migrator.files import storage_error
from migrator.lazy_dataclasses import dataclass, field
from migrator.ledger.sqlite.read_only import copied_database
from migrator.operations.visible import EVERYTHING, Visible
from migrator.report import OnProgress, no_progress
from migrator.search.cursor import Cursor, CursorError
from migrator.search.entries import Hit
from migrator.search.index import FILE_NAME, SearchIndex
from migrator.search.query import Calendar, Query, QueryError, parse, remarks
from migrator.wiring.archive import SEARCH_PATIENCE, bring_up_to_date, is_far_behind, is_up_to_date, open_archive

if TYPE_CHECKING:
    from migrator.config import Config
    from migrator.ledger import Ledger
    from migrator.model import Digest


PAGE_PATIENCE = 0.1
"""Seconds that a page of hits waits for somebody else who indexes."""
TAKEN_IN = 100
"""New messages that are indexed before a page of hits is shown; of more it is said that they may be missing."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """What the index lacks: ``unread`` counts messages by why they cannot be searched yet.

    ``is_busy`` says that others are being indexed, or should be, ``error`` why the index was not brought up to date.
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
class SearchPage:
    """One page of what was found, newest first; ``following`` is what the next begins with, empty behind the last.

    ``total`` were found, or more where ``is_more`` says so.
    """

    total: int
    hits: tuple[Hit, ...]
    following: str = ""
    index: IndexState = IndexState()
    is_more: bool = False

    def as_json(self) -> dict[str, object]:
        """Return the numbers, hits and cursor of the page's document."""
        hits = [hit.as_json() for hit in self.hits]
        return {"total": self.total, "hits": hits, "cursor": self.following or None}


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


def remarks_on(written: str) -> list[str]:
    """Return what a person should hear of a query that ``parse_query`` takes: what it was not taken for."""
    return remarks(written)


def search(
    query: Query,
    config: Config,
    ledger: Ledger,
    *,
    limit: int | None = None,
    patience: float = SEARCH_PATIENCE,
    on_progress: OnProgress = no_progress,
    on_rebuild: OnProgress = no_progress,
) -> SearchResult:
    """Find messages, newest first and at most ``limit``; ``on_progress`` hears of the indexing before.

    Another process that indexes is waited for ``patience`` seconds. An index of another version is built again;
    ``on_rebuild`` hears before of how many messages it was.
    """
    with _index(config, ledger, patience, on_progress, on_rebuild) as (index, state):
        total, hits = index.search(query, limit=limit)
        return SearchResult(total, tuple(hits), state)


def search_page(
    query: Query,
    config: Config,
    ledger: Ledger,
    *,
    visible: Visible = EVERYTHING,
    cursor: str = "",
    limit: int = 50,
    most: int | None = None,
) -> SearchPage:
    """Find messages of what may be seen, a page of at most ``limit``; ``cursor`` is what an earlier page gave.

    No more than ``most`` are counted, where counting takes its time.
    Another that indexes is waited for briefly. Raises ``ConfigError`` for a cursor that is none.
    """
    try:
        after = Cursor.read(cursor) if cursor else None
    except CursorError as error:
        raise ConfigError([f"cursor: {error}"]) from error
    with _index(config, ledger, PAGE_PATIENCE, no_progress, no_progress, TAKEN_IN) as (index, state):
        page = index.page(visible.restricted(query), limit=limit, after=after, most=most)
        shown = tuple(visible.of_hit(hit) for hit in page.hits)
        return SearchPage(page.total, shown, str(page.following or ""), state, page.is_more)


def find_digests(
    written: str | None,
    config: Config,
    ledger: Ledger,
    *,
    on_progress: OnProgress = no_progress,
    on_rebuild: OnProgress = no_progress,
) -> Matches:
    """Return which contents a query finds, for what is to be done with them; raises ``ConfigError``."""
    if written is None:
        return Matches()
    query = parse_query(written)
    with _index(config, ledger, SEARCH_PATIENCE, on_progress, on_rebuild) as (index, state):
        return Matches(index.digests(query), state)


@contextmanager
def _index(
    config: Config,
    ledger: Ledger,
    patience: float,
    on_progress: OnProgress,
    on_rebuild: OnProgress,
    most: int | None = None,
) -> Iterator[tuple[SearchIndex, IndexState]]:
    """Give the index, brought up to date; where its folder cannot be written, a copy that is gone afterwards."""
    with ExitStack() as stack:
        folder = config.state_dir
        if ledger.is_read_only:
            from tempfile import TemporaryDirectory

            place = stack.enter_context(TemporaryDirectory(prefix="mailferry-"))
            folder = _copy_of_index(config.state_dir, Path(place))
        index = stack.enter_context(closing(SearchIndex.open(folder)))
        on_rebuild(index.replaced)
        yield index, _refresh(index, config, ledger, folder, patience, on_progress, most)


def _refresh(
    index: SearchIndex,
    config: Config,
    ledger: Ledger,
    folder: Path,
    patience: float,
    on_progress: OnProgress,
    most: int | None,
) -> IndexState:
    try:
        if is_up_to_date(index, ledger):
            return IndexState()
        if most is not None and is_far_behind(index, ledger, most):
            return IndexState(is_busy=True)
        with open_archive(config, ledger) as reader:
            followed = bring_up_to_date(
                index, ledger, reader, folder, patience=patience, most=most, on_progress=on_progress
            )
    except FerryError as error:
        return IndexState(error=error)
    return IndexState(is_busy=True) if followed is None or followed.is_behind else IndexState(followed.unread)


def _copy_of_index(state_dir: Path, folder: Path) -> Path:
    try:
        copied_database(state_dir / FILE_NAME, folder)
    except OSError as error:
        raise storage_error(error, f"copying the search index of {state_dir}, which cannot be written") from error
    return folder
