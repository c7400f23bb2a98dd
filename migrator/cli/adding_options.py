"""The options of ``add``: a part of the grammar, as light as that."""

from __future__ import annotations

import argparse

from migrator.cli.password_options import add_passwords


def add_adding(command: argparse.ArgumentParser) -> None:
    """Let every question of ``add`` be answered on the command line."""
    command.add_argument("address", metavar="ADDRESS", help="whose mail: alice@example.org")
    command.add_argument("--name", metavar="NAME", help="what the account is called (the address)")
    place = (
        "a folder, mbox:PATH, maildir:PATH, s3://bucket/prefix, imaps://user@host/Folder, or the address of a mailbox "
        "to upload to"
    )
    command.add_argument(
        "--to",
        dest="places",
        action="append",
        metavar="PLACE",
        default=[],
        help=f"where to keep the mail: {place}; may be repeated (~/mail-archive/NAME)",
    )
    command.add_argument("--leave-on-server", metavar="WHAT", help='true (the default), false, or "30 days"')
    command.add_argument("--online", action="store_true", help="ask third parties where the mail of the domain is")
    command.add_argument("--yes", action="store_true", help="accept a trusted server and every default without asking")
    command.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON document on stdout, nothing else"
    )
    _add_server(command.add_argument_group("the server, where it is not to be looked for"))
    passwords = command.add_argument_group("passwords, where they are not to be asked for")
    add_passwords(passwords, "", "the source")
    add_passwords(passwords, "to", "the first, second ... IMAP destination")
    passwords.add_argument("--oauth", metavar="NAME", help="sign in by OAuth2 with [oauth.NAME] in place of a password")


def _add_server(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--host", metavar="HOST", help="the POP3 server")
    group.add_argument("--port", type=_port, metavar="PORT", help="its port (995, or 110 without --tls implicit)")
    group.add_argument("--tls", choices=("implicit", "starttls", "none"), help="how the connection is encrypted")
    group.add_argument("--username", metavar="USER", help="the name to log in with (the address)")
    group.add_argument("--auth", metavar="HOW", help="how to log in (auto)")


def _port(written: str) -> int:
    if not written.isdecimal() or not 1 <= int(written) <= 65535:
        raise argparse.ArgumentTypeError(f"{written!r} must be a port: a number from 1 to 65535")
    return int(written)
