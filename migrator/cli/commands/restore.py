"""``mailferry restore``: copy archived messages into an IMAP mailbox or a Maildir, once each and proven."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from migrator.archive.restore import Grouping, Restored
from migrator.cli.context import configuration, every, needed_ledger
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.cli.index_lines import indexing, rebuilding, show_index_state, show_remarks
from migrator.config import Destination, ImapDestination, MboxDestination, S3Destination
from migrator.errors import ConfigError, FerryError
from migrator.operations.restore import restore_messages
from migrator.operations.search import find_digests
from migrator.ui.text import group_by_reason, plain, plural, size

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console

_STEP = 1_000


def run(arguments: Namespace, screen: Console) -> int:
    """Copy the messages asked for to the target."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    target = _target(arguments, screen)
    with closing(needed_ledger(config, screen)) as ledger:
        matches = find_digests(
            arguments.query, config, ledger, on_progress=indexing(screen), on_rebuild=rebuilding(screen)
        )
        show_remarks(arguments.query, screen)
        show_index_state(matches.index, screen)
        done = restore_messages(
            target,
            Grouping(arguments.by),
            accounts,
            config,
            ledger,
            wanted=matches.digests,
            on_progress=every(_STEP, lambda count: screen.note(f"{plural(count, 'message')} restored so far")),
        )
    if screen.is_json:
        screen.document(done.as_json())
    _show(done, screen)
    return NOT_ALL_DONE if done.failed else DONE


def _target(arguments: Namespace, screen: Console) -> Destination:
    from migrator.cli.password_prompt import Passwords
    from migrator.config.secrets import EnvironmentSecret, TextSecret
    from migrator.config.urls import destination_from_url

    passwords = Passwords([], arguments.to_passwords)
    target = destination_from_url(arguments.destination, passwords=passwords.of)
    passwords.all_used()
    if isinstance(target, MboxDestination | S3Destination):
        raise ConfigError(["--to: restores go to IMAP or a Maildir; `mailferry export` writes mbox files"])
    if isinstance(target, ImapDestination) and isinstance(target.password, TextSecret | EnvironmentSecret):
        try:
            screen.mask([target.password.reveal()])
        except FerryError as error:
            raise ConfigError([f"--to: {error}"]) from error
    return target


def _show(done: Restored, screen: Console) -> None:
    for line in group_by_reason((digest.hex()[:20], f"[{error.kind}] {error}") for digest, error in done.failed):
        screen.problem(plain(line))
    for name, folder in done.renamed:
        why = "its own name would be several folders, or none that every system takes"
        screen.note(plain(f"{name}: its folder is called {folder}; {why}"))
    if not screen.is_quiet or done.failed:
        screen.result(
            f"{plural(done.stored, 'message')} restored ({size(done.octets)}), {done.present:,} were there already, "
            f"{len(done.failed):,} failed"
        )
