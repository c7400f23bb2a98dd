"""One mailbox as its page shows it: what it does now, its numbers, its last days, its runs with what they met."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.monitoring.snapshot import Snapshot
from jobs.monitoring.stored_view import next_run, worker_views
from jobs.schedule.live_progress import RunProgress
from jobs.schedule.runner import hosts_of
from jobs.web.language import gettext as _
from jobs.web.locale_format import span
from jobs.web.people import User
from jobs.web.run_days import Strip
from jobs.web.site import Site
from jobs.web.standing import run_in_words, visible_findings
from migrator.config import Account
from migrator.errors import Kind
from migrator.findings.model import Finding
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.history import RunRecord
from migrator.operations.account_list import paused_accounts
from migrator.operations.status import AccountStatus, account_statuses
from migrator.report import INTERRUPTED

RUNS = 20
ERRORS = 10
"""Errors of one run that are shown; ``more`` counts the others."""


@dataclass(frozen=True, slots=True)
class ShownRun:
    """One run as the page shows it."""

    run: RunRecord
    ending: str
    copied: int
    deleted: int
    errors: tuple[str, ...]
    more: int


@dataclass(frozen=True, slots=True)
class MailboxView:
    """One mailbox. ``hold`` says what keeps the schedule from it, empty where nothing does.

    ``older`` is when the last shown run began, where there are runs before it.
    """

    account: Account
    status: AccountStatus
    findings: Sequence[Finding]
    is_paused: bool
    progress: RunProgress | None
    hold: str
    strip: Strip
    runs: Sequence[ShownRun]
    older: float | None
    now: float

    @property
    def state(self) -> str:
        """What it does, as a word that the page arranges its buttons by."""
        if self.progress is not None:
            return "stopping" if self.progress.is_stopping else "running"
        return "paused" if self.is_paused else "resting"

    @property
    def said(self) -> str:
        """What somebody hears of it who does not see it move: seldom another sentence."""
        if self.progress is None:
            return _("This mailbox is not being worked now.")
        done, planned = self.progress.octets, self.progress.planned_octets
        if not planned:
            return _("This mailbox is being worked now.")
        return _("This mailbox is being worked now: %(number)d %% done.") % {
            "number": min(done * 10 // planned, 10) * 10
        }


def mailbox_view(site: Site, user: User, account: Account, before: float | None = None) -> MailboxView:
    """Return a mailbox as a user may see it, with the newest runs, or those that began before a moment."""
    config, snapshot = site.worker.config(), site.worker.snapshot()
    findings = [one for one in visible_findings(snapshot.findings, user) if account.name in one.accounts]
    with site.ledger() as ledger:
        workers = worker_views(config, ledger, [account])
        [status] = account_statuses([account], config.state_dir, ledger, workers, next_run(config), findings)
        is_paused = account.name in paused_accounts(ledger)
        strip = site.days.strips(ledger)(account.name)
        if before is None:
            runs = ledger.history.last_runs(account.name, RUNS + 1)
        else:
            runs = ledger.history.runs_before(account.name, before, RUNS + 1)
    return MailboxView(
        account,
        status,
        findings,
        is_paused,
        next((view.progress for view in snapshot.accounts if view.name == account.name), None),
        _hold(snapshot, account),
        strip,
        [_shown(run) for run in runs[:RUNS]],
        runs[RUNS - 1].started_at if len(runs) > RUNS else None,
        snapshot.now,
    )


def _shown(run: RunRecord) -> ShownRun:
    told = run.report.get("errors")
    errors = [error for error in told if isinstance(error, dict)] if isinstance(told, list) else []
    lines = [_error_line(error) for error in errors if not (run.stopped_by and _is_a_stop(error))]
    return ShownRun(
        run,
        run_in_words(run),
        _count(run, "copied"),
        _count(run, "deleted"),
        tuple(lines[:ERRORS]),
        len(lines[ERRORS:]),
    )


def _is_a_stop(error: dict[str, object]) -> bool:
    """Say whether an error tells no more than that the run was stopped, which its ending says."""
    return error.get("kind") == Kind.TEMPORARY and str(error.get("message", "")).startswith(INTERRUPTED)


def _error_line(error: dict[str, object]) -> str:
    where = f"{error['destination']}: " if error.get("destination") else ""
    return f"{where}{error.get('message', '')}"


def _count(run: RunRecord, name: str) -> int:
    value = run.report.get(name)
    return value if isinstance(value, int) else 0


def _hold(snapshot: Snapshot, account: Account) -> str:
    """Say what keeps the schedule from working an account now; empty where nothing does."""
    view = next((view for view in snapshot.accounts if view.name == account.name), None)
    if view is None or view.progress is not None:
        return ""
    state, now = view.state, snapshot.now
    if state.is_parked:
        return _("Its log-in was refused: no run tries it again before the password or the configuration changes.")
    if hosts_of(account).intersection(snapshot.hosts_down):
        return _("One of its servers is taken to be down and is asked now and then.")
    if state.is_failing and state.not_before > now:
        return _("Its last run failed; it will be tried again in %(span)s.") % {"span": span(state.not_before - now)}
    if state.least_gap and state.not_before > now:
        return _("Its server wants a pause of %(span)s between two visits.") % {"span": span(state.least_gap)}
    return ""
