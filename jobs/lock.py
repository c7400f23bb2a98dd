"""One worker for each state folder, by a kernel lock that dies with its process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from migrator.errors import ConfigError

_NAME = "worker.lock"


@contextmanager
def worker_lock(state_dir: Path) -> Iterator[None]:
    """Hold the worker's lock on a state folder; raises ``ConfigError`` (exit code 2) when another worker holds it."""
    folder = state_dir / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(folder / _NAME, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        problem = f"another mailferry run is at work on {state_dir}; stop it first, or give this one its own state_dir"
        raise ConfigError([problem]) from error
    try:
        yield
    finally:
        lock.release()
