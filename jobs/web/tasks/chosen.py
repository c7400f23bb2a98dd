"""Which messages a task is to take: those of an account, those that a query finds, those that somebody ticked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from jobs.monitoring.stored_view import places_of
from jobs.web.language import ngettext
from migrator.config import Account, Config
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import Ledger
from migrator.model import Digest
from migrator.operations.search import find_digests


@dataclass(frozen=True, slots=True)
class Chosen:
    """The messages of an account (of all, for none) that a query finds (all, for none).

    Where there are ``digests``, these and no others, whatever the query says.
    """

    account: str = ""
    query: str = ""
    digests: tuple[str, ...] = ()

    def as_details(self) -> dict[str, object]:
        """Return what is written down of it."""
        return {"account": self.account, "query": self.query, "digests": list(self.digests)}

    @classmethod
    def of_details(cls, details: Mapping[str, object]) -> Chosen:
        """Return what was written down."""
        digests = details["digests"]
        ticked = tuple(map(str, digests)) if isinstance(digests, list) else ()
        return cls(str(details["account"]), str(details["query"]), ticked)

    def accounts(self, config: Config) -> Sequence[Account]:
        """Return the accounts whose messages it takes."""
        return config.select([self.account] if self.account else [])

    def wanted(self, config: Config, ledger: Ledger) -> set[Digest] | None:
        """Return the contents it takes, None for all of its accounts."""
        if self.digests:
            return {Digest(bytes.fromhex(digest)) for digest in self.digests}
        return find_digests(self.query or None, config, ledger).digests

    def count(self, digests: set[Digest] | None, config: Config, ledger: Ledger) -> int | None:
        """Return about how many these are, None where that is not known before all of them are read."""
        if digests is not None:
            return len(digests) if self.digests or not self.account else None
        places = places_of(config)
        shared = Counter(identity for identities in places.values() for identity in set(identities))
        accounts, total = self.accounts(config), 0
        holdings = ledger.archive.holdings({identity for account in accounts for identity in places[account.name]})
        for account in accounts:
            own = [identity for identity in places[account.name] if shared[identity] == 1]
            if not own:
                return None
            total += max(holdings.get(identity, (0, 0))[0] for identity in own)
        return total

    def in_words(self) -> str:
        """Say which these are; empty for everything."""
        if self.digests:
            count = len(self.digests)
            return ngettext("%(number)d ticked message", "%(number)d ticked messages", count) % {"number": count}
        return ": ".join(filter(None, (self.account, self.query)))
