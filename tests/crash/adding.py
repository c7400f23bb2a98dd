"""Writes a new account in a process of its own that dies, as by SIGKILL, at the n-th change to a folder.

    python -m tests.crash.adding FOLDER N

Python's audit events name each call that makes, renames or removes something. Exit code 0: N was beyond the last.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from migrator.config.new_account import site_of
from migrator.config.secrets import TextSecret
from migrator.operations.add_account import Draft

DIED = 9
PASSWORD = "open-sesame"
_CHANGES = frozenset({"os.mkdir", "os.rename", "os.remove", "os.link", "open"})


def main() -> None:
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    source = {"host": "pop.example.org", "port": 995, "tls": "implicit", "username": "alice"}
    place = {"type": "mbox", "path": str(folder / "mail")}
    draft = Draft(site_of(folder / "config.toml"), "alice", source, TextSecret(PASSWORD), [place])
    draft.checked()
    dies_at(number, folder)
    draft.write()


def dies_at(number: int, folder: Path) -> None:
    """Let this process end, as by SIGKILL, at the n-th change to the folder from now on."""
    left = number

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if changes_folder(event, arguments, folder):
            left -= 1
            if left == 0:
                os._exit(DIED)

    sys.addaudithook(count)


def changes_folder(event: str, arguments: tuple[object, ...], folder: Path) -> bool:
    """Say whether an audit event is a change to something below a folder."""
    is_ours = event in _CHANGES and str(arguments[0]).startswith(str(folder))
    return is_ours and not (event == "open" and _only_reads(arguments))


def _only_reads(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)


if __name__ == "__main__":
    main()
