"""What tasks leave to be saved: each in a folder of its own in the state folder, and gone after a day."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from jobs.monitoring.stored_view import least_free
from jobs.web.store import WebStore
from jobs.web.tasks.task import TaskFile
from jobs.web.tasks.task_store import file_made, files_of, forget_files, running_tasks
from migrator.config import Config
from migrator.errors import FerryError, Kind
from migrator.files import Device, make_folder

FOLDER = "exports"
KEPT_SECONDS = 24 * 3600.0


def folder_of(number: int, config: Config) -> Path:
    """Return the folder of the file that a task leaves."""
    return config.state_dir / FOLDER / str(number)


def new_file(number: int, name: str, config: Config) -> Path:
    """Return where a task may write a file: its folder is made, for its owner only, and empty; raises ``disk-full``."""
    folder = folder_of(number, config)
    make_folder(folder.parent, Device())
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder, Device())
    refuse_full_disk(folder, config)
    return folder / name


def keep_file(path: Path, number: int, store: WebStore, now: float) -> None:
    """Keep what a task has left, for a day."""
    file_made(store, number, TaskFile(path.name, path.stat().st_size, now + KEPT_SECONDS))


def drop_file(number: int, config: Config, store: WebStore) -> None:
    """Take away what a task has left."""
    shutil.rmtree(folder_of(number, config), ignore_errors=True)
    forget_files(store, [number])


def take_away_old(config: Config, store: WebStore, now: float) -> None:
    """Take away the files whose time is over, and whatever belongs to no task."""
    # In this order nothing is taken from a task that begins or ends meanwhile: it runs, or its file is known.
    there = _folders(config)
    running = running_tasks(store)
    known = files_of(store)
    over = [number for number, file in known.items() if file.until <= now]
    forget_files(store, over)
    kept = {str(number) for number in running.union(known).difference(over)}
    for folder in there:
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _folders(config: Config) -> list[Path]:
    with suppress(OSError):
        return list((config.state_dir / FOLDER).iterdir())
    return []


def refuse_full_disk(folder: Path, config: Config) -> None:
    """Raise ``disk-full`` where less is free than is to be kept free for runs."""
    usage = shutil.disk_usage(folder)
    if usage.free < least_free(config.notify, usage.total):
        cure = "export less at once, or export to another disk: mailferry export"
        raise FerryError(Kind.DISK_FULL, "the disk of the state folder is nearly full", cure=cure, finding="disk-full")
