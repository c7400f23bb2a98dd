"""A ledger of an earlier program is copied before its migrations change it: the copy is the way back to that program.

One copy is kept, of the last upgrade. It is whole as soon as it has its name, and the ledger is changed only then.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from migrator.files import create_file, sync_file, sync_folder
from migrator.ledger.sqlite.read_only import opened_to_read

_NAME = "ledger-before-version-"
_ENDING = ".sqlite3"


def kept_before(version: int, folder: Path) -> Path:
    """Return where the ledger of a state folder is kept as it was before its upgrade to this version."""
    return folder / f"{_NAME}{version}{_ENDING}"


def kept_ledgers(folder: Path) -> list[Path]:
    """Return the copies that upgrades have left in a state folder."""
    return sorted(folder.glob(f"{_NAME}*{_ENDING}"))


def keep_before(version: int, path: Path) -> Path:
    """Copy the ledger at ``path``, as committed, durably (0600), and drop the copy of an earlier upgrade.

    Only for the one who may write the ledger at this moment. A copy of the same name is replaced: what has not been
    upgraded yet is the truth. Returns where; raises ``sqlite3.Error`` and ``OSError``, and leaves no half copy then.
    """
    kept = kept_before(version, path.parent)
    fresh = kept.with_name(f".{kept.name}.new")
    _drop_unfinished(path.parent)
    try:
        _copy(path, fresh)
        fresh.replace(kept)
    except BaseException:
        _drop_unfinished(path.parent)
        raise
    sync_folder(path.parent)
    for earlier in kept_ledgers(path.parent):
        if earlier != kept:
            earlier.unlink(missing_ok=True)
    return kept


def _copy(path: Path, fresh: Path) -> None:
    os.close(create_file(fresh))
    with opened_to_read(path) as original, closing(sqlite3.connect(str(fresh), isolation_level=None)) as copy:
        original.backup(copy)
        # A copy that nobody else has open needs no log beside it.
        copy.execute("pragma journal_mode = delete")
    sync_file(fresh)


def _drop_unfinished(folder: Path) -> None:
    for left in folder.glob(f".{_NAME}*"):
        left.unlink(missing_ok=True)
