"""``mailferry accounts``: who is worked, from where to where."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.operations.account_list import ListedAccount, list_accounts
from migrator.ui.text import plain, table
from migrator.wiring.ledger import existing_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Show a table of the configured accounts."""
    config = configuration(arguments, screen)
    listed = _listed(config)
    if screen.is_json:
        screen.document({"accounts": [account.as_json() for account in listed]})
    rows = [_row(account) for account in listed]
    for line in table([("ACCOUNT", "", "FROM", "STANDS IN", "TO"), *rows], indent=""):
        screen.result(plain(line))
    return DONE


def _listed(config: Config) -> list[ListedAccount]:
    ledger = existing_ledger(config, only_to_read=True)
    if ledger is None:
        return list_accounts(config, None)
    from jobs.monitoring.stored_view import parked_accounts

    with closing(ledger):
        return list_accounts(config, ledger, parked_accounts(ledger))


def _row(account: ListedAccount) -> tuple[str, ...]:
    state = "paused" if account.is_paused else "parked" if account.is_parked else ""
    source = f"{account.username} at {account.host}:{account.port}"
    # What is longest comes last: at the edge of a screen nothing else is broken in two.
    return (account.name, state, source, account.file, ", ".join(account.destinations))
