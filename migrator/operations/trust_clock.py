"""A person has looked at the clock, and it is right: what is deleted by its age may be again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrator.config import Account
    from migrator.ledger import Ledger


def trust_clock(accounts: Sequence[Account], ledger: Ledger) -> None:
    """Note that the clock is right for these accounts; durable on return. A clock that jumps later is doubted again."""
    for account in accounts:
        source = account.source
        ledger.maildrop(account.name, source.host, source.port, source.username).clock_doubted(None)
