"""``mailferry status``: what is safe, what waits, the last run and the next, and what went wrong."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE
from migrator.operations.status import AccountStatus, Holding, WorkerView, account_statuses
from migrator.report import Status
from migrator.ui.console import Console, Style
from migrator.ui.text import plain, plural, size, span
from migrator.wiring.ledger import existing_ledger

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from jobs.disk_usage import Disk
    from migrator.config import Account, Config
    from migrator.ledger.history import RunRecord

MAX_PROBLEMS = 5
MANY = 10
"""With more accounts than that, one of which there is nothing to say gets one line."""


def run(arguments: Namespace, screen: Console) -> int:
    """Say where each account stands; looks only at the ledger."""
    config = configuration(arguments, screen)
    statuses, disks = _status(config, config.select(arguments.accounts))
    if screen.is_json:
        accounts = [status.as_json() for status in statuses]
        screen.document({"accounts": accounts, "disks": [disk.as_json() for disk in disks]})
        return DONE
    is_brief = len(statuses) > MANY and not screen.verbosity
    for status in statuses:
        _show(status, screen, is_brief=is_brief)
    if is_brief:
        screen.result(_total(statuses))
    if any(status.worker.is_known for status in statuses):
        _show_worker(config.state_dir, screen)
    for disk in disks:
        _show_disk(disk, screen)
    return DONE


def _status(config: Config, accounts: Sequence[Account]) -> tuple[list[AccountStatus], list[Disk]]:
    ledger = existing_ledger(config)
    if ledger is None:
        return [AccountStatus(account.name) for account in accounts], []
    from jobs.monitoring.stored_view import disks_of, next_run, worker_views

    with closing(ledger):
        workers = worker_views(config, ledger, accounts)
        statuses = account_statuses(accounts, config.state_dir, ledger, workers, next_run(config))
        return statuses, disks_of(config, ledger)


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
    _show_worker_view(status.name, status.worker, screen)
    if status.worker.is_known and status.next_run is not None:
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


def _show_worker_view(name: str, worker: WorkerView, screen: Console) -> None:
    if worker.is_parked:
        parked = screen.styled("parked", Style.BAD)
        screen.result(f"  {parked} until its password or configuration changes: {plain(worker.message)}")
    if worker.damaged:
        copies = plural(worker.damaged, "stored copy is", "stored copies are")
        screen.result(f"  {screen.styled(copies, Style.BAD)} damaged: run mailferry verify {name}")
    if worker.verified_at:
        screen.result(f"  its archive was last verified in full {_ago(worker.verified_at)}")


def _show_worker(state_dir: Path, screen: Console) -> None:
    """Say how the worker is, where there is one."""
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


def _next(due: float) -> str:
    now = time.time()
    return f"in {span(due - now)} ({_minute(due)})" if due > now else f"due since {_minute(due)}"


def _ago(seconds: float) -> str:
    return f"{span(max(time.time() - seconds, 0.0))} ago ({_minute(seconds)})"


def _minute(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"
