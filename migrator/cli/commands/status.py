"""``mailferry status``: what is safe, what waits, the last run and the next, and what went wrong."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.cli.finding_lines import invocation_of, show_finding
from migrator.findings.model import Severity
from migrator.operations.status import AccountStatus, Holding, WorkerView
from migrator.report import Status
from migrator.ui.console import Console, Style
from migrator.ui.text import day_and_time, plain, plural, size, span

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from jobs.disk_usage import Disk
    from migrator.ledger.history import AccountNumbers, RunRecord

MAX_PROBLEMS = 5
NAMED = 3
"""How many accounts are named of which nothing can be read."""
MANY = 10
"""With more accounts than that, one of which there is nothing to say gets one line."""


def run(arguments: Namespace, screen: Console) -> int:
    """Say where each account stands; looks only at the ledger."""
    from jobs.status import installation_status

    config = configuration(arguments, screen, is_to_find_out=True)
    seen = installation_status(config, config.select(arguments.accounts), time.time(), invocation_of(arguments))
    statuses, disks, found = seen.accounts, seen.disks, seen.findings
    if screen.is_json:
        screen.document(seen.as_json())
        return NOT_ALL_DONE if seen.is_blind else DONE
    if seen.is_blind:
        names = ", ".join(status.name for status in statuses[:NAMED]) + (" …" if len(statuses) > NAMED else "")
        screen.result(f"{names}: what is known of {'it' if len(statuses) == 1 else 'them'} cannot be read")
    is_brief = len(statuses) > MANY and not screen.verbosity
    for status in statuses if not seen.is_blind else ():
        _show(status, screen, is_brief=is_brief, is_worked=seen.is_worked)
    if is_brief and not screen.is_quiet and not seen.is_blind:
        screen.result(_total(statuses))
    if any(status.worker.is_known for status in statuses) and not screen.is_quiet:
        _show_worker(config.state_dir, screen)
    for disk in disks if not screen.is_quiet else ():
        _show_disk(disk, screen)
    for finding in found:
        show_finding(finding, screen)
    return NOT_ALL_DONE if seen.is_blind else DONE


def _total(statuses: Sequence[AccountStatus]) -> str:
    troubled = [status.name for status in statuses if not status.is_quiet]
    if not troubled:
        return f"{plural(len(statuses), 'account')}: all is well"
    return (
        f"{plural(len(statuses), 'account')}: {plural(len(statuses) - len(troubled), 'is well', 'are well')}, "
        f"{plural(len(troubled), 'wants a look', 'want a look')} (-v says more of all)"
    )


def _show(status: AccountStatus, screen: Console, *, is_brief: bool, is_worked: bool) -> None:
    numbers = status.numbers
    if status.is_quiet and screen.is_quiet:
        return
    if numbers is None or status.last_run is None:
        screen.result(f"{status.name}: no run so far; this starts one: mailferry migrate {status.name}")
        for held in status.archived:
            _show_holding(held, status, screen)
        return
    if is_brief and status.is_quiet:
        but = f" but {numbers.accepted:,} accepted as found" if numbers.accepted else ""
        on_server = f"{numbers.on_server:,} on the server, all safe{but}"
        screen.result(f"{status.name}: {on_server}; last run {_ago(status.last_run.started_at)}")
        return
    screen.result(f"{status.name}: {_stand(status, numbers)}; {numbers.deleted:,} deleted so far")
    for held in status.archived:
        _show_holding(held, status, screen)
    _show_runs(status, status.last_run, screen)
    if numbers.oldest_unsafe is not None:
        screen.result(f"  the oldest message that is not safe was first seen {_ago(numbers.oldest_unsafe)}")
    _show_worker_view(status.worker, screen)
    if is_worked and status.worker.is_known and status.next_run is not None:
        screen.result(f"  next run by mailferry run: {_next(status.next_run)}")


def _stand(status: AccountStatus, numbers: AccountNumbers) -> str:
    """Say what is on the server and how much of it is safe, and of when that is, where it is not of the last run."""
    if status.as_of is None:
        return "not seen yet"
    last = status.last_run
    is_old = last is not None and last.ended_at is not None and status.as_of < last.ended_at
    as_of = f" as of {day_and_time(status.as_of)}" if is_old else ""
    if not numbers.on_server:
        is_sure = (
            last is None or last.status is not Status.PARTIAL
        )  # a server may show a part, and refuse the next look
        return f"{'nothing on the server' if is_sure else 'nothing left of what the server showed'}{as_of}"
    stand = (
        f"{numbers.safe:,} safe ({size(numbers.octets_safe)}) + {numbers.waiting:,} waiting + {numbers.failed:,} failed"
        + (f" + {numbers.accepted:,} accepted" if numbers.accepted else "")
    )
    return f"{plural(numbers.on_server, 'message')} on the server{as_of} = {stand}"


def _show_runs(status: AccountStatus, last: RunRecord, screen: Console) -> None:
    success = status.last_success
    screen.result(f"  last run {_ago(last.started_at)}: {_ending(status, last, screen)}")
    if success is None:
        screen.result("  no run has ended well so far")
    elif success != last:
        screen.result(f"  last run that ended well {_ago(success.started_at)}")
    is_found = any(finding.severity is not Severity.HINT for finding in status.findings)
    for problem in status.problems[:MAX_PROBLEMS] if screen.verbosity or not is_found else ():
        screen.result(plain(f"    it met: {problem}"))  # the findings say what is so now


def _show_holding(held: Holding, status: AccountStatus, screen: Console) -> None:
    if held.messages:
        archived = f"{plural(held.messages, 'message')} ({size(held.octets)})"
        is_away = any(one.id == "archive-missing" and one.is_about(held.destination) for one in status.findings)
        where = f"in {held.destination}, which is not there" if is_away else f"proven, in {held.destination}"
        screen.result(plain(f"  archived: {archived}, {where}"))


def _show_worker_view(worker: WorkerView, screen: Console) -> None:
    if worker.is_parked:
        screen.result(f"  {screen.styled('parked', Style.BAD)} until its password or configuration changes")
    if worker.verified_at:
        screen.result(f"  its archive was last verified in full {_ago(worker.verified_at)}")


def _show_worker(state_dir: Path, screen: Console) -> None:
    """Say how the worker is, where there is one."""
    from jobs.monitoring.health import HealthVerdict, read

    health = read(state_dir, time.time())
    if health.verdict is HealthVerdict.UNHEALTHY:
        screen.result(plain("; ".join(health.reasons)))
    else:
        screen.result(plain(f"mailferry run is up: {health.summary}"))


def _show_disk(disk: Disk, screen: Console) -> None:
    forecast = "" if disk.full_in == float("inf") else f", full in about {span(disk.full_in)} at this pace"
    screen.result(plain(f"{disk.path}: {size(disk.free)} of {size(disk.total)} free{forecast}"))


def _ending(status: AccountStatus, record: RunRecord, screen: Console) -> str:
    if status.is_done and record.status is not Status.OK:
        return screen.styled("done, but for what was accepted since", Style.GOOD)
    words = {
        Status.OK: ("done", Style.GOOD),
        Status.PARTIAL: ("not everything was done", Style.WARNING),
        Status.FAILED: ("FAILED", Style.BAD),
    }
    if record.status is None:
        return screen.styled("still going on, or it was killed", Style.WARNING)
    return screen.styled(*words[record.status])


def _next(due: float) -> str:
    now = time.time()
    return f"in {span(due - now)} ({day_and_time(due)})" if due > now else f"due since {day_and_time(due)}"


def _ago(seconds: float) -> str:
    return f"{span(max(time.time() - seconds, 0.0))} ago ({day_and_time(seconds)})"
