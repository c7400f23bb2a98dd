"""Which messages a command is about: those that a query finds, in an index that is up to date."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from migrator.cli.commands.search import refresh, understood
from migrator.search.index import SearchIndex

if TYPE_CHECKING:
    from migrator.config import Config
    from migrator.ledger import Ledger
    from migrator.model import Digest
    from migrator.ui.console import Console


def wanted_by(written: str | None, config: Config, ledger: Ledger, screen: Console) -> set[Digest] | None:
    """Return what a query finds; None where none was given: everything. Raises ``ConfigError``."""
    if written is None:
        return None
    query = understood(written)
    with closing(SearchIndex.open(config.state_dir)) as index:
        refresh(index, config, ledger, screen)
        return index.digests(query)
