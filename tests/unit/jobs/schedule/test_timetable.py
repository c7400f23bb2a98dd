"""The alarm clock rings for whom it is set, at the moments of the timetables, by a clock that somebody may set."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from jobs.schedule.timetable import AlarmClock, Timetable, Timetables
from migrator.config import Schedule

NOW = 1_795_996_800.0
HOURLY = Schedule(every=timedelta(hours=1))
DAILY = Schedule(every=timedelta(days=1))


class Clock:
    """A clock that somebody sets, and the bell: who it rang for."""

    def __init__(self) -> None:
        self.now = NOW
        self.rung: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.alarms = AlarmClock(self.rung.put, lambda: self.now)

    def at(self, now: float) -> list[str]:
        """Return for whom it rings when it looks at the clock at this moment."""
        self.now = now
        # What its thread does at each look, without the nap of up to half a minute.
        names = []
        while (name := self.alarms.due()) is not None:
            names.append(name)
        return sorted(names)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def tables(**schedules: Schedule) -> Timetables:
    made = Timetables(NOW)
    made.take_over(schedules)
    return made


def test_it_rings_once_an_interval_for_each(clock: Clock) -> None:
    clock.alarms.set(tables(ann=HOURLY, bob=HOURLY, eve=DAILY).by_account)
    assert clock.at(NOW + 60) == []
    assert clock.at(NOW + 3661) == ["ann", "bob"]
    assert clock.at(NOW + 3662) == []
    assert clock.at(NOW + 2 * 3600 + 61) == ["ann", "bob"]
    assert clock.at(NOW + 86_400 + 61) == ["ann", "bob", "eve"], "late alarms of one account ring once"


def test_an_account_whose_timetable_is_the_same_keeps_its_rhythm(clock: Clock) -> None:
    known = tables(ann=DAILY, bob=DAILY)
    clock.alarms.set(known.by_account)
    clock.now = NOW + 86_460  # both are due: who is set anew is due in the next interval
    known.take_over({"ann": DAILY, "bob": HOURLY, "eve": DAILY})
    clock.alarms.set(known.by_account)
    assert clock.at(NOW + 86_460) == ["ann"]
    known.take_over({"bob": HOURLY})
    clock.alarms.set(known.by_account)
    assert clock.at(NOW + 5 * 86_400) == ["bob"]


def test_nobody_waits_for_a_moment_that_lies_ahead_because_the_clock_was_set_back(clock: Clock) -> None:
    clock.alarms.set(tables(ann=HOURLY).by_account)
    assert clock.at(NOW + 30 * 86_400) == ["ann"]
    assert clock.at(NOW + 60) == []
    assert clock.at(NOW + 3661) == ["ann"]


@contextmanager
def running(clock: AlarmClock) -> Iterator[None]:
    clock.start()
    try:
        assert clock.is_alive()
        yield
    finally:
        clock.stop()


def test_its_thread_rings_and_ends(clock: Clock) -> None:
    clock.alarms.set(tables(ann=HOURLY).by_account)
    clock.now = NOW + 3661
    with running(clock.alarms):
        assert clock.rung.get(timeout=20) == "ann"
        clock.alarms.set(tables(bob=Schedule(cron="* * * * *")).by_account)
        clock.now += 61
        clock.alarms.set(tables(bob=Schedule(cron="* * * * *"), eve=DAILY).by_account)  # which wakes it
    assert clock.alarms.stop(20)


def test_accounts_of_one_schedule_have_the_same_timetable() -> None:
    made = tables(ann=HOURLY, bob=Schedule(every=timedelta(hours=1)), eve=DAILY)
    assert made.by_account["ann"] is made.by_account["bob"] is not made.by_account["eve"]
    assert made.next_round("nobody", NOW) == float("inf")
    assert isinstance(made.of(DAILY), Timetable)
