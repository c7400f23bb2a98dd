"""One run per account at a time: by a kernel lock that dies with its process, and by a lease over several machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from migrator.errors import FerryError, Kind
from migrator.files import Device, LockTimeout, lock_file
from migrator.ledger import Ledger


class AccountLockedError(FerryError):
    """Another process works the account."""


@contextmanager
def account_lock(state_dir: Path, account: str) -> Iterator[None]:
    """Hold the account's lock; raises ``AccountLockedError`` at once when another process works the account."""
    path = state_dir / "locks" / f"account-{quote(account, safe='@+')}.lock"
    with ExitStack() as stack:
        try:
            stack.enter_context(lock_file(path, LockTimeout(0), Device(), f"account {account}"))
        except FerryError as error:
            if error.kind is not Kind.LOCKED:
                raise
            raise _locked(account) from error
        yield


@contextmanager
def account_locks(state_dir: Path, accounts: Iterable[str]) -> Iterator[None]:
    """Hold the locks of all these accounts; raises ``AccountLockedError`` at once when another process works one."""
    with ExitStack() as stack:
        for account in accounts:
            stack.enter_context(account_lock(state_dir, account))
        yield


@contextmanager
def owned_account(ledger: Ledger, state_dir: Path, account: str) -> Iterator[None]:
    """Hold the account's lock, and own the account over all machines that share the ledger, if there are several.

    Raises ``AccountLockedError`` at once when somebody else has it.
    """
    with account_lock(state_dir, account), ExitStack() as stack:
        try:
            stack.enter_context(ledger.owning(f"account {account}"))
        except FerryError as error:
            if error.kind is not Kind.LOCKED:
                raise
            raise _locked(account) from error
        yield


def _locked(account: str) -> AccountLockedError:
    problem = f"another mailferry is working account {account}"
    return AccountLockedError(Kind.LOCKED, problem, cure="let it finish, or stop it")
