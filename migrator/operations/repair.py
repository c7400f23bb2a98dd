"""Fetch again what a verification found damaged, from another destination or from the source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from migrator.archive.mend import Mender
from migrator.archive.repair import Repair, Repaired
from migrator.run.account_lock import owned_account
from migrator.run.refetch import refetched
from migrator.wiring.account import open_source
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from migrator.config import Account, Config
    from migrator.ledger import Ledger
    from migrator.message.body import Message
    from migrator.model import Digest
    from migrator.pop3.session import Session


def repair_copies(
    accounts: Sequence[Account],
    config: Config,
    ledger: Ledger,
    *,
    open_source: Callable[[Account], Session] = open_source,
) -> Repaired:
    """Repair the damaged copies of these accounts, under their locks; asked again, there is nothing left to do."""
    by_name = {account.name: account for account in accounts}

    def fetch(name: str, wanted: dict[Digest, bytes]) -> Iterator[Message]:
        if name not in by_name:
            return iter(())
        return refetched(open_source(by_name[name]), wanted, config.state_dir)

    with ExitStack() as stack:
        for account in accounts:
            stack.enter_context(owned_account(ledger, config.state_dir, account.name))
        reader = stack.enter_context(open_archive(config, ledger))
        return Repair(reader, ledger.archive, Mender(ledger.archive), fetch).make(list(by_name))
