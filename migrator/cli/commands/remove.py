"""``mailferry remove``: take an account out of the configuration; its mail stays where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.operations.account_list import remove
from migrator.ui.text import plain

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Take the account's own file away, and say what stays."""
    config = configuration(arguments, screen)
    [account] = config.select([arguments.account])
    removed = remove(account, config)
    screen.result(plain(f"{removed.name}: removed ({removed.file})"))
    for place in removed.kept:
        screen.result(plain(f"  its mail stays in {place}"))
    return DONE
