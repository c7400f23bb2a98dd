"""Several accounts side by side: a bounded number at once, and never two at one maildrop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from migrator.errors import FerryError, contained
from migrator.ledger import Ledger
from migrator.message.spool import SHARED_RUN_BUDGET_OCTETS
from migrator.report import AccountReport
from migrator.run.account import run_account
from migrator.run.context import AccountJob, Effects, RunContext
from migrator.run.counters import RunCounters

AT_ONCE = 8
"""Accounts worked at the same time: enough to hide round trips, few enough for two cores and a hoster's patience."""


def run_accounts(
    jobs: Sequence[AccountJob], ledger: Ledger, effects: Effects | None = None, *, is_dry: bool = False
) -> list[AccountReport]:
    """Run every account and report on each, in the order given; one that fails delays none.

    Accounts of one maildrop follow one another, because a POP3 server locks it (RFC 1939, section 4). Each run is kept
    in the ledger's history unless it is dry.
    """
    effects = effects or Effects()
    maildrops: defaultdict[tuple[str, int, str], list[AccountJob]] = defaultdict(list)
    for job in jobs:
        maildrops[job.source.host.lower(), job.source.port, job.source.username].append(job)

    if len(maildrops) > 1:
        effects = replace(effects, octets_at_once=SHARED_RUN_BUDGET_OCTETS)

    def run(turns: Sequence[AccountJob]) -> list[AccountReport]:
        with ledger.lent() as own:
            return [run_recorded(job, own, effects, is_dry=is_dry) for job in turns]

    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="account") as pool:
        reports = {report.name: report for done in pool.map(run, maildrops.values()) for report in done}
    return [reports[job.name] for job in jobs]


def run_recorded(job: AccountJob, ledger: Ledger, effects: Effects, *, is_dry: bool = False) -> AccountReport:
    """Run one account and keep its report in the history. Whatever happens ends in the report."""
    try:
        with contained():
            if is_dry:
                return run_account(RunContext(job, ledger, effects), is_dry=True)
            with ledger.together():
                run = ledger.history.run_started(job.name, effects.clock())
                context = RunContext(job, ledger, effects)
            report = run_account(context)
            ledger.history.run_ended(run, report, effects.clock())
            return report
    except FerryError as error:  # the ledger itself, or a defect: it must not end the others
        counters = RunCounters(job.name)
        counters.problem(error)
        return counters.report(0.0)
