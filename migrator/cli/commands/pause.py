"""``mailferry pause``: let accounts be worked only when they are named."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.operations.account_list import pause
from migrator.wiring.ledger import open_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Pause these accounts; a running worker hears of it within seconds."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    with closing(open_ledger(config)) as ledger:
        pause(accounts, ledger, time.time())
    for account in accounts:
        screen.result(f"{account.name}: paused; mailferry resume {account.name} goes on")
    return DONE
