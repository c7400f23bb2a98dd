"""The accounts that wait, in one lane for each set of hosts: a lane whose hosts cannot be asked is passed over whole.

Pure, and as quick with 100,000 accounts as with ten: a lane is a heap by the moment from which an account could run.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import NamedTuple

Hosts = frozenset[str]


class Place(NamedTuple):
    """An account that waits and could run since then; of two of the same moment, the one that came first goes first."""

    since: float
    ticket: int
    name: str
    maildrop: str


class WaitingLine:
    """Who waits, and since when."""

    def __init__(self) -> None:
        self._lanes: dict[Hosts, list[Place]] = {}
        self._places: dict[str, tuple[Hosts, Place]] = {}
        self._count = count()

    def place(self, name: str, hosts: Hosts, maildrop: str, since: float) -> None:
        """Let an account wait; a place that it had before is given up, unless it is the same."""
        before = self._places.get(name)
        if before and (before[0], before[1].maildrop, before[1].since) == (hosts, maildrop, since):
            return
        place = Place(since, next(self._count), name, maildrop)
        self._places[name] = hosts, place
        heappush(self._lanes.setdefault(hosts, []), place)

    def leave(self, name: str) -> None:
        """Take an account out; one that does not wait is no matter."""
        self._places.pop(name, None)

    def first(self, now: float, opens_at: Callable[[Hosts], float], is_busy: Callable[[str], bool]) -> Place | None:
        """Return who has waited longest of those that may run now: hosts open, maildrop not busy."""
        best: Place | None = None
        for hosts, lane in self._lanes.items():
            if lane and lane[0].since <= now and (best is None or lane[0] < best) and opens_at(hosts) <= now:
                head = self._head(lane, is_busy)
                if head is not None and head.since <= now and (best is None or head < best):
                    best = head
        return best

    def wakes_at(self, opens_at: Callable[[Hosts], float], is_busy: Callable[[str], bool]) -> float:
        """Return when ``first`` may next find somebody without anything else happening; infinity if never."""
        earliest = inf
        for hosts, lane in self._lanes.items():
            if lane and lane[0].since < earliest and (opens := opens_at(hosts)) < earliest:
                head = self._head(lane, is_busy)
                earliest = min(earliest, max(opens, head.since)) if head is not None else earliest
        return earliest

    def _head(self, lane: list[Place], is_busy: Callable[[str], bool]) -> Place | None:
        passed_over: list[Place] = []
        head = None
        while lane:
            first = lane[0]
            if not self._is_kept(first):
                heappop(lane)
            elif is_busy(first.maildrop):
                passed_over.append(heappop(lane))
            else:
                head = first
                break
        for place in passed_over:
            heappush(lane, place)
        return head

    def _is_kept(self, place: Place) -> bool:
        kept = self._places.get(place.name)
        return kept is not None and kept[1] is place
