"""The alarm clock: APScheduler tells when a round is due, and does nothing else.

Its jobs only ring; none ever touches the scheduler (APScheduler 3 dead-locks on that at shutdown). They are rebuilt
from the configuration at every start. A late alarm still rings, and late ones of one account ring once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from migrator.config import Config, Schedule

_LARGEST_JITTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Timetable:
    """When one account is due: ``every`` from the start on, or ``cron``; the rounds of accounts are spread."""

    schedule: Schedule
    name: str
    start: float

    def trigger(self) -> Any:  # noqa: ANN401  # APScheduler ships no types
        """Return APScheduler's form."""
        jitter = self.schedule.jitter
        if self.schedule.cron:
            zone = ZoneInfo(self.schedule.timezone) if self.schedule.timezone else None  # None: the machine's own
            trigger = CronTrigger.from_crontab(self.schedule.cron, timezone=zone)
            trigger.jitter = jitter.total_seconds() if jitter else None
            return trigger
        every = self.schedule.every or timedelta(minutes=15)
        spread = (jitter or min(every / 10, _LARGEST_JITTER)).total_seconds()
        first = datetime.fromtimestamp(self.start, UTC) + every * self._share()
        return IntervalTrigger(seconds=every.total_seconds(), start_date=first, timezone=UTC, jitter=spread)

    def _share(self) -> float:
        """Spread the accounts over the second half of the first interval: the first round is at start for all."""
        spread = int.from_bytes(sha256(self.name.encode()).digest()[:4]) / 2**32
        return 0.5 + spread / 2

    def next_after(self, now: float) -> float:
        """Return when the account is due next; infinity if never again."""
        moment = datetime.fromtimestamp(now, UTC)
        due = self.trigger().get_next_fire_time(None, moment)
        return due.timestamp() if due else float("inf")

    def interval(self, now: float) -> float:
        """Return about how many seconds lie between two rounds."""
        if self.schedule.every:
            return self.schedule.every.total_seconds()
        first = self.next_after(now)
        return self.next_after(first + 61) - first


class Timetables:
    """The timetables of all accounts of the configuration in force."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.by_account: dict[str, Timetable] = {}
        self.intervals: dict[str, float] = {}
        """About how many seconds lie between two rounds, by account."""

    def take_over(self, config: Config) -> None:
        """Work by a new configuration."""
        self.by_account = {
            account.name: Timetable(account.schedule or config.schedule, account.name, self.started_at)
            for account in config.accounts
        }
        self.intervals = {name: table.interval(self.started_at) for name, table in self.by_account.items()}

    def next_round(self, name: str, now: float) -> float:
        """Return when an account is due next; infinity for one that is gone."""
        table = self.by_account.get(name)
        return table.next_after(now) if table else float("inf")


class AlarmClock:
    """Calls ``wake(name)``, from a thread of its own, when a round of an account is due."""

    def __init__(self, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            # Without a grace time an alarm that is a second late would be dropped.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self) -> None:
        """Start the clock's thread."""
        self._scheduler.start()

    def set(self, tables: Mapping[str, Timetable]) -> None:
        """Ring for these accounts only; one whose timetable is the same keeps its rhythm."""
        known = {job.id: job for job in self._scheduler.get_jobs()}
        for name in known.keys() - tables.keys():
            self._scheduler.remove_job(name)
        for name, table in tables.items():
            if name not in known or known[name].args[1] != table.schedule:
                self._scheduler.add_job(
                    self._woken, table.trigger(), args=(name, table.schedule), id=name, replace_existing=True
                )

    def _woken(self, name: str, _schedule: Schedule) -> None:
        self._wake(name)

    def is_alive(self) -> bool:
        """Tell whether the clock's thread lives."""
        thread = self._scheduler._thread  # noqa: SLF001  # there is no public way to ask
        return bool(self._scheduler.running and thread is not None and thread.is_alive())

    def stop(self) -> None:
        """Ring no more; nothing of ours runs in the clock, so there is nothing to wait for."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
