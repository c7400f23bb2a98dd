"""How long the other end is waited for: as configured, and only for a breath once the run is to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from migrator.errors import StoppedError

BREATH = 1.5
"""Seconds of silence that are borne once the run is to stop: what is alive finishes what is under way."""

LOOK = 0.25
"""Seconds between two looks whether it is to stop."""


class Stop(Protocol):
    """What tells whether a person or the system wants an end: an event."""

    def is_set(self) -> bool:
        """Say whether one is wanted."""


class Patience:
    """One wait for something to arrive, of at most that many seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float], stop: Stop | None = None) -> None:
        self._clock = clock
        self._stop = stop
        self._until = clock() + seconds
        self._stops_at: float | None = None

    def left(self) -> float:
        """Return for how many seconds to wait until this is asked again; none where the time is over.

        Raises ``StoppedError`` when the run has been to stop for a breath.
        """
        now = self._clock()
        left = self._until - now
        if self._stop is None:
            return left
        if self._stop.is_set():
            self._stops_at = now + BREATH if self._stops_at is None else self._stops_at
            if now >= self._stops_at:
                raise StoppedError
            left = min(left, self._stops_at - now)
        return min(left, LOOK)


class Halt:
    """A stop that is named later, if at all: by a run, to what was made before it."""

    def __init__(self) -> None:
        self.heeds: Stop | None = None
        self.guard: Callable[[], None] = lambda: None
        """What raises when this process may have no more effects on the other end."""

    def is_set(self) -> bool:
        """Say whether an end is wanted."""
        return self.heeds is not None and self.heeds.is_set()

    def pause(self, sleep: Callable[[float], None], seconds: float) -> None:
        """Sleep; raises ``StoppedError`` as soon as an end is wanted."""
        if self.heeds is None:
            sleep(seconds)
            return
        while seconds > 0:
            if self.is_set():
                raise StoppedError
            sleep(min(seconds, LOOK))
            seconds -= LOOK
