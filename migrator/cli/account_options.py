"""Options of the commands that set accounts up. Light, as the grammar is."""

from __future__ import annotations

import argparse

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
