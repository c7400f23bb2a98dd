"""What the worker did, as events with stable names (docs/events.md)."""

from __future__ import annotations

import logging

from jobs.log import say
from jobs.schedule.queue import Lease
from jobs.schedule.retry import Park, Retry, Scheduled
from jobs.schedule.workers import RunResult
from migrator.report import STOPPED_BY, AccountReport


def run_began(lease: Lease) -> None:
    """Write that a run begins."""
    say("worker.run.started", account=lease.job.name, waited_seconds=round(lease.waited, 1))


def run_ended(lease: Lease, result: RunResult) -> None:
    """Write how a run ended and what comes next."""
    outcome = result.outcome
    level = logging.WARNING if outcome.is_failure else logging.INFO
    numbers = _numbers(result.report) if result.report else {}
    problem = {"kind": str(outcome.kind), "problem": outcome.message} if outcome.kind else {}
    stopped_by = result.report.for_schedule.stopped_by if result.report else None
    stopped = {STOPPED_BY: str(stopped_by)} if stopped_by else {}
    status = str(outcome.status)
    say("worker.run.finished", level=level, account=lease.job.name, status=status, **numbers, **problem, **stopped)
    match result.decision:
        case Scheduled():
            pass
        case Retry(after):
            say("worker.run.retry", account=lease.job.name, attempts=result.state.attempts, after_seconds=round(after))
        case Park():
            say("worker.account.parked", level=logging.WARNING, account=lease.job.name, problem=outcome.message)


def _numbers(report: AccountReport) -> dict[str, object]:
    return {
        "listed": report.listed,
        "known": report.known,
        "new": report.new,
        "copied": report.copied,
        "duplicates": report.duplicates,
        "skipped": report.skipped,
        "failed": report.failed,
        "remaining": report.remaining,
        "verified": report.verified,
        "deleted": report.deleted,
        "bytes": report.bytes,
        "seconds": round(report.seconds, 3),
    }


def still_parked(lease: Lease) -> None:
    """Write that nothing has changed for a parked account."""
    say("worker.account.still_parked", account=lease.job.name)
