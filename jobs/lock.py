"""One worker for each state folder, by a kernel lock that dies with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from migrator.errors import ConfigError
from migrator.files import storage_error

_NAME = "worker.lock"
_LOOK_SECONDS = 0.5
"""How long somebody who only looks (``is_worker_alive``) can hold the lock at most."""


@contextmanager
def worker_lock(state_dir: Path) -> Iterator[None]:
    """Hold the worker's lock on a state folder; raises ``ConfigError`` (exit code 2) when another worker holds it.

    Raises ``FerryError`` where the folder cannot be written.
    """
    from filelock import FileLock, Timeout  # who only looks needs none of it

    folder = state_dir / "locks"
    lock = FileLock(folder / _NAME, mode=0o600)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire(timeout=_LOOK_SECONDS)
    except Timeout as error:  # an OSError, too
        problem = f"another mailferry run is at work on {state_dir}; stop it first, or give this one its own state_dir"
        raise ConfigError([problem]) from error
    except OSError as error:
        raise storage_error(error, f"taking the lock {folder / _NAME}", read_only="state-read-only") from error
    try:
        yield
    finally:
        lock.release()


def is_worker_alive(state_dir: Path) -> bool:
    """Tell whether a worker holds the lock of a state folder; nothing is made or changed.

    Where the lock may not be looked at, one does: nobody can say that it died.
    """
    path = state_dir / "locks" / _NAME
    if not path.exists():
        return False
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return isinstance(error, PermissionError)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
