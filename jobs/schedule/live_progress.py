"""How far the runs of the worker have come: for the page, and, as a pulse, for the watchdog."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from migrator.lazy_dataclasses import dataclass, replace
from migrator.progress import Headway

if TYPE_CHECKING:
    from jobs.schedule.workers import Liveness


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far one run has come. ``since`` is seconds since the epoch, ``rate`` octets a second.

    Nothing is planned before the source has shown what it holds. ``seconds_left`` is None where nobody can tell.
    """

    since: float
    messages: int = 0
    octets: int = 0
    planned_messages: int = 0
    planned_octets: int = 0
    rate: float = 0.0
    seconds_left: float | None = None
    is_stopping: bool = False
    """Whether it was asked to end, and finishes what it is at."""

    def as_json(self) -> dict[str, object]:
        """Return the object that the API gives."""
        return {
            "messages": self.messages,
            "planned_messages": self.planned_messages,
            "octets": self.octets,
            "planned_octets": self.planned_octets,
            "octets_per_second": round(self.rate),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left),
            "stopping": self.is_stopping,
        }


class LiveProgress:
    """Follows every run of the worker; safe to call from any thread."""

    def __init__(
        self,
        liveness: Liveness,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._liveness = liveness
        self._clock = clock
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._since: dict[str, float] = {}
        self._headway: dict[str, Headway] = {}

    def began(self, account: str) -> None:
        """Follow a run from its beginning."""
        with self._lock:
            self._since[account] = self._wall_clock()

    def ended(self, account: str) -> None:
        """Follow the account's run no more."""
        with self._lock:
            self._since.pop(account, None)
            self._headway.pop(account, None)

    def planned(self, account: str, messages: int, octets: int) -> None:
        """Note that so much is to be retrieved, and that the account got somewhere."""
        self._liveness.beat(account)
        with self._lock:
            self._headway[account] = self._of(account).plan(messages, octets)

    def advanced(self, account: str, messages: int, octets: int) -> None:
        """Note that so much more is done with, and that the account got somewhere."""
        self._liveness.beat(account)
        with self._lock:
            self._headway[account] = self._of(account).advance(messages, octets)

    def _of(self, account: str) -> Headway:
        return self._headway.get(account) or Headway(self._clock())

    def running(self) -> Mapping[str, RunProgress]:
        """Return how far each run has come that goes on now, by account."""
        with self._lock:
            now = self._clock()
            return {name: self._seen(since, self._headway.get(name), now) for name, since in self._since.items()}

    @staticmethod
    def _seen(since: float, headway: Headway | None, now: float) -> RunProgress:
        if headway is None:
            return RunProgress(since)
        return RunProgress(
            since,
            headway.messages,
            headway.octets,
            headway.planned_messages,
            headway.planned_octets,
            headway.rate(now),
            headway.seconds_left(now),
        )


def with_stops(running: Mapping[str, RunProgress], stopping: frozenset[str]) -> Mapping[str, RunProgress]:
    """Return it with those marked that were asked to end."""
    return {name: replace(one, is_stopping=name in stopping) for name, one in running.items()}
