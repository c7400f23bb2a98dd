"""``mailferry sign-in``: let an account fetch mail with access tokens of its provider."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.cli.sign_in_prompt import method_of, sign_in_at_terminal
from migrator.config.no_dumps import forbid_dumps
from migrator.operations.sign_in import to_sign_in

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Sign in at each provider that the account needs, one after the other."""
    config = configuration(arguments, screen)
    [account] = config.select([arguments.account])
    wanted = to_sign_in(account, arguments.end)
    method = method_of(arguments.method)
    forbid_dumps()
    for one in wanted:
        sign_in_at_terminal(one, method, screen)
    _end_parking(config, account.name)
    return DONE


def _end_parking(config: Config, name: str) -> None:
    """Let ``mailferry run``, where there is one, go on with the account at once."""
    from jobs.schedule.worked_elsewhere import note_change
    from migrator.wiring.ledger import existing_ledger

    ledger = existing_ledger(config)
    if ledger is not None:
        with closing(ledger):
            note_change(ledger.state_store, name, time.time())
