"""Accounts that stand in files of their own: ``accounts.d/NAME.toml`` beside the configuration, and in ``state_dir``.

``mailferry add`` and the page write them, whole and at once; a person may, too. Each has one ``[[accounts]]``. They are
read in the order of their names, those beside the configuration first.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = "accounts.d"
KEYS = ("accounts",)
"""What may stand at the top of such a file."""


def folders_of(config: Path, state_dir: Path) -> tuple[Path, ...]:
    """Return where such files may stand, in the order in which they are read."""
    return tuple(dict.fromkeys((config.absolute().parent / FOLDER, state_dir / FOLDER)))


def account_files(folders: tuple[Path, ...]) -> list[Path]:
    """Return the files that are there; what begins with a dot is being written, and none."""
    return [
        path
        for folder in folders
        for path in sorted(folder.glob("*.toml"))
        if not path.name.startswith(".") and path.is_file()
    ]
