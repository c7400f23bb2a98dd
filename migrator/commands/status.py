"""``mailferry status``: what is safe, what waits, the last run and the next, and what went wrong."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.commands import DONE
from migrator.commands.opening import configuration, existing_ledger
from migrator.report import Status
from migrator.screen import Screen, Style
from migrator.words import counted, plain, size, span

if TYPE_CHECKING:
    from argparse import Namespace

    from jobs.alerts import Disk
    from jobs.snapshot import AccountView
    from migrator.config import Account, Schedule
    from migrator.ledger import Ledger
    from migrator.ledger.history import AccountNumbers, RunRecord

MAX_PROBLEMS = 5


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """Where one account stands; ``numbers`` and the runs are None while it was never worked."""

    name: str
    numbers: AccountNumbers | None = None
    last_run: RunRecord | None = None
    last_success: RunRecord | None = None
    next_run: float | None = None
    view: AccountView | None = None
    """How the scheduled worker left it."""

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
            "oldest_not_safe": _moment(numbers.oldest_unsafe if numbers else None),
            "last_run": _run_as_json(self.last_run),
            "last_success": _moment(self.last_success.ended_at if self.last_success else None),
            "next_run": _moment(self.next_run),
            "parked": self.view is not None and self.view.state.is_parked,
            "failed_runs": self.view.state.attempts if self.view else 0,
            "damaged": self.view.damaged if self.view else 0,
            "last_full_verification": _moment((self.view.verified_at or None) if self.view else None),
        }


def run(arguments: Namespace, screen: Screen) -> int:
    """Say where each account stands; looks only at the ledger."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    ledger = existing_ledger(config.state_dir)
    if ledger is None:
        statuses, disks = [AccountStatus(account.name) for account in accounts], []
    else:
        from jobs.outlook import disks_of, views_of

        with closing(ledger):
            views = {view.name: view for view in views_of(config, ledger, accounts)}
            statuses = [
                _status(account, ledger, account.schedule or config.schedule, views[account.name])
                for account in accounts
            ]
            disks = disks_of(config, ledger)
    if screen.is_json:
        accounts_json = [status.as_json() for status in statuses]
        screen.document({"accounts": accounts_json, "disks": [disk.as_json() for disk in disks]})
    else:
        for status in statuses:
            _show(status, screen)
        for disk in disks:
            _show_disk(disk, screen)
    return DONE


def _status(account: Account, ledger: Ledger, schedule: Schedule, view: AccountView) -> AccountStatus:
    history = ledger.history
    last = next(iter(history.last_runs(account.name)), None)
    return AccountStatus(
        account.name,
        view.numbers,
        last,
        history.last_success(account.name),
        _due(view, schedule, last) if last else None,
        view,
    )


def _due(view: AccountView, schedule: Schedule, last: RunRecord) -> float | None:
    """Return when the account is due: as the worker has it; a parked one is not, until its password changes."""
    if view.state.is_parked:
        return None
    return view.state.next_due if view.state.next_due >= last.started_at else _next_run(schedule, last)


def _next_run(schedule: Schedule, last: RunRecord) -> float:
    """Return when `mailferry run` would work the account again, if all is well with it."""
    if schedule.cron is None:
        every = schedule.every.total_seconds() if schedule.every else 0.0
        return last.started_at + every
    from jobs.clock import Timetable

    now = max(last.started_at, time.time())
    return Timetable(schedule, last.account, now).next_after(now)


def _show(status: AccountStatus, screen: Screen) -> None:
    numbers = status.numbers
    if numbers is None or status.last_run is None:
        screen.result(f"{status.name}: never worked; mailferry migrate {status.name} does")
        return
    stand = (
        f"{numbers.safe:,} safe ({size(numbers.octets_safe)}) + {numbers.waiting:,} waiting + {numbers.failed:,} failed"
    )
    on_server = counted(numbers.on_server, "message")
    screen.result(f"{status.name}: {on_server} on the server = {stand}; {numbers.deleted:,} deleted so far")
    screen.result(f"  last run {_ago(status.last_run.started_at)}: {_ending(status.last_run, screen)}")
    if status.last_success is None:
        screen.result("  no run has ended well so far")
    elif status.last_success != status.last_run:
        screen.result(f"  last run that ended well {_ago(status.last_success.started_at)}")
    for problem in _problems(status.last_run)[:MAX_PROBLEMS]:
        screen.result(plain(f"    {problem}"))
    if numbers.oldest_unsafe is not None:
        screen.result(f"  the oldest message that is not safe was first seen {_ago(numbers.oldest_unsafe)}")
    if status.view:
        _show_view(status.view, screen)
    if numbers.failed:
        screen.result(f"  {counted(numbers.failed, 'message')} set aside: see mailferry quarantine {status.name}")


def _show_view(view: AccountView, screen: Screen) -> None:
    if view.state.is_parked:
        parked = screen.styled("parked", Style.BAD)
        screen.result(f"  {parked} until its password or configuration changes: {plain(view.state.message)}")
    if view.damaged:
        copies = counted(view.damaged, "stored copy is", "stored copies are")
        screen.result(f"  {screen.styled(copies, Style.BAD)} wrong or gone: run mailferry verify {view.name}")
    if view.verified_at:
        screen.result(f"  its archive was last verified in full {_ago(view.verified_at)}")


def _show_disk(disk: Disk, screen: Screen) -> None:
    forecast = "" if disk.full_in == float("inf") else f", full in about {span(disk.full_in)} at this pace"
    screen.result(plain(f"{disk.path}: {size(disk.free)} of {size(disk.total)} free{forecast}"))


def _ending(record: RunRecord, screen: Screen) -> str:
    words = {
        Status.OK: ("done", Style.GOOD),
        Status.PARTIAL: ("not everything was done", Style.WARNING),
        Status.FAILED: ("FAILED", Style.BAD),
    }
    if record.status is None:
        return screen.styled("still going on, or it was killed", Style.WARNING)
    return screen.styled(*words[record.status])


def _problems(record: RunRecord) -> list[str]:
    errors = record.report.get("errors")
    listed = errors if isinstance(errors, list) else []
    return list(dict.fromkeys(f"[{error['kind']}] {error['message']}" for error in listed if isinstance(error, dict)))


def _run_as_json(record: RunRecord | None) -> dict[str, object] | None:
    if record is None:
        return None
    times: dict[str, object] = {"started": _moment(record.started_at), "ended": _moment(record.ended_at)}
    return times | {"status": str(record.status) if record.status else None, "report": record.report}


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _ago(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC).astimezone()
    return f"{span(max(time.time() - seconds, 0.0))} ago ({moment:%Y-%m-%d %H:%M})"
