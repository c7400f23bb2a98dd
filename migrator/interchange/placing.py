"""New files that get their name only when they are whole, and never in the place of another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from migrator.errors import FerryError, Kind


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, for the owner only."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        with suppress(FileExistsError):
            one.mkdir(mode=0o700)


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a new file, for the owner only; it is on the disk afterwards. One left by a crash is begun anew."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600), "w+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def give_name(temporary: Path, final: Path) -> None:
    """Give a whole file its name; raises ``FerryError`` where something else has that name already."""
    try:
        os.link(temporary, final, follow_symlinks=False)
    except FileExistsError as error:
        raise FerryError(Kind.REFUSED, f"{final} exists, and is not overwritten") from error
    except OSError:  # a file system without links: then at least look first
        if final.exists():
            raise FerryError(Kind.REFUSED, f"{final} exists, and is not overwritten") from None
        temporary.rename(final)
        return
    temporary.unlink()


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
