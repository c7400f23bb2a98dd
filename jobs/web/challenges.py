"""What a browser has to answer once and soon: in memory, each good for one answer of whom it was given to.

Safe to call from any thread. The oldest give way where there are too many, so that strangers cannot fill the memory.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

CHALLENGE_SECONDS = 300.0
MOST_CHALLENGES = 10_000


class Challenges:
    """The challenges that nobody has answered yet."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._given: dict[bytes, tuple[str, float]] = {}

    def new(self, owner: str) -> bytes:
        """Return a challenge for the owner of a form token: 32 octets that nobody guesses."""
        challenge = secrets.token_bytes(32)
        with self._lock:
            while len(self._given) >= MOST_CHALLENGES:
                self._given.pop(next(iter(self._given)))
            self._given[challenge] = (owner, self._clock() + CHALLENGE_SECONDS)
        return challenge

    def use(self, owner: str, challenge: bytes) -> bool:
        """Use a challenge up; False where it was given to somebody else, was used before, or is over."""
        with self._lock:
            given_to, until = self._given.pop(challenge, ("", 0.0))
        return given_to == owner and self._clock() < until
