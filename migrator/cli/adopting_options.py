"""The options of ``adopt``: a part of the grammar, as light as that."""

from __future__ import annotations

import argparse
from pathlib import Path

from migrator.cli.password_options import add_passwords

PROGRAMS = ("fetchmail", "getmail", "mpop", "fdm", "thunderbird")


def add_adopting(command: argparse.ArgumentParser) -> None:
    """Let every question of ``adopt`` be answered on the command line."""
    command.add_argument("program", choices=PROGRAMS, metavar="PROGRAM", help=", ".join(PROGRAMS))
    what = "its configuration, state files, mail or profile folder (its usual places)"
    command.add_argument("paths", nargs="*", type=Path, metavar="PATH", help=what)
    command.add_argument(
        "--dry-run", action="store_true", help="log in and look, change nothing; say what would be done"
    )
    place = "a folder, mbox:PATH, maildir:PATH, s3://bucket/prefix or imaps://user@host/Folder"
    command.add_argument(
        "--to",
        dest="places",
        action="append",
        metavar="PLACE",
        default=[],
        help=f"where to keep the mail: {place}; may be repeated (~/mail-archive/NAME)",
    )
    command.add_argument("--leave-on-server", metavar="WHAT", help='true (the default), false, or "30 days"')
    command.add_argument("--tls", choices=("implicit", "starttls", "none"), help="how the lines are encrypted")
    command.add_argument("--yes", action="store_true", help="take over every account that is found, without asking")
    command.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON document on stdout, nothing else"
    )
    group = command.add_argument_group("passwords that the program's configuration does not say")
    add_passwords(group, "", "each account that lacks one, in their order,")
    add_passwords(group, "to", "each IMAP --to, in their order,")
