"""``mailferry status``: what is safe, what waits, the last run and the next, and what went wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.cli.context import configuration, existing_ledger
from migrator.cli.exit_codes import DONE
from migrator.report import Status
from migrator.ui.console import Console, Style
from migrator.ui.text import plain, plural, size, span

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from jobs.disk_usage import Disk
    from jobs.monitoring.snapshot import AccountView
    from migrator.config import Account, Config, Schedule
    from migrator.ledger import Ledger
    from migrator.ledger.history import AccountNumbers, RunRecord

MAX_PROBLEMS = 5
MANY = 10
"""With more accounts than that, one of which there is nothing to say gets one line."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What one destination holds, whoever brought it: accounts may share one."""

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
    view: AccountView | None = None
    """How the scheduled worker left it."""
    archived: tuple[Holding, ...] = ()

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing that a person would want to look at."""
        if self.numbers is None or self.last_run is None or self.last_run.status is not Status.OK:
            return False
        is_troubled = self.view is not None and (self.view.state.is_parked or self.view.damaged > 0)
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
            "parked": self.view is not None and self.view.state.is_parked,
            "failed_runs": self.view.state.attempts if self.view else 0,
            "damaged": self.view.damaged if self.view else 0,
            "last_full_verification": _moment((self.view.verified_at or None) if self.view else None),
        }


def run(arguments: Namespace, screen: Console) -> int:
    """Say where each account stands; looks only at the ledger."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    ledger = existing_ledger(config)
    if ledger is None:
        statuses, disks = [AccountStatus(account.name) for account in accounts], []
    else:
        from jobs.monitoring.stored_view import disks_of, views_of

        with closing(ledger):
            views = {view.name: view for view in views_of(config, ledger, accounts)}
            holdings = ledger.archive.holdings()
            statuses = [
                _status(account, ledger, config, views[account.name], _archived(account, config, holdings))
                for account in accounts
            ]
            disks = disks_of(config, ledger)
    if screen.is_json:
        accounts_json = [status.as_json() for status in statuses]
        screen.document({"accounts": accounts_json, "disks": [disk.as_json() for disk in disks]})
    else:
        is_brief = len(statuses) > MANY and not screen.verbosity
        for status in statuses:
            _show(status, screen, is_brief=is_brief)
        if is_brief:
            screen.result(_total(statuses))
        if any(status.view and status.view.state.first_seen for status in statuses):
            _show_worker(config.state_dir, screen)
        for disk in disks:
            _show_disk(disk, screen)
    return DONE


def _archived(account: Account, config: Config, holdings: Mapping[str, tuple[int, int]]) -> tuple[Holding, ...]:
    from migrator.wiring.account import destination_of, label_of

    return tuple(
        Holding(label_of(place), *holdings.get(destination_of(place, config.state_dir).identity, (0, 0)))
        for place in account.destinations
    )


