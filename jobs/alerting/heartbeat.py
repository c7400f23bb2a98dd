"""Dead-man pings in the manner of healthchecks: start, success and fail, paired by a run id, with nothing in the body.

A ping that cannot be delivered is tried a few times and then dropped: its absence is what the other side reports.
"""

from __future__ import annotations

import logging
import queue
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException

from jobs.log import say
from jobs.schedule.retry import RunOutcome
from migrator.config import Pings
from migrator.config.secrets import Secret
from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass

TIMEOUT = 10.0
TRIES = 5
PAUSE = 2.0
WORKER_SECONDS = 300.0
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
        if not base.startswith(("https://", "http://")):
            raise ValueError("only http and https are pinged")
        path = f"{base}/{self.suffix}" if self.suffix else base
        return f"{path}?rid={self.run_id}" if self.run_id else path


Call = Callable[[str], None]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for what it is: no answer of the service that was to be pinged."""

    def redirect_request(self, *_args: object) -> None:  # None: it ends as an HTTPError
        """Go nowhere else: the address holds a secret, and the configuration names where it may be shown."""


# The configuration admits http and https only.
_OPENER = urllib.request.build_opener(_NoRedirects)


def call(address: str) -> None:
    """Fetch a URL and throw the answer away; no redirect is followed.

    Raises ``OSError``, ``ValueError`` or ``HTTPException`` when it is no success.
    """
    with _OPENER.open(address, timeout=TIMEOUT) as answer:
        answer.read(1000)


class Pinger:
    """A thread that pings."""

    def __init__(self, call: Call = call, *, pause: float = PAUSE) -> None:
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
        """Start the thread."""
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Send what waits, each once at most, and end; returns whether that took less than so long."""
        self._stop.set()
        self._waiting.put(None)
        self._thread.join(seconds)
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
            except (OSError, ValueError, HTTPException, FerryError) as error:
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


class Heartbeats:
    """Which ping is due: one when an account's run begins and one when it ends, one of the worker every few minutes."""

    def __init__(self, pinger: Pinger, pings: Pings | None) -> None:
        self._pinger = pinger
        self._run_ids: dict[str, str] = {}
        self._worker_pinged_at = 0.0
        self.pings = pings
        """What is configured; None where nobody wants to be pinged."""

    def run_began(self, account: str) -> None:
        """Say that a run of the account begins."""
        self._run_ids[account] = str(uuid.uuid4())
        self._send(account, "start")

    def run_ended(self, account: str, outcome: RunOutcome) -> None:
        """Say how the run of the account ended; nothing of one that was stopped, which neither failed nor was done."""
        if outcome.is_failure or not outcome.is_interrupted:
            self._send(account, "fail" if outcome.is_failure else "")

    def _send(self, account: str, suffix: str) -> None:
        url = self.pings.accounts.get(account) if self.pings else None
        if url:
            self._pinger.send(Ping(url, suffix, self._run_ids.get(account, ""), account))

    def worker(self, now: float, *, is_failure: bool, is_news: bool) -> None:
        """Say how the worker is: at once where something has just gone wrong, else now and then."""
        url = self.pings.url if self.pings else None
        if url and (is_news or now - self._worker_pinged_at >= WORKER_SECONDS):
            self._worker_pinged_at = now
            self._pinger.send(Ping(url, "fail" if is_failure else "", "", ""))


def _reason(error: Exception) -> str:
    """Say what happened without the URL, which is a secret."""
    if isinstance(error, urllib.error.HTTPError):
        is_redirect = HTTPStatus.MULTIPLE_CHOICES <= error.code < HTTPStatus.BAD_REQUEST
        return f"HTTP status {error.code}{', and no redirect is followed' if is_redirect else ''}"
    return type(error).__name__
