"""Where accounts stand: what is safe, what waits, the last run and the next, by the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.config.many_accounts import in_parts
from migrator.findings.find import by_account
from migrator.findings.model import Finding, Severity
from migrator.lazy_dataclasses import dataclass
from migrator.operations.look_at_accounts import last_successes, set_aside_by_account
from migrator.report import Status, shown_unique_id
from migrator.wiring.account import identity_of, label_of

if TYPE_CHECKING:
    from pathlib import Path

    from migrator.config import Account
    from migrator.ledger import Ledger
    from migrator.ledger.history import AccountNumbers, RunRecord, SetAside


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
    """Where one account stands; ``numbers`` and the runs are None while there was no run.

    ``as_of`` is when its source last showed what it holds, None while it never did. ``accepted`` are the unique-ids, as
    they are shown, of the messages that a person has accepted as they are.
    """

    name: str
    numbers: AccountNumbers | None = None
    last_run: RunRecord | None = None
    last_success: RunRecord | None = None
    next_run: float | None = None
    worker: WorkerView = WorkerView()
    archived: tuple[Holding, ...] = ()
    as_of: float | None = None
    findings: tuple[Finding, ...] = ()
    accepted: frozenset[str] = frozenset()

    @property
    def problems(self) -> list[str]:
        """What the last run met and nobody has accepted since."""
        errors = self.last_run.report.get("errors") if self.last_run else None
        told = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        left = [f"[{one['kind']}] {one['message']}" for one in told if one.get("uidl") not in self.accepted]
        return list(dict.fromkeys(left))

    @property
    def is_done(self) -> bool:
        """Whether the last run did everything, but for what a person has accepted since."""
        if self.last_run is None or self.last_run.status is not Status.PARTIAL:
            return self.last_run is not None and self.last_run.status is Status.OK
        return bool(self.last_run.report.get("errors")) and not self.problems

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing that a person would want to look at."""
        if self.numbers is None or not self.is_done:
            return False
        is_troubled = any(finding.severity is not Severity.HINT for finding in self.findings)
        return not (self.numbers.waiting or self.numbers.failed or is_troubled)

    def as_json(self) -> dict[str, object]:
        """Return the account's object; times are RFC 3339 or null."""
        numbers = self.numbers
        return {
            "name": self.name,
            "on_server": numbers.on_server if numbers and self.as_of is not None else None,
            "as_of": _moment(self.as_of),
            "safe": numbers.safe if numbers else 0,
            "waiting": numbers.waiting if numbers else 0,
            "failed": numbers.failed if numbers else 0,
            "accepted": numbers.accepted if numbers else 0,
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
    findings: Sequence[Finding] = (),
) -> list[AccountStatus]:
    """Return where each account stands, with what was found of it."""
    found, holdings = by_account(findings), dict[str, tuple[int, int]]()
    statuses: list[AccountStatus] = []
    for part in in_parts(accounts):
        places = {identity_of(place, state_dir) for account in part for place in account.destinations}
        if new := places - holdings.keys():  # each is counted once, whatever the number of accounts that have it
            holdings |= dict.fromkeys(new, (0, 0)) | ledger.archive.holdings(new)
        known = _known(part, holdings, ledger)
        statuses += [
            _status(account, state_dir, known, workers[account.name], next_run, found.get(account.name, ()))
            for account in part
        ]
    return statuses


@dataclass(frozen=True, slots=True)
class _Known:
    """What the ledger knows of some accounts, by their names, and of their destinations."""

    numbers: Mapping[str, AccountNumbers]
    runs: Mapping[str, RunRecord]
    successes: Mapping[str, RunRecord]
    listed: Mapping[str, float]
    set_aside: Mapping[str, Sequence[SetAside]]
    holdings: Mapping[str, tuple[int, int]]


def _known(accounts: Sequence[Account], holdings: Mapping[str, tuple[int, int]], ledger: Ledger) -> _Known:
    """Ask the ledger each thing of all these accounts at one time."""
    names = [account.name for account in accounts]
    runs = ledger.history.newest_runs(names)
    return _Known(
        ledger.history.numbers_of(names),
        runs,
        last_successes(runs, names, ledger),
        ledger.overview.newest_listed(names),
        set_aside_by_account(names, ledger),
        holdings,
    )


def unseen(accounts: Sequence[Account], state_dir: Path, findings: Sequence[Finding] = ()) -> list[AccountStatus]:
    """Return where accounts stand of which nothing is known yet."""
    found = by_account(findings)
    return [
        AccountStatus(
            account.name, archived=_archived(account, state_dir, {}), findings=tuple(found.get(account.name, ()))
        )
        for account in accounts
    ]


def _archived(account: Account, state_dir: Path, holdings: Mapping[str, tuple[int, int]]) -> tuple[Holding, ...]:
    return tuple(
        Holding(label_of(place), *holdings.get(identity_of(place, state_dir), (0, 0))) for place in account.destinations
    )


def _status(
    account: Account,
    state_dir: Path,
    known: _Known,
    worker: WorkerView,
    next_run: NextRun,
    findings: Sequence[Finding],
) -> AccountStatus:
    name, last = account.name, known.runs.get(account.name)
    is_paused = any(finding.id == "paused" for finding in findings)
    return AccountStatus(
        name,
        known.numbers[name],
        last,
        known.successes.get(name),
        due_at(account, last, worker, next_run, is_paused=is_paused) if last else None,
        worker,
        _archived(account, state_dir, known.holdings),
        known.listed.get(name),
        tuple(findings),
        frozenset(
            shown_unique_id(one.unique_id) for one in known.set_aside.get(name, ()) if one.is_accepted and one.unique_id
        ),
    )


def due_at(
    account: Account, last: RunRecord, worker: WorkerView, next_run: NextRun, *, is_paused: bool = False
) -> float | None:
    """Return when the account is due: as the worker has it; one that is paused or parked is not, until that ends."""
    if worker.is_parked or is_paused:
        return None
    return worker.next_due if worker.next_due >= last.started_at else next_run(account, last)


def _run_as_json(record: RunRecord | None) -> dict[str, object] | None:
    if record is None:
        return None
    times: dict[str, object] = {"started": _moment(record.started_at), "ended": _moment(record.ended_at)}
    return times | {"status": str(record.status) if record.status else None, "report": record.report}


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
