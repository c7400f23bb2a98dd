"""One run per account at a time, by a kernel lock that dies with its process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from migrator.errors import FerryError, Kind
from migrator.files import Device, LockTimeout, lock_file


@contextmanager
def account_lock(state_dir: Path, account: str) -> Iterator[None]:
    """Hold the account's lock; raises ``locked`` at once when another process works the account."""
    path = state_dir / "locks" / f"account-{quote(account, safe='@+')}.lock"
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_file(path, LockTimeout(0), Device(), f"account {account}"))
        except FerryError as error:
            if error.kind is not Kind.LOCKED:
                raise
            problem = f"another mailferry is working account {account}"
            raise FerryError(Kind.LOCKED, problem, cure="let it finish, or stop it") from error
        yield
