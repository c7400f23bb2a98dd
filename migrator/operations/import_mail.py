"""Copy mail from files and folders into an account's destinations, each message once and proven."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.copying.copier import Copier
from migrator.copying.in_turn import CopyToAll
from migrator.interchange.import_sources import Sources
from migrator.interchange.importer import Imported, Importer
from migrator.interchange.mail_files import Variant
from migrator.report import OnProgress, no_progress
from migrator.run.account_lock import account_lock
from migrator.wiring.account import destination_of

if TYPE_CHECKING:
    from migrator.config import Account
    from migrator.ledger import Ledger


def import_mail(
    paths: Sequence[Path],
    variant: Variant,
    account: Account,
    state_dir: Path,
    ledger: Ledger,
    *,
    clock: Callable[[], float] = time.time,
    on_progress: OnProgress = no_progress,
) -> Imported:
    """Copy every message found at the paths into every destination of an account, under the account's lock.

    ``variant`` is how mbox files quote. Raises ``FerryError`` where a destination is not as the ledger knows it.
    """
    sources = Sources(variant, state_dir / "spool")
    with ExitStack() as stack:
        stack.enter_context(account_lock(state_dir, account.name))
        copiers: list[Copier] = []
        for place in account.destinations:
            destination = destination_of(place, state_dir)
            stack.callback(destination.close)
            copies = ledger.copies(destination.identity, destination.kind)
            copiers.append(Copier(destination, copies, clock=clock))
        for copier in copiers:
            if problems := copier.inspect():
                raise problems[0]
        items = (item for path in paths for item in sources.found(path))
        return Importer(CopyToAll(copiers), on_progress=on_progress).copy(items)
