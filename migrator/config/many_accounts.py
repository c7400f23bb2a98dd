"""Accounts that are not all in memory: what holds of every collection of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from migrator.config.model import Account


def names_of(accounts: Sequence[Account]) -> Iterator[str]:
    """Yield what accounts are called, without making any of those that are made when they are asked for."""
    return accounts.names() if isinstance(accounts, ManyAccounts) else (account.name for account in accounts)


ASKED_AT_ONCE = 10_000
"""Accounts of one question to a ledger: few questions, and what all of them answer is not in memory at one time."""


def in_parts(accounts: Iterable[Account], size: int = ASKED_AT_ONCE) -> Iterator[list[Account]]:
    """Yield accounts in their order, no more than this in each part."""
    remaining = iter(accounts)
    while part := list(islice(remaining, size)):
        yield part


class ManyAccounts(Sequence["Account"], ABC):
    """Accounts of which one is made when it is asked for: two looks need not give the same object."""

    @abstractmethod
    def names(self) -> Iterator[str]:
        """Yield what the accounts are called, in order."""

    @abstractmethod
    def named(self, name: str) -> Account | None:
        """Return the account with this name, None if there is none."""

    @abstractmethod
    def _at(self, number: int) -> Account:
        """Return one by its place, from 0."""

    def __iter__(self) -> Iterator[Account]:
        return map(self._at, range(len(self)))

    @overload
    def __getitem__(self, number: int) -> Account: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Account]: ...
    def __getitem__(self, number: int | slice) -> Account | Sequence[Account]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        return self._at(range(len(self))[number])
