"""``mailferry accounts``: who is worked, from where to where; and the accounts in the database from and to a sheet."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from migrator.cli.context import configuration, configuration_in_files
from migrator.cli.exit_codes import DONE
from migrator.config import find_config
from migrator.errors import ConfigError
from migrator.operations.account_list import ListedAccount, list_accounts
from migrator.operations.stored_accounts import accounts_as_csv, import_accounts
from migrator.ui.text import plain, table
from migrator.wiring.ledger import existing_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.ui.console import Console

_SHOWN = 20
"""How many accounts of an import are named to a person; all of them are in its JSON."""


def run(arguments: Namespace, screen: Console) -> int:
    """Show a table of all accounts, or import or export those that are kept in the ledger's database."""
    if arguments.action == "import":
        return _import(arguments, screen)
    if arguments.file is not None or arguments.replace or arguments.dry_run:
        raise ConfigError(["FILE, --replace and --dry-run go with accounts import"])
    if arguments.action == "export":
        return _export(arguments, screen)
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


def _import(arguments: Namespace, screen: Console) -> int:
    if arguments.file is None:
        raise ConfigError(["accounts import: which FILE?"])
    done = import_accounts(
        find_config(arguments.config), arguments.file, replaces=arguments.replace, is_dry=arguments.dry_run
    )
    if screen.is_json:
        screen.document(done.as_json())
    would = "would be " if done.is_dry else ""
    for names, what in ((done.added, "added"), (done.changed, "changed"), (done.removed, "removed")):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            screen.result(plain(f"{would}{what}: {', '.join(names[:_SHOWN])}{more}"))
    counts = f"{len(done.added)} added, {len(done.changed)} changed, {len(done.removed)} removed"
    screen.result(f"{counts}, {done.unchanged} as they were{' (nothing was changed)' if done.is_dry else ''}")
    return DONE


def _export(arguments: Namespace, screen: Console) -> int:
    if screen.is_json:
        raise ConfigError(["accounts export writes CSV; mailferry accounts --json is the list as JSON"])
    screen.text(accounts_as_csv(configuration_in_files(arguments, screen)))
    return DONE
