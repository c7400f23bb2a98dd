"""The parts of one page as they are now, each with the number of the change that made it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Protocol

SELDOM = 10.0
"""Making all parts takes at most one part in that many of the time."""

Parts = Mapping[str, str]
"""HTML by the id of the element that it replaces."""


class Source(Protocol):
    """What makes the parts of a page."""

    def seen(self) -> object:
        """Return what the parts are made of but for the progress of runs, equal as long as it is the same; cheap."""

    def whole(self) -> Parts:
        """Return every part."""

    def moving(self) -> Parts:
        """Return the parts that the progress of runs changes, with all else as ``whole`` last found it."""


class Board:
    """The parts of one page for those who see the same; for one thread at a time, but for ``told``."""

    def __init__(self, source: Source, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._seen: object = None
        self._is_known = False
        """Whether the parts are those of what was seen: not before the first look, nor when a run has ended since."""
        self._moving: frozenset[str] = frozenset()
        self._rests_until = -math.inf
        self._parts: Mapping[str, tuple[int, str]] = {}
        self._told: dict[int, bytes] = {}
        """What those hear who know the change of that number, since the last look."""

    def refresh(self, number: int) -> bool:
        """Look for what has changed, as the change of that number; returns whether anything has."""
        began, kept = self._clock(), self._parts
        if began >= self._rests_until and not (self._is_known and self._source.seen() == self._seen):
            self._seen = self._source.seen()  # before the parts: what changes meanwhile is seen the next time
            found = self._source.whole()
            self._is_known, self._rests_until = True, began + SELDOM * (self._clock() - began)
            self._parts = {place: _numbered(kept.get(place), html, number) for place, html in found.items()}
        else:
            found = self._source.moving()
            self._is_known = self._is_known and self._moving <= found.keys()
            self._moving = frozenset(found)
            self._parts = {**kept, **{place: _numbered(kept.get(place), html, number) for place, html in found.items()}}
        self._told = {}
        return any(changed == number for changed, _ in self._parts.values())

    def told(self, number: int) -> bytes:
        """Return the parts that changed after that change as JSON, nothing where none has.

        It is made once for all who ask; any thread may.
        """
        known = self._told  # before the parts: what is made of older ones is not kept among the newer
        if number not in known:
            parts = self.since(number)
            known[number] = json.dumps(parts).encode() if parts else b""
        return known[number]

    def since(self, number: int) -> list[tuple[str, str]]:
        """Return the parts that changed after that change."""
        return [(place, html) for place, (changed, html) in self._parts.items() if changed > number]


def _numbered(before: tuple[int, str] | None, html: str, number: int) -> tuple[int, str]:
    return before if before is not None and before[1] == html else (number, html)
