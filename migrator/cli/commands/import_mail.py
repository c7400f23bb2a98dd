"""``mailferry import``: copy mail from files into an account's destinations, each message once and proven."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from migrator.cli.context import configuration, every, with_passwords
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.errors import ConfigError
from migrator.interchange.importer import Imported
from migrator.interchange.mail_files import Variant
from migrator.operations.import_mail import import_mail
from migrator.ui.text import group_by_reason, plain, plural, size
from migrator.wiring.ledger import open_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console

_STEP = 5_000
_SHOWN = 20


def run(arguments: Namespace, screen: Console) -> int:
    """Copy every message found at the paths into the account's destinations."""
    if missing := [str(path) for path in arguments.paths if not path.exists()]:
        raise ConfigError([f"{path}: there is no such file or folder" for path in missing])
    config = configuration(arguments, screen)
    [account] = config.select([arguments.account])
    with_passwords(config, [account])
    on_progress = every(_STEP, lambda count: screen.note(f"{plural(count, 'message')} found so far"))
    with closing(open_ledger(config)) as ledger:
        variant = Variant(arguments.variant)
        done = import_mail(arguments.paths, variant, account, config.state_dir, ledger, on_progress=on_progress)
    if screen.is_json:
        screen.document(done.as_json())
    _show(done, screen)
    return DONE if done.is_complete else NOT_ALL_DONE


def _show(done: Imported, screen: Console) -> None:
    for line in group_by_reason((place, f"[{error.kind}] {error}") for place, error in done.failed):
        screen.problem(plain(line))
    troubles = [one for one in done.left_out if one.is_trouble]
    for one in troubles:
        screen.problem(plain(f"{one.place}: left out: {one.reason}"))
    others = [one for one in done.left_out if not one.is_trouble]
    for one in others if screen.verbosity else others[:_SHOWN]:
        screen.note(plain(f"{one.place}: left out: {one.reason}"))
    if len(others) > _SHOWN and not screen.verbosity:
        screen.note(f"... and {len(others) - _SHOWN:,} more that hold no mail; -v names them")
    if not screen.is_quiet or not done.is_complete:
        screen.result(
            f"{plural(done.found, 'message')} found: {done.copied:,} copied ({size(done.octets)}), "
            f"{done.duplicates:,} archived already, {len(done.failed):,} failed"
        )
