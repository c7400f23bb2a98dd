"""``mailferry search``: show what was found, newest first."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.cli.context import archive_ledger, configuration
from migrator.cli.exit_codes import DONE
from migrator.cli.index_lines import indexing, show_index_state
from migrator.operations.search import SearchResult, parse_query, search
from migrator.ui import sanitize
from migrator.ui.text import cell, columns, cut, plural, size

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.search.index import Hit
    from migrator.search.query import Query
    from migrator.ui.console import Console

_SHORT_ID = 12
_ON_A_TERMINAL = 50
_WIDE = 100
"""Columns from which on there is room for addresses and sizes."""
_NARROW = 60
"""Columns below which the sender is left out for the subject's sake."""


def run(arguments: Namespace, screen: Console) -> int:
    """Find archived messages, the newest included."""
    written = " ".join(arguments.query)
    query = parse_query(written)
    config = configuration(arguments, screen)
    found = _found(config, query, _limit(arguments, screen), screen)
    if screen.is_json:
        screen.document({"query": written, **found.as_json()})
        return DONE
    for hit in found.hits:
        screen.result(_line(hit, screen))
    screen.note(_summary(found.total, len(found.hits)))
    return DONE


def _limit(arguments: Namespace, screen: Console) -> int | None:
    if arguments.limit is not None:
        return int(arguments.limit)
    return _ON_A_TERMINAL if screen.out.isatty() and not screen.is_json else None


def _found(config: Config, query: Query, limit: int | None, screen: Console) -> SearchResult:
    ledger = archive_ledger(config, screen)
    if ledger is None:
        return SearchResult()
    with closing(ledger):
        found = search(query, config, ledger, limit=limit, on_progress=indexing(screen))
    show_index_state(found.index, screen)
    return found


def _line(hit: Hit, screen: Console) -> str:
    """Return a hit as one line: as wide as the terminal, else as wide as it wants to be."""
    from migrator.ui.console import Style as Colour

    if not screen.out.isatty():
        return f"{hit.shown_id}  {_about(hit, 28, has_time=True)}{_subject(hit)}"
    width = _width()
    identity = hit.digest.hex()[:_SHORT_ID]
    about = _about(hit, min(28, width // 4) if width >= _NARROW else 0, has_time=width >= _WIDE)
    room = max(width - _SHORT_ID - 2 - columns(about), 10)
    return f"{screen.styled(identity, Colour.STRONG)}  {about}{cut(_subject(hit), room)}"


def _about(hit: Hit, room: int, *, has_time: bool) -> str:
    """Return day, sender and size as columns: where there is little room, names alone and no sizes."""
    sender = sanitize.line(hit.sender, limit=200)
    if has_time:
        return f"{cell(_day(hit.date, '%Y-%m-%d %H:%M'), 16)}  {cell(sender, room)}  {size(hit.octets):>9}  "
    name = sender.partition(" <")[0] or sender
    return f"{cell(_day(hit.date, '%Y-%m-%d'), 10)}  " + (f"{cell(name, room)}  " if room else "")


def _subject(hit: Hit) -> str:
    marked = f" [not parsed: {hit.problem}]" if hit.problem else ""
    return (sanitize.line(hit.subject, limit=400) or "(no subject)") + marked


def _width() -> int:
    import shutil

    return shutil.get_terminal_size(fallback=(100, 24)).columns


def _day(seconds: int | None, form: str) -> str:
    return "no date" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC).astimezone():{form}}"


def _summary(total: int, shown: int) -> str:
    if shown < total:
        return f"{plural(total, 'message')} found, the newest {shown:,} shown; --limit N shows more."
    return f"{plural(total, 'message')} found."
