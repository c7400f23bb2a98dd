"""``mailferry resume``: let paused accounts be worked as usual again."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.operations.account_list import resume
from migrator.wiring.ledger import open_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Resume these accounts; a running worker hears of it within seconds."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    with closing(open_ledger(config)) as ledger:
        resumed = resume(accounts, ledger)
    for account in accounts:
        screen.result(f"{account.name}: {'is worked again' if account.name in resumed else 'was not paused'}")
    return DONE
