"""Look at everything about a set-up that may be wrong, for the checks that make findings of it (``jobs.doctor``).

Nothing is judged here, and nothing changed. What only the scheduled worker knows is added by who calls this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.operations.check_account import CheckedAccount, check_accounts
from migrator.read_back import ReadFrom, where_read_from
from migrator.wiring.moved_archives import folders_of

if TYPE_CHECKING:
    from migrator.config import Account, Config
    from migrator.ledger import Ledger

IN_MEMORY = frozenset({"tmpfs", "ramfs"})

CheckAccounts = Callable[["Sequence[Account]", Path], Sequence[CheckedAccount]]


@dataclass(frozen=True, slots=True)
class EndpointCheck:
    """One end of an account as it answered: what it offers, or why it did not answer."""

    account: str
    label: str
    facts: Mapping[str, object] = field(default_factory=dict)
    problem: str = ""
    cure: str = ""
    is_source: bool = False


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What the ends and the file systems say. ``mounts`` is the text of /proc/self/mounts.

    ``read_from_memory`` are archive folders of which a read-back does not come from the device.
    """

    ends: tuple[EndpointCheck, ...]
    mounts: str
    read_from_memory: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """What the ledger says of itself. ``newest_run`` is when the last run began, 0.0 for never."""

    problems: tuple[str, ...]
    newest_run: float


def machine_facts(config: Config, *, check: CheckAccounts = check_accounts) -> MachineFacts:
    """Log in at every end of which the passwords can be had, and look at the folders."""
    mounts = _mounts()
    return MachineFacts(
        tuple(_ends(config, check)),
        mounts,
        tuple(folder for folder in folders_of(config).values() if _is_read_from_memory(folder, mounts)),
    )


def ledger_facts(config: Config, ledger: Ledger) -> LedgerFacts:
    """Check the whole database; slow on a large ledger."""
    runs = [run for account in config.accounts for run in ledger.history.last_runs(account.name)]
    return LedgerFacts(tuple(ledger.integrity_problems()), max((run.started_at for run in runs), default=0.0))


def file_system_of(folder: Path, mounts: str) -> str:
    """Return the type of the file system of a folder, by the text of /proc/self/mounts; ``""`` if it does not say."""
    best, kind = "", ""
    for line in mounts.splitlines():
        words = line.split()
        if len(words) >= 3:
            point = words[1].replace("\\040", " ")
            if Path(point) in (folder, *folder.parents) and len(point) >= len(best):
                best, kind = point, words[2]
    return kind


def _ends(config: Config, check: CheckAccounts) -> list[EndpointCheck]:
    reachable = [account for account in config.accounts if not config.missing_secrets([account])]
    return [
        EndpointCheck(
            checked.name,
            end.label,
            end.facts,
            f"[{end.error.kind}] {end.error}" if end.error else "",
            end.error.cure if end.error else "",
            is_source=end is checked.source,
        )
        for checked in check(reachable, config.state_dir)
        for end in (checked.source, *checked.destinations)
    ]


def _is_read_from_memory(folder: Path, mounts: str) -> bool:
    """Measure with one file of an archive where its file system does not say it all; without any, say no."""
    if file_system_of(folder, mounts) in IN_MEMORY:
        return True
    files = (path for name in ("", "new", "cur") for path in (folder / name).glob("*") if path.is_file())
    with suppress(OSError):
        sample = next((path for path in files if path.stat().st_size), None)
        return sample is not None and where_read_from(sample) is ReadFrom.MEMORY
    return False


def _mounts() -> str:
    with suppress(OSError):
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    return ""
