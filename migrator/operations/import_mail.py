"""Copy mail from files and folders into an account's destinations, each message once and proven."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.copying.copier import Copier
from migrator.copying.in_turn import CopyToAll
from migrator.interchange.importer import Imported, Importer
from migrator.interchange.importing.items import Item
from migrator.interchange.importing.sources import Sources
from migrator.interchange.mail_files import Variant
from migrator.report import OnProgress, no_progress
from migrator.run.account_lock import owned_account
from migrator.wiring.account import destination_of

if TYPE_CHECKING:
    from migrator.config import Account
    from migrator.ledger import Ledger


def import_mail(
    paths: Sequence[Path],
    variant: Variant | None,
    account: Account,
    state_dir: Path,
    ledger: Ledger,
    *,
    keeps_flags: bool = False,
    clock: Callable[[], float] = time.time,
    on_progress: OnProgress = no_progress,
) -> Imported:
    """Copy every message found at the paths into every destination of an account, under the account's lock.

    ``variant`` is how mbox files quote, None where the files decide; ``keeps_flags``: copies in Maildirs and mailboxes
    are read, flagged and answered as the originals were. Raises ``FerryError`` where a destination is not as the
    ledger knows it.
    """
    sources = Sources(variant, state_dir / "spool")
    items = (item for path in paths for item in sources.found(path))
    return import_items(
        items, account, state_dir, ledger, keeps_flags=keeps_flags, clock=clock, on_progress=on_progress
    )


def import_items(
    items: Iterable[Item],
    account: Account,
    state_dir: Path,
    ledger: Ledger,
    *,
    keeps_flags: bool = False,
    clock: Callable[[], float] = time.time,
    on_progress: OnProgress = no_progress,
) -> Imported:
    """Copy what was found, wherever that was, as ``import_mail`` does."""
    with ExitStack() as stack:
        stack.enter_context(owned_account(ledger, state_dir, account.name))
        copiers: list[Copier] = []
        for place in account.destinations:
            destination = destination_of(place, state_dir)
            stack.callback(destination.close)
            copies = ledger.copies(destination.identity, destination.kind)
            copiers.append(Copier(destination, copies, clock=clock))
        for copier in copiers:
            if problems := copier.inspect():
                raise problems[0]
        importer = Importer(CopyToAll(copiers), keeps_flags=keeps_flags, on_progress=on_progress)
        return importer.copy(items)
