"""When rounds are due, and the alarm clock that tells so and does nothing else.

The clock is a heap with one moment for each account. It only rings; what is to be done then is not its business. It is
set from the configuration at every start. A late alarm still rings, and late ones of one account ring once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from heapq import heapify, heapreplace
from math import inf
from typing import Any

from migrator.config import Schedule

_LARGEST_JITTER = timedelta(minutes=1)
_LONGEST_NAP = 30.0
"""The clock looks at the time at least this often: somebody may set it, or the machine may have slept."""


class Timetable:
    """When the accounts of one schedule are due: ``every`` from the start on, or ``cron``; their rounds are spread."""

    def __init__(self, schedule: Schedule, start: float) -> None:
        self.schedule = schedule
        self._start = start
        self._between = (inf, inf)
        """In this span the next moment of the cron line is its end: it is worked out once for all accounts."""

    def next_after(self, name: str, now: float) -> float:
        """Return when an account is due next, later than now; infinity if never again."""
        jitter, every = self.schedule.jitter, self.schedule.every
        if every is None:
            return self._next_of_cron(now) + _spread(jitter)
        period = every.total_seconds()
        first = self._start + period * _share(name)
        rounds = (now - first) // period + 1 if now >= first else 0
        return first + period * rounds + _spread(jitter or min(every / 10, _LARGEST_JITTER))

    def _next_of_cron(self, now: float) -> float:
        begin, end = self._between
        if not begin <= now < end:
            moment = datetime.fromtimestamp(now, UTC) + timedelta(microseconds=1)  # what is now has come already
            due = _cron(self.schedule.cron or "", self.schedule.timezone).get_next_fire_time(None, moment)
            end = due.timestamp() if due else inf
            self._between = now, end
        return end


def _spread(jitter: timedelta | None) -> float:
    import random

    return random.uniform(0.0, jitter.total_seconds()) if jitter else 0.0  # no secret


def _share(name: str) -> float:
    """Spread the accounts over the second half of the first interval: the first round is at start for all."""
    spread = int.from_bytes(sha256(name.encode()).digest()[:4]) / 2**32
    return 0.5 + spread / 2


@cache
def _cron(line: str, zone: str | None) -> Any:  # noqa: ANN401  # APScheduler ships no types
    """Return what knows the moments of a cron line; without a time zone they are the machine's own."""
    from zoneinfo import ZoneInfo

    from apscheduler.triggers.cron import CronTrigger

    return CronTrigger.from_crontab(line, timezone=ZoneInfo(zone) if zone else None)


class Timetables:
    """The timetables of all accounts of the configuration in force; those of one schedule have the same one."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.by_account: Mapping[str, Timetable] = {}
        self._of_schedule: dict[Schedule, Timetable] = {}

    def take_over(self, schedules: Mapping[str, Schedule]) -> None:
        """Work by new schedules, by account."""
        self.by_account = {name: self.of(schedule) for name, schedule in schedules.items()}

    def of(self, schedule: Schedule) -> Timetable:
        """Return the timetable of a schedule, the same for the same one."""
        table = self._of_schedule.get(schedule)
        if table is None:
            table = self._of_schedule[schedule] = Timetable(schedule, self.started_at)
        return table

    def next_round(self, name: str, now: float) -> float:
        """Return when an account is due next; infinity for one that is gone."""
        table = self.by_account.get(name)
        return table.next_after(name, now) if table else inf


class AlarmClock:
    """Calls ``wake(name)``, from a thread of its own, when a round of an account is due."""

    def __init__(self, wake: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        self._wake = wake
        self._clock = clock
        self._changed = threading.Condition()
        self._tables: Mapping[str, Timetable] = {}
        self._alarms: list[tuple[float, str]] = []
        self._latest = 0.0
        self._is_over = False
        self._thread = threading.Thread(target=self._ring, name="alarm-clock", daemon=True)

    def start(self) -> None:
        """Start the clock's thread."""
        self._thread.start()

    def set(self, tables: Mapping[str, Timetable]) -> None:
        """Ring for these accounts only; one whose timetable is the same keeps its rhythm."""
        with self._changed:
            known = {name: due for due, name in self._alarms if tables.get(name) is self._tables[name]}
            self._tables = tables
            self._set(known)
            self._changed.notify()

    def _set(self, known: Mapping[str, float]) -> None:
        now = self._latest = self._clock()
        self._alarms = [(known.get(name) or table.next_after(name, now), name) for name, table in self._tables.items()]
        heapify(self._alarms)

    def _ring(self) -> None:
        while True:
            name = self.due()
            if name is not None:
                self._wake(name)
                continue
            with self._changed:
                if self._is_over:
                    return
                next_due = self._alarms[0][0] if self._alarms else inf
                self._changed.wait(min(max(next_due - self._clock(), 0.0), _LONGEST_NAP))

    def due(self) -> str | None:
        """Return an account whose alarm is due, and set the next one; None where none is."""
        with self._changed:
            now = self._clock()
            if now < self._latest - _LONGEST_NAP:
                self._set({})  # somebody has set the clock back: nobody waits for what lies ahead only by that
            self._latest = now
            if self._is_over or not self._alarms or self._alarms[0][0] > now:
                return None
            _, name = self._alarms[0]
            heapreplace(self._alarms, (self._tables[name].next_after(name, now), name))
            return name

    def is_alive(self) -> bool:
        """Tell whether the clock's thread lives."""
        return self._thread.is_alive()

    def stop(self, seconds: float = 0.0) -> bool:
        """Ring no more; returns whether its thread has ended in that time. Nothing of ours runs there."""
        with self._changed:
            self._is_over = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()
