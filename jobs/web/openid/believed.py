"""What a provider was asked once and is believed for a while.

So is it, for some seconds, when it gives no answer: who comes meanwhile hears of that at once, and a provider that
is away keeps no thread of the page waiting for long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from migrator.errors import FerryError, Kind

FAILED_SECONDS = 15.0
PATIENCE_SECONDS = 12.0
"""So long somebody waits for an answer that another has asked for."""

T = TypeVar("T")


class Believed(Generic[T]):
    """One thing that is asked for; safe to share between threads, of which one asks at a time."""

    def __init__(self, fetch: Callable[[], T], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[float, T] | None = None
        self._failed: tuple[float, FerryError] | None = None

    def get(self, seconds: float) -> T:
        """Return what is known, if it is no older than that, else ask; raises what asking raises."""
        if not self._lock.acquire(timeout=PATIENCE_SECONDS):
            raise FerryError(Kind.TEMPORARY, "the sign-in provider has not answered yet")
        try:
            if self._known is not None and self._clock() - self._known[0] <= seconds:
                return self._known[1]
            if self._failed is not None and self._clock() - self._failed[0] <= FAILED_SECONDS:
                raise self._failed[1].with_traceback(None)
            return self._asked()
        finally:
            self._lock.release()

    def _asked(self) -> T:
        try:
            found = self._fetch()
        except FerryError as error:
            self._failed = (self._clock(), error)
            raise
        self._known, self._failed = (self._clock(), found), None
        return found
