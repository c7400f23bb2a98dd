"""When to log in again within one run: pure decisions, so that no server is hammered and none is waited for in vain."""

from __future__ import annotations

from dataclasses import dataclass, replace

from migrator.errors import Advice, FerryError, Kind

MAX_LOGINS = 3
"""Log-ins of one run that may fail or be cut off; a session that ended well and left more to do does not count."""

PATIENCE_SECONDS = {Kind.CONNECT: 45.0, Kind.TIMEOUT: 130.0}
"""After so long in a run a failure of that kind is final: a dead server ends an account within 90 seconds."""

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
    """Return how many seconds to wait before logging in again after the ``faults``-th fault; None: give up."""
    pauses = _PAUSES.get(error.kind, _AT_ONCE if error.advice is Advice.NOW else None)
    if pauses is None or faults >= MAX_LOGINS or elapsed > PATIENCE_SECONDS.get(error.kind, float("inf")):
        return None
    if error.kind is Kind.LOGIN_DELAY and error.wait is not None:
        return error.wait + 1.0 if error.wait <= LONGEST_LOGIN_DELAY else None
    return pauses[faults - 1]


SIZE_TRUST_BOUND = 20

LONGEST_PART = 5_000
"""A longer listing is taken to be the whole maildrop: Gmail shows some 250 messages at a time, and nobody thousands."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What runs have learned of a server.

    Gmail, for one, lists a few hundred messages and more of them once these are gone: it ``shows_part``.
    ``complete_up_to`` is the longest listing after which a second session showed nothing new. ``size_trust`` rises with
    every message that came with the octets announced and falls with every other one, within bounds.
    """

    shows_part: bool = False
    complete_up_to: int = 0
    size_trust: int = 0

    def after_sizes(self, *, fitting: int, differing: int) -> Habits:
        """Return what is known after so many more messages."""
        if fitting and self.size_trust == SIZE_TRUST_BOUND:
            return self  # the usual case, once a message
        trust = self.size_trust + fitting - differing
        return replace(self, size_trust=max(-SIZE_TRUST_BOUND, min(trust, SIZE_TRUST_BOUND)))

    @property
    def announces_any_size(self) -> bool:
        """Whether too few octets mean nothing here; until two messages more have differed than fitted, they do."""
        return self.size_trust <= -2

    def wants_another_session(self, listed: int, logins: int) -> bool:
        """Say whether more may show up after a session that listed so many and brought some of them home."""
        if self.shows_part:
            return True
        return logins < MAX_LOGINS and 2 * self.complete_up_to < listed <= LONGEST_PART

    def after_another_session(self, listed_before: int, *, showed_new: bool) -> Habits:
        """Return what is known after looking again."""
        if showed_new:
            return replace(self, shows_part=True)
        return replace(self, complete_up_to=max(self.complete_up_to, listed_before))

    def with_those_seen_by(self, others: Habits) -> Habits:
        """Return what is known together with what other runs found out about the same server meanwhile."""
        return replace(
            self,
            shows_part=self.shows_part or others.shows_part,
            complete_up_to=max(self.complete_up_to, others.complete_up_to),
        )
