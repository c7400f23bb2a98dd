"""When to log in again within one run: pure decisions, so that no server is hammered and none is waited for in vain."""

from __future__ import annotations

from dataclasses import dataclass, replace

from migrator.errors import Advice, FerryError, Kind

MAX_LOGINS = 3
"""Sessions in a row that may achieve nothing; one that brought something home or deleted it begins the count anew."""

PATIENCE_SECONDS = {Kind.CONNECT: 45.0, Kind.TIMEOUT: 130.0}
"""After so long without progress a failure of that kind is final: a dead server ends an account within 90 seconds."""

PAUSE_WHERE_ALIVE = 0.2
"""Seconds before logging in again where a session brought something, or broke over one message: the server is well."""

LONGEST_LOGIN_DELAY = 60.0

_PAUSES: dict[Kind, tuple[float, ...]] = {
    Kind.CONNECT: (1.0, 2.0),
    Kind.TIMEOUT: (0.5, 1.0),
    Kind.SHORT: (0.2, 1.0),
    # A server may hold the lock of a session that was cut off for some time (RFC 2449, section 8.1.2).
    Kind.IN_USE: (2.0, 6.0),
    Kind.TEMPORARY: (2.0, 6.0),
    Kind.LOGIN_DELAY: (15.0, 45.0),
}

_AT_ONCE = (0.2, 1.0)


def pause_before_retry(error: FerryError, faults: int, elapsed: float) -> float | None:
    """Return how many seconds to wait before logging in again; None: give up.

    ``faults`` counts sessions in a row that achieved nothing, ``elapsed`` is the time since something was achieved.
    """
    pauses = _PAUSES.get(error.kind, _AT_ONCE if error.advice is Advice.NOW else None)
    if pauses is None or faults >= MAX_LOGINS or elapsed > PATIENCE_SECONDS.get(error.kind, float("inf")):
        return None
    if error.kind is Kind.LOGIN_DELAY and error.wait is not None:
        return error.wait + 1.0 if error.wait <= LONGEST_LOGIN_DELAY else None
    return pauses[faults - 1]


def beginning(idle: int, count: int) -> int:
    """Return at which of ``count`` messages a session begins after ``idle`` ones in a row that achieved nothing.

    Several messages in a row may each break the line: what lies behind them, and new mail at the end, is to come home.
    """
    return 0 if idle == 0 else count // 2 if idle == 1 else max(0, count - 1)


_UNLIMITED = 1 << 62


@dataclass(frozen=True, slots=True)
class Portion:
    """How many messages a session takes at most before it comes to its QUIT, also on a line that breaks early.

    It is made shorter by what a session carried before it broke, and twice as long after ``patience`` sessions of that
    length; each time that proves too long, patience doubles.
    """

    most: int = _UNLIMITED
    good: int = 0
    patience: int = 1

    @property
    def is_limited(self) -> bool:
        """Whether it has been made shorter."""
        return self.most < _UNLIMITED

    def shortened(self, most: int) -> Portion:
        """Return the portion after a session that was too long: at least one message."""
        patience = min(2 * self.patience, _MOST_PATIENCE) if self.is_limited else 1
        return Portion(max(1, min(most, self.most)), patience=patience)

    def after_full_session(self) -> Portion:
        """Return the portion after a session that took all of it and came to its QUIT."""
        if self.good + 1 < self.patience:
            return replace(self, good=self.good + 1)
        return Portion(min(2 * self.most, _UNLIMITED), patience=self.patience)


_MOST_PATIENCE = 64
