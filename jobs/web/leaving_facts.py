"""What the worker knows of a mailbox whose provider is to be left."""

from __future__ import annotations

from jobs.monitoring.stored_view import next_run, worker_views
from jobs.web.leaving import Facts
from jobs.web.worker import Worker
from migrator.config import Account
from migrator.findings.model import Severity
from migrator.ledger import Ledger
from migrator.operations.status import AccountStatus, account_statuses
from migrator.wiring.account import label_of


def status_of(account: Account, worker: Worker, ledger: Ledger) -> AccountStatus:
    """Return where the mailbox stands, with what was found of it."""
    config, snapshot = worker.config(), worker.snapshot()
    workers = worker_views(config, ledger, [account])
    [status] = account_statuses([account], config.state_dir, ledger, workers, next_run(config), snapshot.findings)
    return status


def facts_of(account: Account, worker: Worker, ledger: Ledger, now: float) -> Facts:
    """Return the facts that decide whether the rest may be deleted."""
    config, status = worker.config(), status_of(account, worker, ledger)
    last, numbers = status.last_run, ledger.history.numbers(account.name)
    broken = [one for one in worker.snapshot().findings if not one.accounts and one.severity is Severity.BROKEN]
    return Facts(
        now=now,
        is_seen=status.as_of is not None,
        safe=numbers.safe,
        waiting=numbers.waiting,
        failed=numbers.failed,
        accepted=numbers.accepted,
        done_at=last.ended_at if last is not None and status.is_done else None,
        verified_at=status.worker.verified_at,
        verify_every=config.verify.every.total_seconds(),
        damaged=status.worker.damaged,
        findings=[*status.findings, *broken],
        places=[label_of(place) for place in account.destinations],
    )
