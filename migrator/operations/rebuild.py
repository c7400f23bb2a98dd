"""Learn again what the ledger knows of copies, from the archive files alone.

A ledger that is damaged is set aside, never deleted. One that is sound keeps everything but its copies: runs,
deletions, and what the maildrops showed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.archive.reader import ArchiveFolder
from migrator.archive.rebuild import Relearned, relearn
from migrator.archive.verification import Selection, Verification
from migrator.archive.verify import Check
from migrator.copying.copier import Copier
from migrator.errors import AwayError, FerryError
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import FILE_NAME, Ledger
from migrator.ledger.sqlite.connection import is_damage
from migrator.report import OnProgress, no_progress
from migrator.run.account_lock import account_locks
from migrator.wiring.archive import open_archive
from migrator.wiring.ledger import open_ledger

if TYPE_CHECKING:
    from migrator.config import Config


@dataclass(frozen=True, slots=True)
class DamagedLedger:
    """A ledger that was set aside: where it is ``kept``, and what is wrong, ``""`` where it could not be opened."""

    kept: Path
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RebuiltLedger:
    """What was found in each folder, and what proving it showed; ``left_alone`` are destinations on servers."""

    learned: tuple[Relearned, ...]
    verification: Verification
    left_alone: tuple[str, ...]

    @property
    def is_ok(self) -> bool:
        """Whether everything known stands in the folders, and is proven, and no volume is packed."""
        return self.verification.is_ok and not any(one.missed or one.packed for one in self.learned)

    def as_json(self) -> dict[str, object]:
        """Return the document of ``rebuild-ledger``."""
        return {
            "destinations": [one.as_json() for one in self.learned],
            "checked": self.verification.checked,
            "ok": self.verification.ok,
            "damaged": [damage.as_json() for damage in self.verification.damaged],
        }


def rebuild_ledger(
    config: Config,
    *,
    clock: Callable[[], float] = time.time,
    on_damage: Callable[[DamagedLedger], None] = lambda _damaged: None,
    on_found: OnProgress = no_progress,
    on_checked: OnProgress = no_progress,
) -> RebuiltLedger:
    """Look through every archive folder, then prove what was found; under the locks of all accounts.

    The ledger is opened here: it may have to be set aside first, which ``on_damage`` hears.
    """
    with ExitStack() as stack:
        stack.enter_context(account_locks(config.state_dir, (account.name for account in config.accounts)))
        if damaged := _set_aside_if_damaged(config, clock):
            on_damage(damaged)
        ledger = stack.enter_context(closing(open_ledger(config)))
        return _rebuilt(config, ledger, clock, on_found, on_checked)


def _set_aside_if_damaged(config: Config, clock: Callable[[], float]) -> DamagedLedger | None:
    path = config.state_dir / FILE_NAME
    if config.ledger:
        return None  # a database is whole, or its own backup is put back
    if not path.exists():
        return None
    problem = ""
    try:
        with closing(open_ledger(config)) as ledger:
            problem = next(iter(_problems(ledger)), "")
            if not problem:
                return None
    except FerryError as error:
        if not is_damage(error):
            raise
    return DamagedLedger(_set_aside(path, clock), problem)


def _problems(ledger: Ledger) -> list[str]:
    try:
        return ledger.integrity_problems()
    except FerryError as error:
        return [error.message]


def _set_aside(path: Path, clock: Callable[[], float]) -> Path:
    kept = path.with_name(f"{path.name}.damaged-{datetime.fromtimestamp(clock(), UTC):%Y%m%dT%H%M%S}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept


def _rebuilt(
    config: Config, ledger: Ledger, clock: Callable[[], float], on_found: OnProgress, on_checked: OnProgress
) -> RebuiltLedger:
    with open_archive(config, ledger, even_unknown=True) as reader:
        ours = [archive_folder for archive_folder in reader.all if not archive_folder.is_mailbox]
        for archive_folder in ours:  # first let it mend what a crash left, while the intents are still known
            if _is_known(archive_folder):
                with suppress(AwayError):
                    Copier(archive_folder.destination, archive_folder.copies, clock=clock).inspect()
        learned = [relearn(archive_folder, ledger.archive, on_progress=on_found) for archive_folder in ours]
        left_alone = tuple(one.destination.label for one in reader.all if one.is_mailbox)
        check = Check(
            reader.only(ours), ledger.archive, clock=clock, on_progress=lambda copies, _octets: on_checked(copies)
        )
        return RebuiltLedger(tuple(learned), check.make(Selection()), left_alone)


def _is_known(archive_folder: ArchiveFolder) -> bool:
    """Say whether the ledger knows anything of a folder that what stands there is to be compared with."""
    known = archive_folder.copies.recollection()
    return bool(known.intents or known.volumes or archive_folder.copies.copies_known())
