"""``mailferry search``: show what was found, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.cli.context import archive_ledger, configuration
from migrator.cli.exit_codes import DONE
from migrator.cli.index_lines import indexing, rebuilding, show_index_state, show_remarks
from migrator.lazy_dataclasses import dataclass
from migrator.operations.search import SearchResult, parse_query, remarks_on, search
from migrator.ui import sanitize
from migrator.ui.text import cell, columns, cut, plural, size

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.search.entries import Hit
    from migrator.search.query import Query
    from migrator.ui.console import Console

_ID = 12
"""Characters of a digest that a list shows, on a terminal and in a pipe; JSON has more."""
_ON_A_TERMINAL = 50
_WIDE = 100
"""Columns from which on there is room for addresses and sizes."""
_NARROW = 60
"""Columns below which the sender is left out for the subject's sake."""
_SENDER = 28
_WHOLE = 20_000
"""Characters of a value that a pipe gets: all that the index has of one."""


def run(arguments: Namespace, screen: Console) -> int:
    """Find archived messages, the newest included."""
    written = " ".join(arguments.query)
    query = parse_query(written)
    show_remarks(written, screen)
    config = configuration(arguments, screen)
    found = _found(config, query, _limit(arguments, screen), screen)
    if screen.is_json:
        screen.document({"query": written, "remarks": remarks_on(written), **found.as_json()})
        return DONE
    for line in _lines(found.hits, screen):
        screen.result(line)
        if not screen.has_reader:
            return DONE
    screen.note(_summary(found.total, len(found.hits)))
    return DONE


def _limit(arguments: Namespace, screen: Console) -> int | None:
    if arguments.limit is not None:
        return int(arguments.limit)
    return _ON_A_TERMINAL if screen.out.isatty() and not screen.is_json else None


def _found(config: Config, query: Query, limit: int | None, screen: Console) -> SearchResult:
    ledger = archive_ledger(config, screen, only_to_read=True)
    if ledger is None:
        return SearchResult()
    with closing(ledger):
        found = search(query, config, ledger, limit=limit, on_progress=indexing(screen), on_rebuild=rebuilding(screen))
    show_index_state(found.index, screen)
    return found


def _lines(hits: Sequence[Hit], screen: Console) -> Iterator[str]:
    """Yield a line for each hit: on a terminal below heads and of its width, else with every value whole."""
    if not screen.out.isatty():
        yield from map(_whole_line, hits)
        return
    from migrator.ui.console import Style as Colour

    layout = _Layout.of(_width())
    if hits:
        yield screen.styled(layout.row("id", "date", "from", "size", "subject"), Colour.STRONG)
    for hit in hits:
        yield layout.row(*layout.values(hit))


def _whole_line(hit: Hit) -> str:
    """Return a hit for a script or a pager: columns stand below one another where no value is longer than most."""
    sender = sanitize.line(hit.sender, limit=_WHOLE)
    date = _day(hit.date, "%Y-%m-%d %H:%M")
    filling = " " * (_SENDER - columns(sender))
    return f"{_id(hit)}  {date:16}  {sender}{filling}  {size(hit.octets):>9}  {_subject(hit)}"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which columns there is room for, and how wide they are: where there is little, names alone and no sizes."""

    width: int
    has_time: bool
    sender: int

    @classmethod
    def of(cls, width: int) -> _Layout:
        return cls(width, width >= _WIDE, min(_SENDER, width // 4) if width >= _NARROW else 0)

    def row(self, identity: str, date: str, sender: str, octets: str, subject: str) -> str:
        cells = [cell(identity, _ID), cell(date, 16 if self.has_time else 10)]
        cells += [cell(sender, self.sender)] if self.sender else []
        cells += [f"{octets:>9}"] if self.has_time else []
        room = max(self.width - sum(columns(each) + 2 for each in cells), 10)
        return "  ".join([*cells, cut(subject, room)])

    def values(self, hit: Hit) -> tuple[str, str, str, str, str]:
        sender = sanitize.line(hit.sender, limit=200)
        name = sender if self.has_time else sender.partition(" <")[0] or sender
        date = _day(hit.date, "%Y-%m-%d %H:%M" if self.has_time else "%Y-%m-%d")
        return _id(hit), date, name, size(hit.octets), _subject(hit)


def _id(hit: Hit) -> str:
    return hit.digest.hex()[:_ID]


def _subject(hit: Hit) -> str:
    marked = f" [not parsed: {hit.problem}]" if hit.problem else ""
    return (sanitize.line(hit.subject, limit=_WHOLE) or "(no subject)") + marked


def _width() -> int:
    import shutil

    return shutil.get_terminal_size(fallback=(100, 24)).columns


def _day(seconds: int | None, form: str) -> str:
    return "no date" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC).astimezone():{form}}"


def _summary(total: int, shown: int) -> str:
    if shown < total:
        return f"{plural(total, 'message')} found, the newest {shown:,} shown; --limit N shows more."
    return f"{plural(total, 'message')} found."