def _status(
    account: Account, ledger: Ledger, config: Config, view: AccountView, archived: tuple[Holding, ...]
) -> AccountStatus:
    history, schedule = ledger.history, account.schedule or config.schedule
    last = next(iter(history.last_runs(account.name)), None)
    return AccountStatus(
        account.name,
        view.numbers,
        last,
        history.last_success(account.name),
        _due(view, schedule, last) if last else None,
        view,
        archived,
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
    from jobs.schedule.timetable import Timetable

    now = max(last.started_at, time.time())
    return Timetable(schedule, last.account, now).next_after(now)


def _total(statuses: Sequence[AccountStatus]) -> str:
    troubled = [status.name for status in statuses if not status.is_quiet]
    if not troubled:
        return f"{plural(len(statuses), 'account')}: all is well"
    return (
        f"{plural(len(statuses), 'account')}: {plural(len(statuses) - len(troubled), 'is well', 'are well')}, "
        f"{plural(len(troubled), 'wants a look', 'want a look')} (-v says more of all)"
    )


def _show(status: AccountStatus, screen: Console, *, is_brief: bool) -> None:
    numbers = status.numbers
    if numbers is None or status.last_run is None:
        screen.result(f"{status.name}: no run so far; this starts one: mailferry migrate {status.name}")
        for held in status.archived:
            _show_holding(held, screen)
        return
    if is_brief and status.is_quiet:
        on_server = f"{numbers.on_server:,} on the server, all safe"
        screen.result(f"{status.name}: {on_server}; last run {_ago(status.last_run.started_at)}")
        return
    stand = (
        f"{numbers.safe:,} safe ({size(numbers.octets_safe)}) + {numbers.waiting:,} waiting + {numbers.failed:,} failed"
    )
    on_server = f"{plural(numbers.on_server, 'message')} on the server" if numbers.on_server else "the server is empty"
    there = f"{on_server} = {stand}" if numbers.on_server else on_server
    screen.result(f"{status.name}: {there}; {numbers.deleted:,} deleted so far")
    for held in status.archived:
        _show_holding(held, screen)
    _show_runs(status.last_run, status.last_success, screen)
    if numbers.oldest_unsafe is not None:
        screen.result(f"  the oldest message that is not safe was first seen {_ago(numbers.oldest_unsafe)}")
    if status.view:
        _show_view(status.view, screen)
        if status.view.state.first_seen and status.next_run is not None:
            screen.result(f"  next run by mailferry run: {_next(status.next_run)}")
    if numbers.failed:
        screen.result(f"  {plural(numbers.failed, 'message')} set aside: see mailferry quarantine {status.name}")


def _show_runs(last: RunRecord, success: RunRecord | None, screen: Console) -> None:
    screen.result(f"  last run {_ago(last.started_at)}: {_ending(last, screen)}")
    if success is None:
        screen.result("  no run has ended well so far")
    elif success != last:
        screen.result(f"  last run that ended well {_ago(success.started_at)}")
    for problem in _problems(last)[:MAX_PROBLEMS]:
        screen.result(plain(f"    {problem}"))


def _show_holding(held: Holding, screen: Console) -> None:
    if held.messages:
        archived = f"{plural(held.messages, 'message')} ({size(held.octets)})"
        screen.result(plain(f"  archived: {archived}, proven, in {held.destination}"))


def _show_view(view: AccountView, screen: Console) -> None:
    if view.state.is_parked:
        parked = screen.styled("parked", Style.BAD)
        screen.result(f"  {parked} until its password or configuration changes: {plain(view.state.message)}")
    if view.damaged:
        copies = plural(view.damaged, "stored copy is", "stored copies are")
        screen.result(f"  {screen.styled(copies, Style.BAD)} damaged: run mailferry verify {view.name}")
    if view.verified_at:
        screen.result(f"  its archive was last verified in full {_ago(view.verified_at)}")


def _show_worker(state_dir: Path, screen: Console) -> None:
    """Say how the worker is, to whoever has one."""
    from jobs.monitoring.health import HealthVerdict, read

    health = read(state_dir, time.time())
    if health.verdict is HealthVerdict.UNHEALTHY:
        problem = screen.styled("; ".join(health.reasons), Style.BAD)
        screen.result(f"mailferry run: {problem}")
    else:
        screen.result(plain(f"mailferry run is up (working now: {health.summary})"))


def _show_disk(disk: Disk, screen: Console) -> None:
    forecast = "" if disk.full_in == float("inf") else f", full in about {span(disk.full_in)} at this pace"
    screen.result(plain(f"{disk.path}: {size(disk.free)} of {size(disk.total)} free{forecast}"))


def _ending(record: RunRecord, screen: Console) -> str:
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


def _next(due: float) -> str:
    now = time.time()
    return f"in {span(due - now)} ({_minute(due)})" if due > now else f"due since {_minute(due)}"


def _ago(seconds: float) -> str:
    return f"{span(max(time.time() - seconds, 0.0))} ago ({_minute(seconds)})"


def _minute(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"
