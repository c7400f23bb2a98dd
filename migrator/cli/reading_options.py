"""Options of commands that look at what was archived, and decide about it: a part of the grammar, as light as that."""

from __future__ import annotations

import argparse
from pathlib import Path

READING = {"search", "show", "export", "restore", "receipts"} | {
    *("check", "doctor", "status", "quarantine", "verify", "repair", "reindex", "rebuild-ledger")
}
"""Commands that look at what was archived, or after it, with or without a configuration file."""


def add_state_dir(command: argparse.ArgumentParser) -> None:
    """Let what was archived without a configuration be named by its state folder."""
    what = "in place of -c FILE: what migrate --from ... --to ... archived with this state folder"
    command.add_argument("--state-dir", type=Path, metavar="DIR", help=what)


def add_decisions(command: argparse.ArgumentParser) -> None:
    """Let a person decide about single messages, about all, or about all of one kind."""
    choice = command.add_mutually_exclusive_group()
    for option, meaning in (
        ("retry", "try it again at the next run"),
        ("accept", "leave it as it is and stop reporting it"),
    ):
        choice.add_argument(
            f"--{option}",
            type=_number_or_name,
            action="extend",
            nargs="*",
            metavar="NUMBER",
            help=f"{meaning}: the messages with these numbers, or those of --all or --kind",
        )
    command.add_argument("--all", action="store_true", help="with --retry or --accept: all that is set aside")
    command.add_argument("--kind", metavar="KIND", help="only what was set aside for this kind of trouble")


def _number_or_name(written: str) -> int | str:
    """Return a number as one; what is none is an account that was named behind the option."""
    return int(written) if written.isdecimal() else written


def add_receipts(command: argparse.ArgumentParser) -> None:
    """Let receipts be chosen, and written for a script or a spreadsheet."""
    command.add_argument("--since", metavar="DATE", help='only since then: 2026-05-31, or "7 days"')
    command.add_argument("--digest", metavar="D", help="only this message: its digest, or how that begins")
    form = command.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON document on stdout, nothing else"
    )
    form.add_argument("--csv", action="store_true", help="comma-separated values (RFC 4180) on stdout, nothing else")


def add_verifying(command: argparse.ArgumentParser) -> None:
    """Let a person read only a part of the archive again."""
    command.add_argument(
        "--sample", type=_share, metavar="PERCENT", default=1.0, help="only a share of them, such as 5%%"
    )
    command.add_argument("--since", metavar="DAY", help="only what was archived since then: 2024-05-31, or 7d")


def _share(written: str) -> float:
    """Return a percentage as a share of 1."""
    try:
        percent = float(written.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 < percent <= 100:
        raise argparse.ArgumentTypeError(f"{written!r} must be a percentage above 0, such as 5%")
    return percent / 100
