"""Options of the commands that set accounts up. Light, as the grammar is."""

from __future__ import annotations

import argparse
from pathlib import Path

METHODS = ("browser", "paste", "device")


def add_accounts(command: argparse.ArgumentParser) -> None:
    """Add which accounts are meant, one at least."""
    command.add_argument("accounts", nargs="+", metavar="ACCOUNT", help="which")


def add_account(command: argparse.ArgumentParser) -> None:
    """Add which account is meant."""
    command.add_argument("account", metavar="ACCOUNT", help="which")


def add_sign_in(command: argparse.ArgumentParser) -> None:
    """Add whose sign-in it is, and how."""
    add_account(command)
    command.add_argument("--end", choices=("source", "imap"), help="only this end (all that need it by default)")
    how = "a browser on this machine, one elsewhere whose address is pasted, or a code for another device"
    command.add_argument("--method", choices=METHODS, help=how)


def add_account_list(command: argparse.ArgumentParser) -> None:
    """Let accounts be listed, or a sheet be imported into the ledger's database and exported from it."""
    command.add_argument(
        "action",
        nargs="?",
        choices=("import", "export"),
        metavar="import|export",
        help="keep the accounts of a sheet in the ledger's database, or write out those that are there",
    )
    command.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the CSV or XLSX file to import")
    command.add_argument("--replace", action="store_true", help="remove the accounts that the imported file lacks")
    command.add_argument("--dry-run", action="store_true", help="change nothing; say what an import would do")
    command.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON document on stdout, nothing else"
    )
