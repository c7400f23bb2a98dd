"""Where everything about the accounts comes together: runs end here, and from here a person is told.

It keeps the numbers that the outside looks at, so that neither a scrape nor a tick counts messages.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from jobs import run_events as journal
from jobs.alerting import incidents as alerts
from jobs.alerting.heartbeat import Ping, Pinger
from jobs.alerting.outbox import Outbox
from jobs.disk_usage import measured
from jobs.log import say
from jobs.maintenance.upkeep import Upkeep, completed
from jobs.monitoring import weekly_summary as digest
from jobs.monitoring.health import Health, forget, write
from jobs.monitoring.snapshot import AccountView, Snapshot
from jobs.monitoring.stored_view import folders_of, places_of
from jobs.schedule.account_state import AccountState, Notes
from jobs.schedule.circuit_breaker import Circuit
from jobs.schedule.queue import Lease
from jobs.schedule.runner import hosts_of
from jobs.schedule.timetable import Timetable
from jobs.schedule.workers import RunResult
from migrator.config import Config, Notify, Schedule
from migrator.errors import FerryError
from migrator.ledger import Ledger
from migrator.ledger.history import AccountNumbers

DIGEST = "digest"
PING_SECONDS = 300.0


class Monitor:
    """The worker's listener, and the keeper of what is known."""

    def __init__(
        self, config: Config, ledger: Ledger, notes: Notes, outbox: Outbox, pinger: Pinger, upkeep: Upkeep
    ) -> None:
        """Nothing is told before ``tell``."""
        self._ledger = ledger
        self._notes = notes
        self._outbox = outbox
        self._pinger = pinger
        self._upkeep = upkeep
        self._lock = threading.Lock()
        self._numbers: dict[str, AccountNumbers] = {}
        self._run_ids: dict[str, str] = {}
        self._pinged_at = 0.0
        self.disks: Sequence[alerts.Disk] = ()
        self.take_over(config)

    def take_over(self, config: Config) -> None:
        """Work by a new configuration."""
        self._config = config
        self._rules = _rules(config.notify or Notify())
        self._places = places_of(config)
        self._count([account.name for account in config.accounts])

    def began(self, turn: Lease) -> None:
        """Hear that a run begins."""
        journal.run_began(turn)
        self._run_ids[turn.job.name] = str(uuid.uuid4())
        self._ping_account(turn.job.name, "start")

    def ended(self, turn: Lease, ending: RunResult) -> None:
        """Hear that a run has ended."""
        journal.run_ended(turn, ending)
        self._count([turn.job.name])
        if ending.report and ending.report.copied:
            self._upkeep.has_news()
        self._ping_account(turn.job.name, "fail" if ending.outcome.is_failure else "")

    def still_parked(self, turn: Lease) -> None:
        """Hear that a parked account was looked at, and that nothing has changed."""
        journal.still_parked(turn)

    def _ping_account(self, name: str, suffix: str) -> None:
        url = self._config.pings.accounts.get(name) if self._config.pings else None
        if url:
            self._pinger.send(Ping(url, suffix, self._run_ids.get(name, ""), name))

    def _count(self, names: Sequence[str]) -> None:
        for name in names:
            with suppress(FerryError):  # the ledger's trouble is told by whoever must write to it
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
            return completed(self._notes)
        except FerryError:
            return {}

    def _damaged(self) -> Mapping[str, int]:
        try:
            return self._ledger.notes.mismatches()
        except FerryError:
            return {}

    def tell(
        self,
        states: Mapping[str, AccountState],
        down: Mapping[str, Circuit],
        problem: str,
        intervals: Mapping[str, float],
    ) -> None:
        """Compare what is wrong with what was told, and tell the difference."""
        now = time.time()
        self.disks = self._measure(now)
        picture = alerts.AlertInputs(
            states,
            intervals,
            {account.name: hosts_of(account) for account in self._config.accounts},
            down,
            self.disks,
            self._damaged(),
            problem,
        )
        remembered = self._notes.facts(alerts.TOPIC)
        before = {key: alerts.OpenIncident.from_fact(fact) for key, fact in remembered.items()}
        still_open = [key for key, incident in before.items() if not incident.over_at]
        news = alerts.news(alerts.incidents(picture, still_open, now=now, rules=self._rules), before, now)
        if not news.is_empty:
            self._outbox.put(alerts.note_of(news, now))
        self._remember(news, before)
        self._ping_worker(news, now)

    def _measure(self, now: float) -> Sequence[alerts.Disk]:
        minimum = (self._config.notify or Notify()).disk_free
        try:
            return measured(folders_of(self._config), minimum, self._notes, now)
        except OSError:
            return self.disks

    def _remember(self, news: alerts.IncidentChanges, before: Mapping[str, alerts.OpenIncident]) -> None:
        for key, incident in news.remembered.items():
            if before.get(key) != incident:
                self._notes.noted(alerts.TOPIC, key, incident.as_fact())
        for key in before.keys() - news.remembered.keys():
            self._notes.forgotten(alerts.TOPIC, key)
        for begun in news.opened:
            say("worker.incident.opened", key=begun.key, title=begun.title)
        for over in news.recovered:
            say("worker.incident.over", title=over.title)

    def _ping_worker(self, news: alerts.IncidentChanges, now: float) -> None:
        url = self._config.pings.url if self._config.pings else None
        is_bad = any(not incident.over_at and incident.told_at for incident in news.remembered.values())
        if url and (news.opened or now - self._pinged_at >= PING_SECONDS):
            self._pinged_at = now
            self._pinger.send(Ping(url, "fail" if is_bad else "", "", ""))

    def digest(self, look: Callable[[], Snapshot]) -> None:
        """Send the weekly digest when it is due; the first is due at the first such moment after the first start."""
        settings = self._config.notify
        if settings is None or not settings.wants_digest:
            return
        now = time.time()
        last = self._notes.facts(DIGEST).get("last", {}).get("at")
        if not isinstance(last, float):
            self._notes.noted(DIGEST, "last", {"at": now})
        elif Timetable(Schedule(cron=settings.digest), DIGEST, now).next_after(last) <= now:
            self._outbox.put(digest.weekly(look()))
            self._notes.noted(DIGEST, "last", {"at": now})

    def leave(self) -> None:
        """Take the verdict away at the end."""
        with suppress(OSError):
            forget(self._config.state_dir)

    def write_health(self, health: Health) -> None:
        """Leave the verdict for ``mailferry healthcheck``; a full disk is no reason to stop."""
        with suppress(OSError):
            write(health, self._config.state_dir, time.time())


def _rules(settings: Notify) -> alerts.AlertRules:
    return alerts.AlertRules(settings.after_failures, settings.silence.total_seconds())
