"""``mailferry repair``: fetch again what verify found damaged, from another destination or the source."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from migrator.archive.repair import Repaired
from migrator.archive.unproven import unproven_line
from migrator.cli.context import archive_ledger, configuration, with_passwords
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.operations.repair import repair_copies
from migrator.ui.text import plain, plural

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Account, Config
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Repair the damaged copies of the accounts asked for."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    with_passwords(config, accounts)
    done = _repaired(config, accounts, screen)
    if screen.is_json:
        screen.document(done.as_json())
    _show(done, screen)
    return DONE if done.is_complete else NOT_ALL_DONE


def _repaired(config: Config, accounts: Sequence[Account], screen: Console) -> Repaired:
    ledger = archive_ledger(config, screen)
    if ledger is None:
        return Repaired()
    with closing(ledger):
        return repair_copies(accounts, config, ledger)


def _show(done: Repaired, screen: Console) -> None:
    for one in done.mended:
        screen.note(plain(f"{one.digest.hex()[:20]}: stored anew in {one.destination}, from {one.origin}"))
    for name in done.acknowledged:
        screen.note(plain(f"{name}: closed as it stands; nothing more is written to it"))
    for lost in done.hopeless:
        screen.result(plain(f"{lost.digest.hex()[:20]} in {lost.destination}: not repaired: {lost.reason}"))
    for away in done.unreachable:
        screen.problem(plain(f"{away.destination}: left alone: {away.error}"))
    for altered in done.unproven:
        screen.note(plain(unproven_line(altered)))
    if not screen.is_quiet or done.hopeless:
        copies = plural(len(done.mended), "copy", "copies")
        screen.result(f"{copies} repaired, {len(done.hopeless):,} still damaged")
