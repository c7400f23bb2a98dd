"""Follows the runs: keeps each account's numbers, and hands what is wrong to alerting.

The numbers are kept so that neither a scrape nor a tick counts messages.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from jobs import run_events
from jobs.alerting.alerts import Alerts
from jobs.alerting.heartbeat import Heartbeats
from jobs.alerting.incidents import AlertRules
from jobs.disk_usage import Disk, measured
from jobs.look import facts_on_disk
from jobs.lookout import IsOver, until
from jobs.maintenance.upkeep import Upkeep, completed
from jobs.monitoring.snapshot import AccountView
from jobs.monitoring.stored_view import damaged_by_account, folders_of, least_free
from jobs.schedule.account_state import AccountState
from jobs.schedule.live_progress import RunProgress
from jobs.schedule.queue import Lease
from jobs.schedule.state_store import StateStore
from jobs.schedule.workers import RunResult
from migrator.config import Config, Notify
from migrator.errors import FerryError
from migrator.findings.facts import Invocation, LedgerFacts, LedgerState, WorkerFacts
from migrator.findings.find import find
from migrator.findings.model import Finding
from migrator.lazy_dataclasses import dataclass, replace
from migrator.ledger import Ledger
from migrator.ledger.history import AccountNumbers
from migrator.operations.look import OpenedLedger

SELDOM = 20.0
"""Looking takes at most one part in that many of the time, however many accounts there are."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look has found, and when it was; 0.0 before the first."""

    at: float = 0.0
    findings: Sequence[Finding] = ()


class Monitor:
    """The worker's listener, and the keeper of what is known of the accounts."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        store: StateStore,
        *,
        alerts: Alerts,
        heartbeats: Heartbeats,
        upkeep: Upkeep,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._alerts = alerts
        self._heartbeats = heartbeats
        self._upkeep = upkeep
        self._lock = threading.Lock()
        self._numbers: dict[str, AccountNumbers] = {}
        self._next_look = 0.0
        self.disks: Sequence[Disk] = ()
        self._looked = Looked()
        self._whose_damage: tuple[Config | None, Mapping[str, int], Mapping[str, int]] = (None, {}, {})
        self.take_over(config)

    def take_over(self, config: Config) -> None:
        """Work by a new configuration."""
        self._config = config
        self._heartbeats.pings = config.pings
        before = self.numbers
        with suppress(FerryError):  # what must write to the ledger reports its trouble
            numbers = self._ledger.history.numbers_of(tuple(config.names()))
            with self._lock:  # what has ended meanwhile is newer
                self._numbers = {name: self._newer(name, before, known) for name, known in numbers.items()}

    def began(self, lease: Lease) -> None:
        """Hear that a run begins."""
        run_events.run_began(lease)
        self._heartbeats.run_began(lease.job.name)

    def ended(self, lease: Lease, result: RunResult) -> None:
        """Hear that a run has ended."""
        run_events.run_ended(lease, result)
        self._count(lease.job.name)
        if result.report and (result.report.copied or result.report.duplicates):
            self._upkeep.has_news()
        self._heartbeats.run_ended(lease.job.name, result.outcome)

    def still_parked(self, lease: Lease) -> None:
        """Hear that a parked account was looked at, and that nothing has changed."""
        run_events.still_parked(lease)

    def _newer(self, name: str, before: Mapping[str, AccountNumbers], now: AccountNumbers) -> AccountNumbers:
        counted = self._numbers.get(name)
        return now if counted is None or counted is before.get(name) else counted

    def _count(self, name: str) -> None:
        with suppress(FerryError):  # as above
            numbers = self._ledger.history.numbers(name)
            with self._lock:
                self._numbers[name] = numbers

    @property
    def numbers(self) -> Mapping[str, AccountNumbers]:
        """Where the messages of each account stood when they were last counted."""
        with self._lock:
            return dict(self._numbers)

    def views(
        self, states: Mapping[str, AccountState], running: Sequence[str], progress: Mapping[str, RunProgress]
    ) -> list[AccountView]:
        """Return every account as the outside sees it."""
        verified, damaged = self._verified(), self._damaged()
        numbers, under_way = self.numbers, frozenset(running)
        return [
            AccountView(
                name,
                state,
                verified_at=verified.get(name, 0.0),
                damaged=damaged.get(name, 0),
                numbers=numbers.get(name),
                is_running=name in under_way,
                progress=progress.get(name),
            )
            for name, state in states.items()
        ]

    def _verified(self) -> Mapping[str, float]:
        try:
            return completed(self._store)
        except FerryError:
            return {}

    def _damaged(self) -> Mapping[str, int]:
        """Count what is known to be damaged by account; to look for whose it is takes a walk through all of them."""
        try:
            mismatches = self._ledger.state_store.mismatches()
        except FerryError:
            return {}
        config, known, _ = self._whose_damage
        if (config, known) != (self._config, mismatches):
            whose = damaged_by_account(self._config, mismatches)
            self._whose_damage = self._config, mismatches, whose
        return self._whose_damage[2]

    @property
    def findings(self) -> Sequence[Finding]:
        """What the last look has found."""
        return self._looked.findings

    @property
    def looked_at(self) -> float:
        """When the last look was, 0.0 before the first."""
        return self._looked.at

    def tell(self, refused_configuration: str, is_over: IsOver) -> None:
        """Tell a person, and the receiver of the worker's pings, what has changed for the worse or the better.

        Raises ``LookEndedError`` where ``is_over()`` comes to be true before everything was looked at.
        """
        now, config = time.time(), until(is_over, self._config)
        settings = config.notify or Notify()
        if now < self._next_look:
            return
        self.disks = self._measure(config, now)
        self._looked = Looked(now, self._look(config, now, refused_configuration))
        rules = AlertRules(settings.after_failures)
        changes = self._alerts.tell(self.findings, rules, now)
        self._heartbeats.worker(now, is_failure=changes.is_anything_wrong, is_news=bool(changes.opened))
        self._next_look = now + SELDOM * (time.time() - now)

    def _look(self, config: Config, now: float, refused_configuration: str) -> Sequence[Finding]:
        invocation = Invocation(config=str(config.path) if config.path else "")
        opened = OpenedLedger(LedgerFacts(LedgerState.WELL), self._ledger)
        facts = facts_on_disk(config, opened, now, invocation)
        worker = WorkerFacts(is_alive=True, refused_configuration=refused_configuration)
        return find(replace(facts, worker=worker))

    def _measure(self, config: Config, now: float) -> Sequence[Disk]:
        try:
            return measured(folders_of(config), partial(least_free, config.notify), self._store, now)
        except OSError:
            return self.disks
