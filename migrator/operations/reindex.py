"""Build a new search index from the archive."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from migrator.errors import FerryError, Kind
from migrator.parse.process import Parser
from migrator.report import OnProgress, no_progress
from migrator.search.index import SearchIndex, remove
from migrator.search.update import Followed, Follower, exclusively
from migrator.wiring.archive import SEARCH_PATIENCE, open_archive

if TYPE_CHECKING:
    from migrator.config import Config
    from migrator.ledger import Ledger


def reindex(config: Config, ledger: Ledger, *, on_progress: OnProgress = no_progress) -> Followed:
    """Delete the index and take in everything that the ledger knows; raises ``locked`` where another is indexing."""
    with exclusively(config.state_dir, patience=SEARCH_PATIENCE) as is_ours:
        if not is_ours:
            raise FerryError(Kind.LOCKED, "another mailferry is indexing now", cure="let it finish")
        remove(config.state_dir)
        with (
            open_archive(config, ledger) as reader,
            closing(SearchIndex.open(config.state_dir)) as index,
            Parser() as parser,
        ):
            followed = Follower(index, ledger.archive, reader, parser, on_progress=on_progress).follow()
            index.optimise()
            return followed
