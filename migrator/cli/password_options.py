"""Options that say where a password comes from: a part of the grammar, as light as that."""

from __future__ import annotations

import argparse
from collections.abc import Callable

_SOURCES = (("env", "VAR"), ("file", "FILE"), ("command", "CMD"))


def add_passwords(group: argparse._ActionsContainer, end: str, whose: str) -> None:
    """Add ``--END-password-env``, ``-file`` and ``-command``; without an end ``--password-env`` and so on."""
    for source, metavar in _SOURCES:
        group.add_argument(
            f"--{end}-password-{source}" if end else f"--password-{source}",
            dest=f"{end}_passwords" if end else "passwords",
            action="append",
            type=_from(source),
            metavar=metavar,
            default=[],
            help=f"where the password of {whose} comes from",
        )


def _from(source: str) -> Callable[[str], dict[str, str]]:
    """Return a reader of an option's value as the configuration would write it."""
    return lambda written: {source: written}
