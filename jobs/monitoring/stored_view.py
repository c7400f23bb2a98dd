"""What the worker remembers of the accounts, for commands that look while it runs, or while it does not.

``status`` and ``doctor`` read here; nothing is written.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from jobs.disk_usage import Disk, existing, forecast
from jobs.maintenance.upkeep import completed
from jobs.monitoring.snapshot import AccountView
from jobs.schedule.account_state import AccountState
from jobs.schedule.queue import TOPIC
from migrator.config import Account, Config, MaildirDestination, MboxDestination, Notify
from migrator.ledger import Ledger
from migrator.ledger.history import RunRecord
from migrator.operations.status import NextRun, WorkerView
from migrator.wiring.account import destination_of


def views_of(config: Config, ledger: Ledger, accounts: Sequence[Account] | None = None) -> list[AccountView]:
    """Return these accounts (all, by default) as the worker left them."""
    states = {name: AccountState.from_fact(fact) for name, fact in ledger.state_store.get_all(TOPIC).items()}
    verified = completed(ledger.state_store)
    damaged, places = ledger.state_store.mismatches(), places_of(config)
    return [
        AccountView(
            account.name,
            states.get(account.name, AccountState()),
            verified_at=verified.get(account.name, 0.0),
            damaged=sum(damaged.get(place, 0) for place in places[account.name]),
            numbers=ledger.history.numbers(account.name),
        )
        for account in (config.accounts if accounts is None else accounts)
    ]


def worker_views(config: Config, ledger: Ledger, accounts: Sequence[Account]) -> dict[str, WorkerView]:
    """Return what ``status`` says of these accounts beyond their numbers."""
    states = {name: AccountState.from_fact(fact) for name, fact in ledger.state_store.get_all(TOPIC).items()}
    verified = completed(ledger.state_store)
    damaged, places = ledger.state_store.mismatches(), places_of(config)
    found: dict[str, WorkerView] = {}
    for name in (account.name for account in accounts):
        state = states.get(name, AccountState())
        found[name] = WorkerView(
            is_known=state.first_seen > 0,
            is_parked=state.is_parked,
            message=state.message,
            failed_runs=state.attempts,
            next_due=state.next_due,
            damaged=sum(damaged.get(place, 0) for place in places[name]),
            verified_at=verified.get(name, 0.0),
        )
    return found


def next_run(config: Config) -> NextRun:
    """Return what says when an account that is well is due again, by its schedule."""

    def due(account: Account, last: RunRecord) -> float:
        schedule = account.schedule or config.schedule
        if schedule.cron is None:
            return last.started_at + (schedule.every.total_seconds() if schedule.every else 0.0)
        from jobs.schedule.timetable import Timetable

        now = max(last.started_at, time.time())
        return Timetable(schedule, last.account, now).next_after(now)

    return due


def places_of(config: Config) -> Mapping[str, Sequence[str]]:
    """Return the identities of the destinations of each account."""
    return {
        account.name: [destination_of(place, config.state_dir).identity for place in account.destinations]
        for account in config.accounts
    }


def folders_of(config: Config) -> list[Path]:
    """Return every folder that is written to."""
    folders = [config.state_dir]
    for account in config.accounts:
        folders += [one.path for one in account.destinations if isinstance(one, (MboxDestination, MaildirDestination))]
    return list(dict.fromkeys(folders))


def disks_of(config: Config, ledger: Ledger) -> list[Disk]:
    """Return how full the disks are now, with the worker's forecast; takes no sample."""
    minimum = (config.notify or Notify()).disk_free
    disks: dict[int, Disk] = {}
    for folder in map(existing, folders_of(config)):
        device = folder.stat().st_dev
        if device not in disks:
            usage = shutil.disk_usage(folder)
            full_in = forecast(ledger.state_store, folder, usage.free)
            disks[device] = Disk(str(folder), usage.free, usage.total, minimum, full_in)
    return list(disks.values())
