"""Things to do now and then, from one thread."""

from __future__ import annotations

from collections.abc import Callable

from migrator.lazy_dataclasses import dataclass


@dataclass(slots=True)
class _Tick:
    period: float
    action: Callable[[], None]
    due: float


class PeriodicTasks:
    """Actions with their periods in seconds; none runs twice to make up for a late one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Tell time by ``clock``, which must never go back."""
        self._clock = clock
        self._ticks: list[_Tick] = []

    def every(self, period: float, action: Callable[[], None]) -> None:
        """Do something every ``period`` seconds, the first time after one period."""
        self._ticks.append(_Tick(period, action, self._clock() + period))

    def next_in(self) -> float:
        """Return in how many seconds something is due."""
        return max(0.0, min(tick.due for tick in self._ticks) - self._clock())

    def run_due(self) -> None:
        """Do what is due."""
        for tick in self._ticks:
            if tick.due <= self._clock():
                tick.due = self._clock() + tick.period  # first, so that an action that fails is not due at once
                tick.action()
