"""One run per account at a time, by a kernel lock that dies with its process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from migrator.errors import FerryError, Kind


@contextmanager
def account_lock(state_dir: Path, account: str) -> Iterator[None]:
    """Hold the account's lock; raises ``locked`` at once when another process works the account."""
    folder = state_dir / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(folder / f"account-{quote(account, safe='@+')}.lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise FerryError(
            Kind.LOCKED, f"another mailferry is working account {account}", cure="let it finish, or stop it"
        ) from error
    try:
        yield
    finally:
        lock.release()
