"""How many connections one server gets at one time, over all accounts of a process.

Servers bound what comes from one address (Courier's ``MAXPERIP=4``): one connection too many is closed at accept or in
the TLS handshake, or refused in words. While others of that server are open this is no fault of the account's: it waits
until one of them is done, and the server gets fewer from then on. The bound is remembered, and rises again by one every
``RISE`` seconds. A server that refuses although nothing of ours is open is asked by one account at a time; after
``PROBES`` refusals in a row those that wait for it hear the same, and do not ask.

What an account takes it takes in one order (its IMAP servers by name, then its source), so that no two wait for each
other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, Protocol, TypeVar

from migrator.backoff import SESSION
from migrator.errors import Advice, Endpoint, FerryError, Kind, StoppedError
from migrator.lazy_dataclasses import dataclass, field
from migrator.net.refusal_words import Cause, cause_of
from migrator.run.counters import interrupted

TOPIC = "connections"
MOST: Final = 8
"""Connections that one server gets if nothing else is known: enough to hide round trips, few enough for a hoster."""
RISE: Final = 6 * 3600.0
PROBES: Final = 3
HEARSAY_SECONDS: Final = 30.0
"""For so long the last refusal of a server that lets nobody in answers for it."""
SETTLE_SECONDS: Final = 0.3
"""Where a server bounds connections, it may take a moment to see that one is gone."""

_Opened = TypeVar("_Opened")


class Store(Protocol):
    """Where bounds are remembered, by server; ``migrator.ledger`` has one."""

    def get_all(self, topic: str) -> dict[str, dict[str, object]]:
        """Return what is remembered."""

    def put(self, topic: str, name: str, fact: Mapping[str, object]) -> None:
        """Remember a fact in place of what was known under that name."""

    def delete(self, topic: str, name: str) -> None:
        """Forget a fact."""


class HostDownError(FerryError):
    """A server has just refused other accounts of this process several times, so that this one did not ask."""


@dataclass(slots=True)
class _Host:
    """One server as this process sees it now."""

    opening: int = 0
    opened: int = 0
    learned: int = 0
    """How many it takes by what it has refused; 0 while nothing was."""
    learned_at: float = 0.0
    is_wary: bool = False
    """It has refused somebody since it last let one in: one at a time asks."""
    is_doubted: bool = False
    """It has refused one that is within what was learned; once may be chance."""
    failures: int = 0
    """Refusals in a row while nothing of ours was open."""
    failed_at: float = float("-inf")
    error: FerryError | None = None

    @property
    def inside(self) -> int:
        return self.opening + self.opened

    def bound(self, most: int, now: float) -> int:
        """Return how many it may have now."""
        if not self.learned:
            return most
        # Before it was learned: somebody has set the clock back.
        risen = int(max(now - self.learned_at, 0.0) // RISE)
        return max(1, min(self.learned + risen, most))

    def takes_fewer(self, most: int, now: float) -> bool:
        """Learn from a refusal while others are inside; returns whether there is something to remember."""
        bound, seen = self.bound(most, now), max(1, self.inside)
        if self.learned and seen < bound and not self.is_doubted:
            self.is_doubted = True
            return False
        self.learned, self.learned_at, self.is_doubted = min(seen, bound), now, False
        return True


def is_refusal(error: FerryError) -> bool:
    """Say whether a server turned a connection away before it knew whose it was, or says that there are too many."""
    return error.kind is Kind.CONNECT or (error.kind is not Kind.AUTH and says_too_many(error))


def says_too_many(error: FerryError) -> bool:
    """Say whether a server's words are about a number of connections."""
    return cause_of(error.server_words) is Cause.TOO_MANY


