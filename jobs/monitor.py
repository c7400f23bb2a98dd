"""Follows the runs: keeps each account's numbers, and hands what is wrong to alerting.

The numbers are kept so that neither a scrape nor a tick counts messages.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from jobs import run_events
from jobs.alerting.alerts import Alerts
from jobs.alerting.heartbeat import Heartbeats
from jobs.alerting.incidents import AlertInputs, AlertRules
from jobs.disk_usage import Disk, measured
from jobs.maintenance.upkeep import Upkeep, completed
from jobs.monitoring.snapshot import AccountView
from jobs.monitoring.stored_view import folders_of, places_of
from jobs.schedule.account_state import AccountState
from jobs.schedule.circuit_breaker import Circuit
from jobs.schedule.queue import Lease
from jobs.schedule.runner import hosts_of
from jobs.schedule.state_store import StateStore
from jobs.schedule.workers import RunResult
from migrator.config import Config, Notify
from migrator.errors import FerryError
from migrator.ledger import Ledger
from migrator.ledger.history import AccountNumbers


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
        self.disks: Sequence[Disk] = ()
        self.take_over(config)

    def take_over(self, config: Config) -> None:
        """Work by a new configuration."""
        self._config = config
        self._places = places_of(config)
        self._heartbeats.pings = config.pings
        self._count([account.name for account in config.accounts])

    def began(self, lease: Lease) -> None:
        """Hear that a run begins."""
        run_events.run_began(lease)
        self._heartbeats.run_began(lease.job.name)

    def ended(self, lease: Lease, result: RunResult) -> None:
        """Hear that a run has ended."""
        run_events.run_ended(lease, result)
        self._count([lease.job.name])
        if result.report and result.report.copied:
            self._upkeep.has_news()
        self._heartbeats.run_ended(lease.job.name, is_failure=result.outcome.is_failure)

    def still_parked(self, lease: Lease) -> None:
        """Hear that a parked account was looked at, and that nothing has changed."""
        run_events.still_parked(lease)

    def _count(self, names: Sequence[str]) -> None:
        for name in names:
            with suppress(FerryError):  # what must write to the ledger reports its trouble
                numbers = self._ledger.history.numbers(name)
                with self._lock:
                    self._numbers[name] = numbers

    def views(self, states: Mapping[str, AccountState], running: Sequence[str]) -> list[AccountView]:
        """Return every account as the outside sees it."""
        verified, damaged = self._verified(), self._damaged()
        with self._lock:
            numbers = dict(self._numbers)
        return [
            AccountView(
                name,
                state,
                verified_at=verified.get(name, 0.0),
                damaged=sum(damaged.get(place, 0) for place in self._places.get(name, ())),
                numbers=numbers.get(name),
                is_running=name in running,
            )
            for name, state in states.items()
        ]

    def _verified(self) -> Mapping[str, float]:
        try:
            return completed(self._store)
        except FerryError:
            return {}

    def _damaged(self) -> Mapping[str, int]:
        try:
            return self._ledger.state_store.mismatches()
        except FerryError:
            return {}

    def tell(
        self,
        states: Mapping[str, AccountState],
        down: Mapping[str, Circuit],
        problem: str,
        intervals: Mapping[str, float],
    ) -> None:
        """Tell a person, and the receiver of the worker's pings, what has changed for the worse or the better."""
        now, settings = time.time(), self._config.notify or Notify()
        self.disks = self._measure(settings.disk_free, now)
        inputs = AlertInputs(
            states,
            intervals,
            {account.name: hosts_of(account) for account in self._config.accounts},
            down,
            self.disks,
            self._damaged(),
            problem,
        )
        rules = AlertRules(settings.after_failures, settings.silence.total_seconds())
        changes = self._alerts.tell(inputs, rules, now)
        self._heartbeats.worker(now, is_failure=changes.is_anything_wrong, is_news=bool(changes.opened))

    def _measure(self, minimum: int, now: float) -> Sequence[Disk]:
        try:
            return measured(folders_of(self._config), minimum, self._store, now)
        except OSError:
            return self.disks
