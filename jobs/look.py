"""What can be known of an installation without asking any server: cheap, for status, health and alerts.

Ledger, files, folders and what the last runs met come from ``migrator.operations.look``; what only the scheduled worker
knows, or has noted, is added here.
"""

from __future__ import annotations

import json
from pathlib import Path

from jobs.lock import is_worker_alive
from jobs.maintenance.upkeep import completed
from jobs.monitoring.health import FILE_NAME, STALE_SECONDS
from jobs.monitoring.stored_view import disks_of
from jobs.schedule.account_state import AccountState
from migrator.config import Config, FolderDestination
from migrator.findings.facts import (
    DiskFacts,
    Facts,
    Invocation,
    LedgerState,
    ScheduleFacts,
    TellingFacts,
    WorkerFacts,
)
from migrator.lazy_dataclasses import replace
from migrator.ledger import Ledger
from migrator.ledger.schedule import SCHEDULE
from migrator.operations.doctor import nearest_folder
from migrator.operations.look import OpenedLedger, look


def facts_on_disk(config: Config, opened: OpenedLedger, now: float, invocation: Invocation) -> Facts:
    """Gather the facts that no server has to be asked for."""
    facts = look(config, opened, now, invocation)
    facts = replace(facts, worker=_worker(config, now), telling=_telling(config))
    if opened.ledger is None or facts.ledger.state is not LedgerState.WELL:
        return replace(facts, disks=_disks(config, None))
    return _with_schedule(facts, config, opened.ledger)


def _with_schedule(facts: Facts, config: Config, ledger: Ledger) -> Facts:
    """Add what the scheduled worker has noted in the ledger."""
    states = {name: AccountState.from_fact(fact) for name, fact in ledger.state_store.each(SCHEDULE)}
    verified = completed(ledger.state_store)
    accounts = tuple(
        replace(
            account,
            verified_at=verified.get(account.name, 0.0),
            schedule=_schedule(states.get(account.name), account.interval),
        )
        for account in facts.accounts
    )
    return replace(facts, accounts=accounts, disks=_disks(config, ledger))


def _disks(config: Config, ledger: Ledger | None) -> tuple[DiskFacts, ...]:
    return tuple(
        DiskFacts(disk.path, disk.free, disk.total, disk.minimum, disk.full_in, _written_by(config, Path(disk.path)))
        for disk in disks_of(config, ledger)
    )


def _written_by(config: Config, disk: Path) -> tuple[str, ...]:
    """Return the accounts that need the disk of a folder; all of them need that of the state."""
    device = disk.stat().st_dev

    def is_there(folder: Path) -> bool:
        return nearest_folder(folder).stat().st_dev == device

    if is_there(config.state_dir):
        return tuple(config.names())
    return tuple(
        account.name
        for account in config.accounts
        if any(isinstance(place, FolderDestination) and is_there(place.path) for place in account.destinations)
    )


def _schedule(state: AccountState | None, interval: float) -> ScheduleFacts | None:
    if state is None:
        return None
    return ScheduleFacts(state.first_seen, state.last_worked, state.message if state.is_parked else "", interval)


def _worker(config: Config, now: float) -> WorkerFacts:
    """Say how the worker is: its lock dies with it, its file is taken away where it is stopped."""
    file, is_alive = config.state_dir / FILE_NAME, is_worker_alive(config.state_dir)
    if not file.exists():
        return WorkerFacts(is_alive=is_alive)
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        age = now - float(document["at"])
        troubles = tuple(str(trouble) for trouble in document.get("faults", ()))
        refused = str(document.get("refused_configuration", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return WorkerFacts(is_expected=True, is_alive=is_alive)
    silent_for = age if age > STALE_SECONDS else 0.0
    return WorkerFacts(
        is_expected=True, is_alive=is_alive, silent_for=silent_for, troubles=troubles, refused_configuration=refused
    )


def _telling(config: Config) -> TellingFacts:
    notify = config.notify
    if notify is None or not (notify.smtp or notify.apprise):
        return TellingFacts()
    secrets = [*notify.apprise, *([notify.smtp.password] if notify.smtp and notify.smtp.password else [])]
    missing = tuple(filter(None, (secret.missing() for secret in secrets)))
    return TellingFacts(is_configured=True, missing_secrets=missing)
