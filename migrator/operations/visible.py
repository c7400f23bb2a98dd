"""Whose mail may be seen by the person who asks.

The rule stands inside the query and before any bytes are read: what may not be seen is, for whom it is hidden, not
there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from migrator.lazy_dataclasses import dataclass, replace
from migrator.search.query import All, Any, OfAccount, Query, Words

if TYPE_CHECKING:
    from migrator.search.entries import Hit

_NOTHING = Words("")


@dataclass(frozen=True, slots=True)
class Visible:
    """The accounts whose mail may be seen; None for all, and for what belongs to no account."""

    accounts: frozenset[str] | None = None

    def restricted(self, query: Query) -> Query:
        """Return what a query finds of what may be seen. It is put around the query's meaning, never its text."""
        if self.accounts is None:
            return query
        own = tuple(OfAccount(name) for name in sorted(self.accounts))
        return All((Any(own), query)) if own else _NOTHING

    def includes(self, owners: Iterable[str]) -> bool:
        """Say whether something that belongs to these accounts may be seen."""
        return self.accounts is None or not self.accounts.isdisjoint(owners)

    def named(self, owners: Iterable[str]) -> tuple[str, ...]:
        """Return those of some accounts that may be named, in their order."""
        return tuple(name for name in owners if self.accounts is None or name in self.accounts)

    def of_hit(self, hit: Hit) -> Hit:
        """Return a hit that names no account but those that may be seen."""
        return replace(hit, accounts=self.named(hit.accounts))


EVERYTHING = Visible()
