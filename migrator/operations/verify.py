"""Read stored copies again and compare them with what the ledger knows; nothing is repaired."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from migrator.archive.verification import Selection, Verification
from migrator.archive.verify import Check, OnRead
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass, field
from migrator.search.query import Calendar, Dated, QueryError, parse
from migrator.wiring.archive import open_archive
from migrator.wiring.ledger import unknown_folders

if TYPE_CHECKING:
    from migrator.config import Account, Config
    from migrator.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found. ``is_all_known`` says that the ledger knows every folder of the accounts that holds anything."""

    verification: Verification = field(default_factory=Verification)
    is_all_known: bool = True

    @property
    def is_ok(self) -> bool:
        """Whether all that was asked for was read, and is as it should be."""
        return self.verification.is_ok and self.is_all_known

    def as_json(self) -> dict[str, object]:
        """Return the document of ``verify``."""
        return self.verification.as_json()


def parse_since(written: str, today: date | None = None) -> float:
    """Return the moment that a day or an age means, as a query would take it; raises ``ConfigError``."""
    try:
        query = parse(f"after:{written}", Calendar(today or date.today()))  # noqa: DTZ011  # that of the person who asks
    except QueryError as error:
        raise ConfigError([f"--since {written}: {str(error).removeprefix(f'after:{written}: ')}"]) from error
    if not isinstance(query, Dated) or query.start is None:
        raise ConfigError([f"--since {written}: is not a day"])
    return float(query.start)


def verify_archive(
    accounts: Sequence[Account],
    config: Config,
    ledger: Ledger,
    *,
    share: float = 1.0,
    since: float | None = None,
    clock: Callable[[], float] = time.time,
    on_read: OnRead = lambda _copies, _octets: None,
) -> Verified:
    """Check the copies of these accounts, or a share of them, or those archived since a moment.

    What was found is in the ledger on return; so is, where everything was read, that these accounts were verified.
    """
    selection = Selection(tuple(account.name for account in accounts), share, since)
    with open_archive(config, ledger) as reader:
        is_all_known = not unknown_folders(config, accounts, ledger)
        verification = Check(reader, ledger.archive, clock=clock, on_progress=on_read).make(selection)
    if selection == Selection(selection.accounts) and is_all_known:
        left_out = {name for one in verification.unreachable for name in one.accounts}
        ledger.state_store.verified_in_full(set(selection.accounts) - left_out, clock())
    return Verified(verification, is_all_known)
