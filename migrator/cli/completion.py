"""The option that prints a completion script: a part of the grammar, as light as that."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

SHELLS = ("bash", "zsh", "tcsh", "fish")


class PrintCompletion(argparse.Action):
    """Print a completion script for a shell, and leave."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        _namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _option_string: str | None = None,
    ) -> None:
        """Write the script to stdout."""
        import shtab

        print(shtab.complete(parser, shell=str(values)))  # noqa: T201  # as argparse prints --help
        parser.exit()
