"""``mailferry repair``: fetch again what verify found damaged, from another destination or the source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from migrator.archive.repair import Repaired
from migrator.archive.unproven import unproven_line
from migrator.cli.context import archive_ledger, configuration, with_passwords
from migrator.cli.envelope_line import envelope_line
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.operations.envelopes import envelopes_in
from migrator.operations.repair import repair_copies
from migrator.ui.text import plain, plural

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Account, Config
    from migrator.model import Digest
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Repair the damaged copies of the accounts asked for."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    with_passwords(config, accounts)
    done = _repaired(config, accounts, screen)
    if screen.is_json:
        screen.document(done.as_json())
    _show(done, screen, _names(done, config))
    return DONE if done.is_complete else NOT_ALL_DONE


def _repaired(config: Config, accounts: Sequence[Account], screen: Console) -> Repaired:
    ledger = archive_ledger(config, screen)
    if ledger is None:
        return Repaired()
    with closing(ledger):
        return repair_copies(accounts, config, ledger)


def _names(done: Repaired, config: Config) -> Callable[[Digest], str]:
    """Return what says of a message what a person knows it by; its id where the search index knows nothing of it."""
    digests = [*(one.digest for one in done.mended), *(one.digest for one in done.hopeless)]
    with envelopes_in(config.state_dir) as lookup:
        known = lookup(digests) if digests else {}
    return lambda digest: envelope_line(known[digest]) if digest in known else digest.hex()[:12]


def _show(done: Repaired, screen: Console, called: Callable[[Digest], str]) -> None:
    for one in done.mended:
        screen.note(plain(f"{called(one.digest)}: stored again in {one.destination}, from {one.origin}"))
    for name in done.acknowledged:
        screen.note(plain(f"{name}: closed as it stands; nothing more is written to it"))
    for lost in done.hopeless:
        screen.result(plain(f"{called(lost.digest)}: not repaired in {lost.destination}: {lost.reason}"))
    for away in done.unreachable:
        screen.problem(plain(f"{away.destination}: left alone: {away.error}"))
    for altered in done.unproven:
        screen.note(plain(unproven_line(altered)))
    for destination, count in done.taken_out:
        copies = "1 copy that was taken out is" if count == 1 else f"{count:,} copies that were taken out are"
        screen.note(plain(f"{destination}: {copies} not stored again: mailferry verify says what helps"))
    if not screen.is_quiet or done.hopeless:
        copies = plural(len(done.mended), "copy", "copies")
        screen.result(f"{copies} repaired, {len(done.hopeless):,} still damaged")
