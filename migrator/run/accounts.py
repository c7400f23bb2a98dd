"""Several accounts side by side: a bounded number at once, and never two at one maildrop."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from migrator.errors import FerryError, contained
from migrator.lazy_dataclasses import replace
from migrator.ledger import Ledger
from migrator.message.spool import SHARED_RUN_BUDGET_OCTETS
from migrator.report import AccountReport
from migrator.run.account import run_account
from migrator.run.account_lock import owned_account
from migrator.run.clock import look_at_the_clock
from migrator.run.context import AccountJob, Effects, RunContext
from migrator.run.counters import RunCounters
from migrator.run.host_limits import MOST

AT_ONCE = 8
"""Accounts worked at the same time: enough to hide round trips, few enough for two cores and a hoster's patience."""


def run_accounts(
    jobs: Sequence[AccountJob], ledger: Ledger, effects: Effects | None = None, *, is_dry: bool = False
) -> list[AccountReport]:
    """Run every account and report on each, in the order given; one that fails delays none.

    Accounts of one maildrop follow one another, because a POP3 server locks it (RFC 1939, section 4). An account whose
    servers have all the connections they take lets others go first. Each run is kept in the ledger's history unless it
    is dry.
    """
    effects = effects or Effects()
    turns = _Turns(jobs, effects)
    if len(turns.waiting) > 1:
        effects = replace(effects, octets_at_once=SHARED_RUN_BUDGET_OCTETS)

    def work() -> list[AccountReport]:
        reports: list[AccountReport] = []
        with ledger.lent() as own:
            while mine := turns.take():
                for job in mine:
                    report = run_recorded(job, own, effects, is_dry=is_dry)
                    while turns.is_due_again(report):
                        report = run_recorded(job, own, effects, is_dry=is_dry)
                    reports.append(report)
        return reports

    at_once = min(AT_ONCE, len(turns.waiting))
    with ThreadPoolExecutor(max_workers=max(1, at_once), thread_name_prefix="account") as pool:
        working = [pool.submit(work) for _ in range(at_once)]
        reports = {report.name: report for done in working for report in done.result()}
    return [reports[job.name] for job in jobs]


class _Turns:
    """The accounts that nobody works yet, those of one maildrop together."""

    def __init__(self, jobs: Sequence[AccountJob], effects: Effects) -> None:
        maildrops: defaultdict[tuple[str, int, str], list[AccountJob]] = defaultdict(list)
        for job in jobs:
            maildrops[job.source.host.lower(), job.source.port, job.source.username].append(job)
        self.waiting = list(maildrops.values())
        self._effects = effects
        self._turned_away: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self) -> list[AccountJob]:
        """Return the first accounts whose server has room, else the first; none once all are worked."""
        with self._lock:
            if not self.waiting:
                return []
            ready = (jobs for jobs in self.waiting if self._effects.hosts.has_room(str(jobs[0].source.endpoint)))
            chosen = next(ready, self.waiting[0])
            self.waiting.remove(chosen)
            return chosen

    def is_due_again(self, report: AccountReport) -> bool:
        """Say whether to run an account again, which then waits for others to end: a destination turned it away."""
        with self._lock:
            self._turned_away[report.name] += 1
            is_tried_enough = self._turned_away[report.name] > MOST or self._effects.stop.is_set()
        return report.for_schedule.is_turned_away and not is_tried_enough


def run_recorded(job: AccountJob, ledger: Ledger, effects: Effects, *, is_dry: bool = False) -> AccountReport:
    """Run one account and keep its report in the history. Whatever happens ends in the report.

    A run that finds the account worked by another process was none: nothing of it is kept.
    """
    try:
        with contained():
            if is_dry:
                return run_account(RunContext(job, ledger, effects), is_dry=True)
            with owned_account(ledger, job.state_dir, job.name):
                with ledger.together():
                    run = ledger.history.run_started(job.name, effects.clock())
                    context = RunContext(job, ledger, effects)
                    look_at_the_clock(context)
                report = run_account(context)
            ledger.history.run_ended(run, report, effects.clock())
            return report
    except FerryError as error:  # the account is worked elsewhere, the ledger itself, or a defect: others must go on
        counters = RunCounters(job.name)
        counters.problem(error)
        return counters.report(0.0)
