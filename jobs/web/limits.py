"""How often a stranger may try: per address and per name, in memory.

Safe to call from any thread. What is known of the addresses that were heard of longest ago is
forgotten first, so that the memory it takes is bounded.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

MOST_REQUESTS, REQUEST_SECONDS = 30, 60.0
"""Forms that an address may send without being signed in, in a minute."""
MOST_FAILURES, FAILURE_SECONDS = 10, 900.0
"""Wrong passwords of one address in a quarter of an hour; then it waits as long."""
MOST_NAME_FAILURES, NAME_SECONDS = 5, 60.0
"""Wrong passwords for one name in a minute; then the name waits a minute."""
MOST_KEYS = 10_000


class Limits:
    """The counters of all addresses and names."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._moments: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def takes_request(self, address: str) -> bool:
        """Count a form that an address sends; False where it has sent too many."""
        with self._lock:
            if self._count("request", address, REQUEST_SECONDS) >= MOST_REQUESTS:
                return False
            self._add("request", address)
            return True

    def is_locked(self, address: str, name: str) -> bool:
        """Say whether an address, or anybody under a name, must wait before the next password."""
        with self._lock:
            return (
                self._count("failure", address, FAILURE_SECONDS) >= MOST_FAILURES
                or self._count("name", name.casefold(), NAME_SECONDS) >= MOST_NAME_FAILURES
            )

    def failed(self, address: str, name: str) -> None:
        """Count a wrong password."""
        with self._lock:
            self._add("failure", address)
            self._add("name", name.casefold())

    def succeeded(self, address: str, name: str) -> None:
        """Forget the wrong passwords before the right one."""
        with self._lock:
            self._moments.pop(("failure", address), None)
            self._moments.pop(("name", name.casefold()), None)

    def _count(self, what: str, key: str, seconds: float) -> int:
        moments = self._moments.get((what, key))
        if moments is None:
            return 0
        while moments and moments[0] <= self._clock() - seconds:
            moments.popleft()
        return len(moments)

    def _add(self, what: str, key: str) -> None:
        moments = self._moments.setdefault((what, key), deque(maxlen=MOST_REQUESTS))
        moments.append(self._clock())
        self._moments.move_to_end((what, key))
        while len(self._moments) > MOST_KEYS:
            self._moments.popitem(last=False)
