"""``python -m deploy.packaging.extras FOLDER EPOCH``: man pages, and completion as each shell looks for it."""

from __future__ import annotations

import sys
from pathlib import Path

import shtab

from deploy.packaging.manual import print_pages
from migrator.cli.parser import parser

COMPLETIONS = {"bash": "mailferry", "zsh": "_mailferry", "fish": "mailferry.fish"}


def write(into: Path, epoch: int) -> None:
    """Write ``man/*.1`` and a folder with one file for each shell."""
    print_pages(into / "man", epoch)
    for shell, name in COMPLETIONS.items():
        (into / shell).mkdir(parents=True, exist_ok=True)
        (into / shell / name).write_text(shtab.complete(parser(), shell=shell) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
