"""How long to wait before trying again: every schedule of the program by its name. Pure.

A schedule either doubles up to a bound, for as long as it takes, or is a few pauses after which to give up. Whether to
try again at all is decided where it is known what failed.
"""

from __future__ import annotations

from migrator.errors import Advice, Kind
from migrator.lazy_dataclasses import dataclass

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

Pauses = tuple[float, ...]
"""Seconds before the second attempt, the third, and so on; then give up."""


@dataclass(frozen=True, slots=True)
class Doubling:
    """Delays in seconds that double from the first to the longest."""

    first: float
    longest: float

    def retry_delay(self, attempts: int) -> float:
        """Return how long to wait after that many failures in a row."""
        return min(self.first * 2.0 ** min(max(attempts, 1) - 1, 30), self.longest)

    def beyond(self, delay: float) -> float:
        """Return the next delay after one that proved too short."""
        return min(max(2 * delay, self.first), self.longest)


def spread(delay: float, jitter: float) -> float:
    """Spread those who failed together over the last third of a delay, by a ``jitter`` in [0, 1)."""
    return delay * (2 + jitter) / 3


# What the schedule of `mailferry run` waits for.

ACCOUNT = {
    Advice.NOW: Doubling(MINUTE, HOUR),
    Advice.LATER: Doubling(5 * MINUTE, 2 * HOUR),
    # What only a person can mend is still looked at: a renewed certificate, a repair.
    Advice.NEVER: Doubling(HOUR, 6 * HOUR),
}
"""The next run of an account, by the advice of what ended the last."""

REFUSED_PASSWORD: Pauses = (15 * MINUTE, HOUR, 6 * HOUR)
"""The next log-in with a password that has worked and is refused all at once: that may be the server's bad hour."""

MESSAGE = Doubling(15 * MINUTE, DAY)
"""A single message that could not be retrieved or stored."""

HOST = Doubling(MINUTE, 15 * MINUTE)
"""A server that is taken to be down, by the failures since it was."""

LOGIN_GAP = Doubling(10 * MINUTE, HOUR)
"""Where a server refuses who comes too soon and does not say what soon is."""

# What one run waits for.

SESSION: dict[Kind, Pauses] = {
    Kind.CONNECT: (1.0, 2.0),
    Kind.TIMEOUT: (0.5, 1.0),
    Kind.SHORT: (0.2, 1.0),
    # A server may hold the lock of a session that was cut off for some time (RFC 2449, section 8.1.2).
    Kind.IN_USE: (2.0, 6.0),
    Kind.TEMPORARY: (2.0, 6.0),
    Kind.LOGIN_DELAY: (15.0, 45.0),
}
"""The next session at a source, by the kind of what ended the last without having achieved anything."""

SESSION_AT_ONCE: Pauses = (0.2, 1.0)
"""The same for any other kind that may be tried again now."""

IMAP_CONNECT: Pauses = (1.0, 4.0)
"""A connection to an IMAP server."""

IMAP_BUSY: Pauses = (2.0, 8.0)
"""An upload that the server does not take just now, where it does not say for how long."""

IMAP_SETTLING: Pauses = (1.0, 3.0)
IMAP_SETTLING_MOST = 20.0


def imap_settling(messages: int) -> Pauses:
    """Return the pauses before each further look for messages sent just before the line broke.

    The server may still be storing them, a tenth of a second each, and shows none of one command before it has all.
    """
    rest = min(messages / 10, IMAP_SETTLING_MOST) - sum(IMAP_SETTLING)
    return (*IMAP_SETTLING, rest) if rest > 0 else IMAP_SETTLING


STORE: Pauses = (0.5, 2.0)
"""A request that an object store does not answer, or not just now."""

LOCK = Doubling(0.001, 0.05)
"""A kernel lock that somebody else holds."""
