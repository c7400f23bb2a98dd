"""From the configuration to what the archive is read from, and to a search index that is up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.ledger import Ledger
from migrator.report import OnProgress, no_progress
from migrator.wiring.account import destination_of

if TYPE_CHECKING:
    from migrator.archive.reader import ArchiveReader
    from migrator.config import Config
    from migrator.destinations import Destination
    from migrator.search.index import SearchIndex
    from migrator.search.update import Followed

RUN_PATIENCE = 0.0
SEARCH_PATIENCE = 10.0


@contextmanager
def open_archive(config: Config, ledger: Ledger, *, even_unknown: bool = False) -> Iterator[ArchiveReader]:
    """Give the destinations of all accounts that the ledger knows, to read from; connects to nothing by itself.

    With ``even_unknown`` the ledger gets to know the others, too.
    """
    from migrator.archive.reader import ArchiveFolder, ArchiveReader  # a search of what is indexed reads no archive

    known = ledger.archive.known_destinations()
    reader = ArchiveReader(
        ArchiveFolder(destination, ledger.copies(destination.identity, destination.kind), tuple(accounts))
        for destination, accounts in _destinations(config)
        if even_unknown or destination.identity in known
    )
    with closing(reader):
        yield reader


def _destinations(config: Config) -> list[tuple[Destination, dict[str, None]]]:
    """Return each place once, with the accounts that store there."""
    places: dict[str, tuple[Destination, dict[str, None]]] = {}
    for account in config.accounts:
        for place in account.destinations:
            destination = destination_of(place, config.state_dir)
            places.setdefault(destination.identity, (destination, {}))[1][account.name] = None
    return list(places.values())


def is_up_to_date(index: SearchIndex, ledger: Ledger) -> bool:
    """Say whether the index has everything that the ledger knows; costs next to nothing."""
    from migrator.search.progress import has_everything

    return has_everything(index, ledger.archive)


def is_far_behind(index: SearchIndex, ledger: Ledger, most: int) -> bool:
    """Say whether the index lacks more than ``most`` messages that the ledger knows; costs next to nothing."""
    from migrator.search.progress import is_behind

    return is_behind(index.progress, ledger.archive, most)


def bring_up_to_date(
    index: SearchIndex,
    ledger: Ledger,
    reader: ArchiveReader,
    state_dir: Path,
    *,
    patience: float = RUN_PATIENCE,
    most: int | None = None,
    on_progress: OnProgress = no_progress,
) -> Followed | None:
    """Take into the index what is new; None when another process is at that for longer than ``patience`` seconds.

    Where that is more than ``most`` messages, nothing is taken in, and the answer says so.
    """
    from migrator.parse.process import Parser
    from migrator.search.update import Follower, exclusively

    with exclusively(state_dir, patience=patience) as is_ours:
        if not is_ours:
            return None
        with Parser() as parser:
            return Follower(index, ledger.archive, reader, parser, most=most, on_progress=on_progress).follow()


def index_what_is_new(config: Config) -> None:
    """Update the search index after a run; another process at work on it is left to do so."""
    from migrator.search.index import SearchIndex

    with (
        closing(Ledger.open(config.ledger_place)) as ledger,
        open_archive(config, ledger) as reader,
        closing(SearchIndex.open(config.state_dir)) as index,
    ):
        bring_up_to_date(index, ledger, reader, config.state_dir)
