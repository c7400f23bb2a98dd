"""Dead-man pings in the manner of healthchecks: start, success and fail, paired by a run id, with nothing in the body.

A ping that cannot be delivered is tried a few times and then dropped: its absence is what the other side reports.
"""

from __future__ import annotations

import logging
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException

from jobs.log import say
from migrator.config.secrets import Secret
from migrator.errors import FerryError

TIMEOUT = 10.0
TRIES = 5
PAUSE = 2.0
_MOST_WAITING = 1000


@dataclass(frozen=True, slots=True)
class Ping:
    """One call: ``suffix`` is ``start``, ``fail`` or ``""`` for success; ``run_id`` pairs a start with its end."""

    url: Secret
    suffix: str
    run_id: str
    whose: str

    def address(self) -> str:
        """Return the URL to call; the secret is fetched now."""
        base = self.url.reveal().rstrip("/")
        path = f"{base}/{self.suffix}" if self.suffix else base
        return f"{path}?rid={self.run_id}" if self.run_id else path


Call = Callable[[str], None]


def call(address: str) -> None:
    """Fetch a URL and throw the answer away; raises ``OSError`` or ``HTTPException`` when it is no success."""
    # The configuration admits http and https only.
    with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:  # noqa: S310
        answer.read(1000)


class Pinger:
    """A quiet thread that pings."""

    def __init__(self, call: Call = call, *, pause: float = PAUSE) -> None:
        """Prepare; nothing is sent before ``start``."""
        self._call = call
        self._pause = pause
        self._waiting: queue.Queue[Ping | None] = queue.Queue(_MOST_WAITING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="pings", daemon=True)

    def send(self, ping: Ping) -> None:
        """Ping soon; dropped when hundreds wait already."""
        if not self._waiting.full():
            self._waiting.put(ping)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, patience: float) -> bool:
        """Send what waits, each once at most, and end; returns whether that took less than ``patience`` seconds."""
        self._stop.set()
        self._waiting.put(None)
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (ping := self._waiting.get()) is not None:
            self.deliver(ping)

    def deliver(self, ping: Ping) -> None:
        """Ping now, a few times if need be; at the end of the worker once."""
        reason = ""
        for _ in range(TRIES):
            try:
                self._call(ping.address())
            except (OSError, HTTPException, FerryError) as error:
                reason = _reason(error)
            else:
                return
            if self._stop.wait(self._pause):
                break
        say(
            "worker.ping.failed",
            level=logging.WARNING,
            account=ping.whose,
            ping=ping.suffix or "success",
            problem=reason,
        )


def _reason(error: Exception) -> str:
    """Say what happened without the URL, which is a secret."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP status {error.code}"
    return type(error).__name__