@dataclass(slots=True)
class HostLimits:
    """The servers of one process; all methods may be called from any thread.

    ``configured`` is what a person allows, by server. ``store`` remembers what was learned, else it is forgotten.
    """

    configured: Mapping[str, int] = field(default_factory=dict)
    store: Store | None = None
    wall_clock: Callable[[], float] = time.time
    _hosts: dict[str, _Host] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        """Recall what was learned before."""
        facts = self.store.get_all(TOPIC) if self.store else {}
        for name, fact in facts.items():
            bound, at = fact.get("bound"), fact.get("at")
            if isinstance(bound, int) and isinstance(at, int | float):
                self._hosts[name] = _Host(learned=bound, learned_at=at)

    def bound(self, host: str) -> int:
        """Return how many connections a server gets at most at this moment."""
        with self._changed:
            return self._bound(host)

    def _bound(self, host: str) -> int:
        most = self.configured.get(host, MOST)
        known = self._hosts.get(host)
        return most if known is None else known.bound(most, self.wall_clock())

    def has_room(self, host: str) -> bool:
        """Say whether a connection to a server would not have to wait."""
        with self._changed:
            known = self._hosts.get(host)
            return known is None or self._may_enter(host, known)

    @contextmanager
    def place(
        self, endpoint: Endpoint, stop: threading.Event, heard: Callable[[], None] = lambda: None
    ) -> Iterator[Place]:
        """Hold a place at a server from the moment it is taken by ``Place.open`` on; on leaving it is free again.

        ``stop`` ends waiting for it with ``temporary``; ``heard`` is called now and then meanwhile.
        """
        place = Place(self, str(endpoint), stop, heard)
        try:
            yield place
        finally:
            place.leave()

    def hold(self, host: str, stop: threading.Event, heard: Callable[[], None]) -> None:
        """Wait for a place and take it, whatever the server says later."""
        with self._changed:
            known = self._hosts.setdefault(host, _Host())
            has_waited = False
            while known.inside >= self._bound(host):
                has_waited = True
                self._wait(stop, heard)
            known.opened += 1
        if has_waited:
            stop.wait(SETTLE_SECONDS)

    def turned_away(self, host: str) -> bool:
        """Note that a server has refused one that holds a place; returns whether that may be for the others' sake."""
        with self._changed:
            known, now = self._hosts[host], self.wall_clock()
            others = known.inside - 1
            if others <= 0:
                return False
            known.learned, known.learned_at = min(others, self._bound(host)), now
            self._remember(host, known)
            return True

    def _wait(self, stop: threading.Event, heard: Callable[[], None]) -> None:
        if stop.is_set():
            raise interrupted()
        heard()
        self._changed.wait(0.25)

    def enter(self, host: str, stop: threading.Event, heard: Callable[[], None], *, is_again: bool) -> bool:
        """Wait for a place to ask a server from; returns whether there was anything to wait for.

        Raises ``HostDownError`` where it refuses everybody.
        """
        with self._changed:
            known = self._hosts.setdefault(host, _Host())
            has_waited = is_again
            while not self._may_enter(host, known):
                self._raise_if_down(known)
                has_waited = True
                self._wait(stop, heard)
            self._raise_if_down(known)
            known.opening += 1
            pause = _pause(known) if has_waited else 0.0
        if pause:
            stop.wait(pause)
        return has_waited

    def _may_enter(self, host: str, known: _Host) -> bool:
        return known.inside < self._bound(host) and not (known.is_wary and known.opening)

    @staticmethod
    def _raise_if_down(known: _Host) -> None:
        error = known.error
        is_down = known.failures >= PROBES and time.monotonic() - known.failed_at <= HEARSAY_SECONDS
        if is_down and error is not None:
            raise HostDownError(
                error.kind,
                error.message,
                server_words=error.server_words,
                cure=error.cure,
                scope=error.scope,
                advice=error.advice if error.advice is not Advice.NEVER else Advice.LATER,
                endpoint=error.endpoint,
                finding=error.finding,
                settings=error.settings,
            )

    def accepted(self, host: str) -> None:
        """Note that a server let us in."""
        with self._changed:
            known = self._hosts[host]
            known.opening -= 1
            known.opened += 1
            self._answered(known)

    def _answered(self, known: _Host) -> None:
        known.failures, known.error, known.is_wary, known.is_doubted = 0, None, False, False
        self._changed.notify_all()

    def failed(self, host: str, error: FerryError, began: float, *, is_again: bool) -> bool:
        """Note that a server did not let us in; returns whether to wait for a place and ask once more."""
        with self._changed:
            known = self._hosts[host]
            known.opening -= 1
            try:
                return self._is_to_wait(host, known, error, began, is_again=is_again)
            finally:
                self._changed.notify_all()

    def _is_to_wait(self, host: str, known: _Host, error: FerryError, began: float, *, is_again: bool) -> bool:
        if isinstance(error, StoppedError):
            return False
        if not is_refusal(error) and error.kind is not Kind.TIMEOUT:
            self._answered(known)
            return False
        known.is_wary = True
        if is_refusal(error) and known.inside:
            now = self.wall_clock()
            if known.opened and known.takes_fewer(self.configured.get(host, MOST), now):
                self._remember(host, known)
            return True
        if began >= known.failed_at:  # all that asked at one moment are one refusal
            known.failures += 1
        known.failed_at, known.error = time.monotonic(), error
        return is_again and known.failures < PROBES and is_refusal(error)

    def _remember(self, host: str, known: _Host) -> None:
        if self.store is not None:
            with suppress(FerryError):  # what must be written reports its trouble
                self.store.put(TOPIC, host, {"bound": known.learned, "at": known.learned_at})

    def left(self, host: str, *, was_open: bool) -> None:
        """Note that a place is free again."""
        with self._changed:
            known = self._hosts[host]
            if was_open:
                known.opened -= 1
            else:
                known.opening -= 1
            self._changed.notify_all()


def _pause(known: _Host) -> float:
    """Return how many seconds the next to ask leaves a server alone that has kept somebody waiting."""
    if known.is_wary and (known.failures or known.is_doubted):
        pauses = SESSION[Kind.CONNECT]
        return pauses[min(max(known.failures, 1), len(pauses)) - 1]
    return SETTLE_SECONDS


class Place:
    """One account's place at one server; used by one thread."""

    def __init__(self, hosts: HostLimits, host: str, stop: threading.Event, heard: Callable[[], None]) -> None:
        self._hosts = hosts
        self._host = host
        self._stop = stop
        self._heard = heard
        self._is_held = False

    def open(self, opening: Callable[[], _Opened]) -> _Opened:
        """Return what ``opening`` does once there is a place for it, as often as the server wants it done later."""
        is_again = False
        while True:
            is_again |= self._hosts.enter(self._host, self._stop, self._heard, is_again=is_again)
            began = time.monotonic()
            try:
                opened = opening()
            except FerryError as error:
                if not self._hosts.failed(self._host, error, began, is_again=is_again):
                    raise
                is_again = True
            except BaseException:
                self._hosts.left(self._host, was_open=False)
                raise
            else:
                self._hosts.accepted(self._host)
                self._is_held = True
                return opened

    def hold(self) -> None:
        """Take a place for connections that are made later; raises only where a wait for it is interrupted."""
        self._hosts.hold(self._host, self._stop, self._heard)
        self._is_held = True

    def turned_away(self) -> bool:
        """Note that the server has refused us; returns whether others of this process had places there meanwhile."""
        return self._is_held and self._hosts.turned_away(self._host)

    def leave(self) -> None:
        """Give the place back."""
        if self._is_held:
            self._is_held = False
            self._hosts.left(self._host, was_open=True)
