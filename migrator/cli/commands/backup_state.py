"""``mailferry backup-state``: ledger and configuration in one file, consistent while everything runs.

Passwords that stand in the configuration are replaced by stars.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.errors import ConfigError
from migrator.operations.backup_state import backup_state
from migrator.ui.text import size
from migrator.wiring.ledger import existing_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Write the file, all of it or none."""
    from migrator.config.redaction import without_passwords

    config = configuration(arguments, screen)
    ledger = existing_ledger(config, only_to_read=True)
    if ledger is None:
        where = config.ledger or f"state_dir {config.state_dir}"
        raise ConfigError([f"{where}: there is no ledger to back up"])
    with closing(ledger):
        done = backup_state(arguments.path, config, ledger, without_passwords)
    for name in done.left_out:
        screen.note(
            f"warning: {name} was left out: its passwords could not be separated from the rest; back it up by hand"
        )
    if done.ledger_by:
        screen.note(f"warning: the ledger is in a database and not in this file; back it up with: {done.ledger_by}")
    if screen.is_json:
        screen.document(done.as_json())
    screen.result(f"{done.path}: {size(done.octets)}; docs/operations.md says how to restore it")
    return DONE
