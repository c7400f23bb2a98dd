"""``mailferry ledger move --to URL``: the ledger goes to PostgreSQL, or back into a file, and knows what it knew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.lock import worker_lock
from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.operations.move_ledger import move_ledger
from migrator.ui.text import plain, plural

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console

_MESSAGES = "contents"
"""The table that has a row for each message."""


def run(arguments: Namespace, screen: Console) -> int:
    """Move it, all of it or nothing, and say what is left to write into the configuration."""
    config = configuration(arguments, screen)
    with worker_lock(config.state_dir):
        done = move_ledger(config, arguments.to, arguments.come_from or "", lambda _table, _rows: None)
    if screen.is_json:
        screen.document(done.as_json())
    messages = plural(done.rows[_MESSAGES], "message", "messages") if done.rows else "what had been copied before"
    screen.result(plain(f"the ledger is at {done.goes_to} now: {messages}, compared row by row"))
    if done.kept:
        screen.result(plain(f"The file it was is kept, and read by nothing: {done.kept}"))
    if done.line and config.ledger != done.goes_to:
        screen.result(plain(f"Write this at the top of {config.path}, before any table: {done.line}"))
    if not done.line and config.ledger:
        screen.result(plain(f"Take the line ledger = … out of {config.path}."))
    return DONE
