"""Options of the commands around the page: a part of the grammar, as light as that."""

from __future__ import annotations

import argparse
from pathlib import Path

ACTIONS = ("add", "reset", "remove", "list")
ROLES = ("administrator", "auditor", "reader")


def add_users(command: argparse.ArgumentParser) -> None:
    """Let users be added, given another password, removed and listed."""
    command.add_argument("action", choices=ACTIONS, metavar="add|reset|remove|list", help="what to do")
    command.add_argument("name", nargs="?", metavar="NAME", help="the user")
    roles = "administrator does everything, auditor sees everything, reader sees the named accounts"
    command.add_argument("--role", choices=ROLES, default="administrator", help=roles)
    command.add_argument(
        "--account", action="append", default=[], metavar="ACCOUNT", help="an account that a reader sees; once for each"
    )
    sources = command.add_mutually_exclusive_group()
    for source, metavar in (("env", "VAR"), ("file", "FILE"), ("command", "CMD")):
        sources.add_argument(
            f"--password-{source}", metavar=metavar, help="where the user's password comes from, in place of a prompt"
        )
    _add_json(command)


def add_vault(command: argparse.ArgumentParser) -> None:
    """Let the vault be looked at, opened by its recovery key, given another one, and begun again."""
    actions = ("status", "recover", "recovery-key", "begin-again")
    command.add_argument("action", choices=actions, metavar="|".join(actions), help="what to do")
    command.add_argument(
        "--key-file", type=Path, metavar="FILE", help="the recovery key for recover, in place of a prompt"
    )
    _add_json(command)


def add_demo(command: argparse.ArgumentParser) -> None:
    """Let the demo be put in a folder, and its page be opened."""
    command.add_argument("--dir", type=Path, metavar="DIR", help="where to put the archive (a new folder otherwise)")
    command.add_argument("--serve", action="store_true", help="then serve the page on it until Ctrl-C")
    _add_json(command)


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON document on stdout, nothing else"
    )
