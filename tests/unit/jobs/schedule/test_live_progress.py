"""What the page sees of runs that go on: how far, how fast, and nothing of those that have ended."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from jobs.schedule.live_progress import LiveProgress, RunProgress, with_stops
from jobs.schedule.workers import Liveness


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def following(clock: Clock) -> LiveProgress:
    return LiveProgress(Liveness(clock), clock=clock, wall_clock=lambda: 1_000.0 + clock.now)


def test_a_run_is_followed_from_its_beginning_to_its_end() -> None:
    clock = Clock()
    live = following(clock)
    live.began("ann")
    assert live.running() == {"ann": RunProgress(1_000.0)}
    clock.now = 5.0
    live.planned("ann", 10, 1_000)
    clock.now = 15.0
    live.advanced("ann", 4, 400)
    assert live.running() == {"ann": RunProgress(1_000.0, 4, 400, 10, 1_000, 40.0, 15.0)}
    live.ended("ann")
    assert live.running() == {}
    live.began("ann")
    assert live.running()["ann"].messages == 0


def test_progress_feeds_the_watchdog() -> None:
    clock = Clock()
    liveness = Liveness(clock)
    live = LiveProgress(liveness, clock=clock)
    for step in (live.planned, live.advanced):
        step("ann", 1, 1)
        clock.now += 100.0
        assert liveness.stuck(99.0) == ["ann"]
        assert liveness.stuck(101.0) == []


def test_what_was_asked_to_end_says_so() -> None:
    running = {"ann": RunProgress(1.0), "bob": RunProgress(2.0)}
    marked = with_stops(running, frozenset({"bob", "gone"}))
    assert {name: one.is_stopping for name, one in marked.items()} == {"ann": False, "bob": True}
    assert marked["bob"].as_json()["stopping"] is True


def test_no_number_is_lost_between_threads() -> None:
    live = following(Clock())
    live.began("ann")
    live.planned("ann", 8_000, 80_000)

    def work() -> None:
        for _ in range(1_000):
            live.advanced("ann", 1, 10)
            assert live.running()["ann"].octets % 10 == 0

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (live.running()["ann"].messages, live.running()["ann"].octets) == (8_000, 80_000)
