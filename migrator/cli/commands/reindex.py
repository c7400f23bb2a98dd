"""``mailferry reindex``: build the search index anew, from the archive."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from migrator.archive.rebuild import emptied_index
from migrator.cli.commands.search import every, tell
from migrator.cli.context import configuration, existing_ledger
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.errors import FerryError, Kind
from migrator.parse.process import Parser
from migrator.search.update import Follower, exclusively
from migrator.ui.text import plural, span
from migrator.wiring.archive import SEARCH_PATIENCE, open_archive

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.ledger import Ledger
    from migrator.search.update import Followed
    from migrator.ui.console import Console

_TELL_EVERY = 10_000


def run(arguments: Namespace, screen: Console) -> int:
    """Delete the index and take in everything that the ledger knows."""
    config = configuration(arguments, screen)
    ledger = existing_ledger(config)
    if ledger is None:
        raise FerryError(Kind.ARCHIVE, "there is no ledger", cure="`mailferry rebuild-ledger` reads the archive")
    began = time.monotonic()
    with closing(ledger), exclusively(config.state_dir, patience=SEARCH_PATIENCE) as is_ours:
        if not is_ours:
            raise FerryError(Kind.LOCKED, "another mailferry is indexing now", cure="let it finish")
        followed = _indexed(config, ledger, screen)
    if screen.is_json:
        unread = sum(followed.unread.values())
        screen.document({"indexed": followed.added, "not_parsed": followed.not_parsed, "unread": unread})
    tell(followed, screen)
    hard = f"; {followed.not_parsed:,} could not be parsed, their headers are known" if followed.not_parsed else ""
    screen.result(f"{plural(followed.added, 'message')} indexed in {span(time.monotonic() - began)}{hard}")
    return NOT_ALL_DONE if followed.unread else DONE


def _indexed(config: Config, ledger: Ledger, screen: Console) -> Followed:
    told = every(_TELL_EVERY, lambda count: screen.note(f"{plural(count, 'message')} indexed so far"))
    with (
        open_archive(config, ledger) as reader,
        closing(emptied_index(config.state_dir)) as index,
        Parser() as parser,
    ):
        followed = Follower(index, ledger.archive, reader, parser, on_progress=told).follow()
        index.optimise()
    return followed
