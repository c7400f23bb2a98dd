"""``mailferry reindex``: build a new search index from the archive."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.cli.index_lines import indexing, show_unread
from migrator.errors import FerryError, Kind
from migrator.operations.reindex import reindex
from migrator.ui.text import plural, span
from migrator.wiring.ledger import existing_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console

_STEP = 10_000


def run(arguments: Namespace, screen: Console) -> int:
    """Delete the index and take in everything that the ledger knows."""
    config = configuration(arguments, screen)
    ledger = existing_ledger(config)
    if ledger is None:
        raise FerryError(Kind.ARCHIVE, "there is no ledger", cure="`mailferry rebuild-ledger` reads the archive")
    began = time.monotonic()
    with closing(ledger):
        followed = reindex(config, ledger, on_progress=indexing(screen, _STEP))
    if screen.is_json:
        screen.document(followed.as_json())
    show_unread(followed.unread, screen)
    hard = f"; {followed.not_parsed:,} could not be parsed, their headers are known" if followed.not_parsed else ""
    screen.result(f"{plural(followed.added, 'message')} indexed in {span(time.monotonic() - began)}{hard}")
    return NOT_ALL_DONE if followed.unread else DONE
