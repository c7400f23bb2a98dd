"""Where accounts stand: what is safe, what waits, the last run and the next. Looks only at the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.report import Status
from migrator.wiring.account import destination_of, label_of

if TYPE_CHECKING:
    from pathlib import Path

    from migrator.config import Account
    from migrator.ledger import Ledger
    from migrator.ledger.history import AccountNumbers, RunRecord


@dataclass(frozen=True, slots=True)
class WorkerView:
    """How the scheduled worker left an account; times are seconds since the epoch, 0.0 for never.

    ``damaged`` counts the copies in its destinations that are known to be wrong.
    """

    is_known: bool = False
    is_parked: bool = False
    message: str = ""
    failed_runs: int = 0
    next_due: float = 0.0
    damaged: int = 0
    verified_at: float = 0.0


NextRun = Callable[["Account", "RunRecord"], float]
"""When the schedule works an account again that was last worked like this, if all is well with it."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What one destination holds, of whatever account: accounts may share one."""

    destination: str
    messages: int
    octets: int

    def as_json(self) -> dict[str, object]:
        """Return the object of one destination."""
        return {"destination": self.destination, "messages": self.messages, "bytes": self.octets}


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """Where one account stands; ``numbers`` and the runs are None while there was no run."""

    name: str
    numbers: AccountNumbers | None = None
    last_run: RunRecord | None = None
    last_success: RunRecord | None = None
    next_run: float | None = None
    worker: WorkerView = WorkerView()
    archived: tuple[Holding, ...] = ()

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing that a person would want to look at."""
        if self.numbers is None or self.last_run is None or self.last_run.status is not Status.OK:
            return False
        is_troubled = self.worker.is_parked or self.worker.damaged > 0
        return not (self.numbers.waiting or self.numbers.failed or is_troubled)

    def as_json(self) -> dict[str, object]:
        """Return the account's object; times are RFC 3339 or null."""
        numbers = self.numbers
        return {
            "name": self.name,
            "on_server": numbers.on_server if numbers else 0,
            "safe": numbers.safe if numbers else 0,
            "waiting": numbers.waiting if numbers else 0,
            "failed": numbers.failed if numbers else 0,
            "deleted": numbers.deleted if numbers else 0,
            "bytes_safe": numbers.octets_safe if numbers else 0,
            "archived": [holding.as_json() for holding in self.archived],
            "oldest_not_safe": _moment(numbers.oldest_unsafe if numbers else None),
            "last_run": _run_as_json(self.last_run),
            "last_success": _moment(self.last_success.ended_at if self.last_success else None),
            "next_run": _moment(self.next_run),
            "parked": self.worker.is_parked,
            "failed_runs": self.worker.failed_runs,
            "damaged": self.worker.damaged,
            "last_full_verification": _moment(self.worker.verified_at or None),
        }


def account_statuses(
    accounts: Sequence[Account],
    state_dir: Path,
    ledger: Ledger,
    workers: Mapping[str, WorkerView],
    next_run: NextRun,
) -> list[AccountStatus]:
    """Return where each account stands."""
    holdings = ledger.archive.holdings()
    return [
        _status(account, ledger, workers[account.name], next_run, _archived(account, state_dir, holdings))
        for account in accounts
    ]


def _archived(account: Account, state_dir: Path, holdings: Mapping[str, tuple[int, int]]) -> tuple[Holding, ...]:
    return tuple(
        Holding(label_of(place), *holdings.get(destination_of(place, state_dir).identity, (0, 0)))
        for place in account.destinations
    )


def _status(
    account: Account,
    ledger: Ledger,
    worker: WorkerView,
    next_run: NextRun,
    archived: tuple[Holding, ...],
) -> AccountStatus:
    history = ledger.history
    last = next(iter(history.last_runs(account.name)), None)
    return AccountStatus(
        account.name,
        history.numbers(account.name),
        last,
        history.last_success(account.name),
        _due(account, last, worker, next_run) if last else None,
        worker,
        archived,
    )


def _due(account: Account, last: RunRecord, worker: WorkerView, next_run: NextRun) -> float | None:
    """Return when the account is due: as the worker has it; a parked one is not, until its password changes."""
    if worker.is_parked:
        return None
    return worker.next_due if worker.next_due >= last.started_at else next_run(account, last)


def _run_as_json(record: RunRecord | None) -> dict[str, object] | None:
    if record is None:
        return None
    times: dict[str, object] = {"started": _moment(record.started_at), "ended": _moment(record.ended_at)}
    return times | {"status": str(record.status) if record.status else None, "report": record.report}


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
