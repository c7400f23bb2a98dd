"""What somebody has begun and not yet saved: a mailbox to be added, a change to be looked over.

In memory only, for half an hour, and only for the session that began it: a password that was typed is stored nowhere
before it is known to be right, or its owner says that it is to be kept all the same. Safe to call from any thread.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import TypeVar

DRAFT_SECONDS = 1800.0
MOST_DRAFTS = 50

T = TypeVar("T")


class Drafts:
    """The drafts of all sessions; the oldest gives way where there are too many."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, str, object]] = {}

    def keep(self, session: str, what: object) -> str:
        """Keep something for a session; returns what it is asked for by."""
        key = secrets.token_urlsafe(9)
        with self._lock:
            self._forget_old()
            while len(self._kept) >= MOST_DRAFTS:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = (self._clock(), session, what)
        return key

    def get(self, session: str, key: str, kind: type[T]) -> T | None:
        """Return what a session has kept under a key, None for anything else."""
        with self._lock:
            self._forget_old()
            _, owner, what = self._kept.get(key, (0.0, "", None))
        return what if owner == session and isinstance(what, kind) else None

    def drop(self, key: str) -> None:
        """Forget what was kept under a key."""
        with self._lock:
            self._kept.pop(key, None)

    def _forget_old(self) -> None:
        oldest = self._clock() - DRAFT_SECONDS
        for key in [key for key, (at, *_) in self._kept.items() if at < oldest]:
            del self._kept[key]
