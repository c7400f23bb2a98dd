"""``mailferry search``: bring the index up to date, ask it, show what was found, newest first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from migrator.cli.context import configuration, read_ledger
from migrator.cli.exit_codes import DONE
from migrator.errors import ConfigError, FerryError
from migrator.ledger import Ledger
from migrator.search.index import Hit, SearchIndex
from migrator.search.query import Calendar, Query, QueryError, parse
from migrator.ui import sanitize as harmless
from migrator.ui.text import cell, columns, cut, plural, size
from migrator.wiring.archive import SEARCH_PATIENCE, bring_up_to_date, open_archive

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.search.update import Followed
    from migrator.ui.console import Console

SHOWN_ID = 20
"""Characters of a digest that are shown as a message's id; any beginning that is its own does as well."""

_SHORT_ID = 12
_ON_A_TERMINAL = 50
_WIDE = 100
"""Columns from which on there is room for addresses and sizes."""
_NARROW = 60
"""Columns below which the sender is left out for the subject's sake."""
_TELL_EVERY = 5_000


def run(arguments: Namespace, screen: Console) -> int:
    """Find archived messages, the newest included."""
    written = " ".join(arguments.query)
    query = understood(written)
    config = configuration(arguments, screen)
    total, hits = _found(config, query, _limit(arguments, screen), screen)
    if screen.is_json:
        screen.document({"query": written, "total": total, "hits": [_as_json(hit) for hit in hits]})
        return DONE
    for hit in hits:
        screen.result(_line(hit, screen))
    screen.note(_summary(total, len(hits)))
    return DONE


def understood(written: str) -> Query:
    """Return what a query means; raises ``ConfigError`` in words for a person."""
    try:
        return parse(written, Calendar(date.today()))  # noqa: DTZ011  # "today" is that of the person who asks
    except QueryError as error:
        raise ConfigError([f"query: {error}"]) from error


def _limit(arguments: Namespace, screen: Console) -> int | None:
    if arguments.limit is not None:
        return int(arguments.limit)
    return _ON_A_TERMINAL if screen.out.isatty() and not screen.is_json else None


def _found(config: Config, query: Query, limit: int | None, screen: Console) -> tuple[int, list[Hit]]:
    ledger = read_ledger(config, screen)
    if ledger is None:
        return 0, []
    with closing(ledger), closing(SearchIndex.open(config.state_dir)) as index:
        refresh(index, config, ledger, screen)
        return index.search(query, limit=limit)


def refresh(index: SearchIndex, config: Config, ledger: Ledger, screen: Console) -> None:
    """Bring an index up to date; what stands in the way of that is told, and the search goes on with what there is."""
    told = every(_TELL_EVERY, lambda count: screen.note(f"{plural(count, 'message')} indexed so far"))
    try:
        with open_archive(config, ledger) as reader:
            followed = bring_up_to_date(index, ledger, reader, config.state_dir, patience=SEARCH_PATIENCE, told=told)
    except FerryError as error:
        screen.problem(f"the search index could not be brought up to date: {error}")
        return
    if followed is None:
        screen.note("another mailferry is indexing now: the newest messages may be missing")
    else:
        tell(followed, screen)


def every(step: int, say: Callable[[int], None]) -> Callable[[int], None]:
    """Return a listener that speaks up each time another ``step`` is reached."""
    told = 0

    def listen(count: int) -> None:
        nonlocal told
        if count // step > told:
            told = count // step
            say(count)

    return listen


def tell(followed: Followed, screen: Console) -> None:
    """Say what an update of the index could not do."""
    for reason, count in followed.unread.items():
        screen.note(f"{plural(count, 'message')} cannot be searched yet: {reason}")


def _as_json(hit: Hit) -> dict[str, object]:
    written = None if hit.date is None else datetime.fromtimestamp(hit.date, UTC).isoformat()
    return {
        "id": hit.digest.hex()[:SHOWN_ID],
        "account": hit.accounts[0] if hit.accounts else None,
        "accounts": list(hit.accounts),
        "date": written,
        "from": hit.sender,
        "to": hit.recipients,
        "subject": hit.subject,
        "octets": hit.octets,
        "digest": hit.digest.hex(),
        "problem": hit.problem or None,
    }


def _line(hit: Hit, screen: Console) -> str:
    """Return a hit as one line: as wide as the terminal, else as wide as it wants to be."""
    from migrator.ui.console import Style as Colour

    if not screen.out.isatty():
        return f"{hit.digest.hex()[:SHOWN_ID]}  {_about(hit, 28, has_time=True)}{_subject(hit)}"
    width = _width()
    identity = hit.digest.hex()[:_SHORT_ID]
    about = _about(hit, min(28, width // 4) if width >= _NARROW else 0, has_time=width >= _WIDE)
    room = max(width - _SHORT_ID - 2 - columns(about), 10)
    return f"{screen.styled(identity, Colour.STRONG)}  {about}{cut(_subject(hit), room)}"


def _about(hit: Hit, room: int, *, has_time: bool) -> str:
    """Return day, sender and size as columns: where there is little room, names alone and no sizes."""
    sender = harmless.line(hit.sender, limit=200)
    if has_time:
        return f"{cell(_day(hit.date, '%Y-%m-%d %H:%M'), 16)}  {cell(sender, room)}  {size(hit.octets):>9}  "
    name = sender.partition(" <")[0] or sender
    return f"{cell(_day(hit.date, '%Y-%m-%d'), 10)}  " + (f"{cell(name, room)}  " if room else "")


def _subject(hit: Hit) -> str:
    marked = f" [not parsed: {hit.problem}]" if hit.problem else ""
    return (harmless.line(hit.subject, limit=400) or "(no subject)") + marked


def _width() -> int:
    import shutil

    return shutil.get_terminal_size(fallback=(100, 24)).columns


def _day(seconds: int | None, form: str) -> str:
    return "no date" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC).astimezone():{form}}"


def _summary(total: int, shown: int) -> str:
    if shown < total:
        return f"{plural(total, 'message')} found, the newest {shown:,} shown; --limit N shows more."
    return f"{plural(total, 'message')} found."
