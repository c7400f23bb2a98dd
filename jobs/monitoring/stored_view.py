"""What the worker remembers of the accounts, for commands that look while it runs, or while it does not.

``status`` and ``doctor`` read here; nothing is written.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from jobs.disk_usage import Disk, forecast
from jobs.maintenance.upkeep import completed_at
from jobs.schedule.account_state import AccountState
from jobs.schedule.timetable import Timetables
from migrator.config import Account, Config, MaildirDestination, MboxDestination, Notify
from migrator.config.many_accounts import names_of
from migrator.ledger import Ledger
from migrator.ledger.history import RunRecord
from migrator.ledger.schedule import SCHEDULE, VERIFICATION, of_account
from migrator.operations.doctor import nearest_folder
from migrator.operations.status import NextRun, WorkerView
from migrator.wiring.account import identity_of


def parked_accounts(ledger: Ledger) -> frozenset[str]:
    """Return the names of the accounts that wait for a changed password or configuration."""
    facts = ledger.state_store.get_all(SCHEDULE)
    return frozenset(name for name, fact in facts.items() if AccountState.from_fact(fact).is_parked)


def worker_views(config: Config, ledger: Ledger, accounts: Sequence[Account]) -> dict[str, WorkerView]:
    """Return what ``status`` says of these accounts beyond their numbers."""
    if not accounts:
        return {}
    notes, names = ledger.state_store, list(names_of(accounts))
    damaged = damaged_by_account(config, notes.mismatches(), accounts)
    schedule = notes.get_some(SCHEDULE, names)
    verified = notes.get_some(VERIFICATION, map(of_account, names))
    return {
        name: worker_view(
            AccountState.from_fact(schedule.get(name, {})),
            damaged.get(name, 0),
            completed_at(verified.get(of_account(name), {})),
        )
        for name in names
    }


def worker_view(state: AccountState, damaged: int, verified_at: float) -> WorkerView:
    """Return what ``status`` says of an account that is in this state."""
    return WorkerView(
        is_known=state.first_seen > 0,
        is_parked=state.is_parked,
        message=state.message,
        failed_runs=state.attempts,
        next_due=state.next_due,
        damaged=damaged,
        verified_at=verified_at,
    )


def next_run(config: Config) -> NextRun:
    """Return what says when an account that is well is due again, by its schedule."""
    tables = Timetables(time.time())

    def due(account: Account, last: RunRecord) -> float:
        schedule = account.schedule or config.schedule
        if schedule.cron is None:
            return last.started_at + (schedule.every.total_seconds() if schedule.every else 0.0)
        return tables.of(schedule).next_after(last.account, max(last.started_at, tables.started_at))

    return due


def damaged_by_account(
    config: Config, mismatches: Mapping[str, int], accounts: Sequence[Account] | None = None
) -> Mapping[str, int]:
    """Return how many damaged copies the destinations of each account hold, of those that have any."""
    if not mismatches:
        return {}
    counts = {name: sum(mismatches.get(one, 0) for one in own) for name, own in places_of(config, accounts).items()}
    return {name: count for name, count in counts.items() if count}


def places_of(config: Config, accounts: Sequence[Account] | None = None) -> Mapping[str, Sequence[str]]:
    """Return the identities of the destinations of each of these accounts (of all, by default)."""
    return {
        account.name: [identity_of(place, config.state_dir) for place in account.destinations]
        for account in (config.accounts if accounts is None else accounts)
    }


def folders_of(config: Config) -> list[Path]:
    """Return every folder that is written to."""
    folders = [config.state_dir]
    for account in config.accounts:
        folders += [one.path for one in account.destinations if isinstance(one, (MboxDestination, MaildirDestination))]
    return list(dict.fromkeys(folders))


def disks_of(config: Config, ledger: Ledger | None) -> list[Disk]:
    """Return how full the disks are now, with the worker's forecast where there is a ledger; takes no sample."""
    disks: dict[int, Disk] = {}
    for folder in map(nearest_folder, folders_of(config)):
        device = folder.stat().st_dev
        if device not in disks:
            usage = shutil.disk_usage(folder)
            full_in = forecast(ledger.state_store, folder, usage.free) if ledger else float("inf")
            disks[device] = Disk(str(folder), usage.free, usage.total, least_free(config.notify, usage.total), full_in)
    return list(disks.values())


def least_free(settings: Notify | None, total: int) -> int:
    """Return how much is wanted free on a disk of this size: what is configured, else the usual, a tenth at most."""
    if settings is not None and "disk_free" in settings.written:
        return settings.disk_free
    return min(Notify().disk_free, total // 10)
