"""One run per account at a time: by a kernel lock that dies with its process, and by a lease over several machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
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
    with ExitStack() as stack:
        _enter(stack, account, _accounts(state_dir, is_shared=True), _one(state_dir, account))
        yield


@contextmanager
def account_locks(state_dir: Path, accounts: Iterable[str]) -> Iterator[None]:
    """Keep everybody from working any account of a state folder, these among them.

    Raises ``AccountLockedError``, or another ``locked``, at once when another process works one. It takes one open file
    however many accounts there are: a process may have few.
    """
    for account in accounts:  # tells which it is, and hears programs of before the lock that all share
        with ExitStack() as stack:
            _enter(stack, account, _one(state_dir, account))
    with _accounts(state_dir, is_shared=False):
        yield


def _one(state_dir: Path, account: str) -> AbstractContextManager[None]:
    path = state_dir / "locks" / f"account-{quote(account, safe='@+')}.lock"
    return lock_file(path, LockTimeout(0), Device(), f"account {account}")


def _accounts(state_dir: Path, *, is_shared: bool) -> AbstractContextManager[None]:
    path = state_dir / "locks" / "accounts.lock"
    return lock_file(path, LockTimeout(0), Device(), f"accounts of {state_dir}", is_shared=is_shared)


@contextmanager
def owned_account(ledger: Ledger, state_dir: Path, account: str) -> Iterator[None]:
    """Hold the account's lock, and own the account over all machines that share the ledger, if there are several.

    Raises ``AccountLockedError`` at once when somebody else has it.
    """
    with account_lock(state_dir, account), ExitStack() as stack:
        _enter(stack, account, ledger.owning(f"account {account}"))
        yield


def _enter(stack: ExitStack, account: str, *rights: AbstractContextManager[None]) -> None:
    try:
        for right in rights:
            stack.enter_context(right)
    except FerryError as error:
        if error.kind is not Kind.LOCKED:
            raise
        problem = f"another mailferry is working account {account}"
        raise AccountLockedError(Kind.LOCKED, problem, cure="let it finish, or stop it") from error
