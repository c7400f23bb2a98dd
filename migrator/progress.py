"""How far an account's run has come, how fast it is, and how long it still takes. Pure."""

from __future__ import annotations

from migrator.lazy_dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Headway:
    """What one run has done of what it plans, over all its sessions. ``began`` is when something was first planned.

    Each further session plans what the ones before it did not do.
    """

    began: float
    messages: int = 0
    octets: int = 0
    planned_messages: int = 0
    planned_octets: int = 0

    def plan(self, messages: int, octets: int) -> Headway:
        """Return it with that much still to come, whatever was planned before."""
        return replace(self, planned_messages=self.messages + messages, planned_octets=self.octets + octets)

    def advance(self, messages: int, octets: int) -> Headway:
        """Return it with that much more done."""
        return replace(self, messages=self.messages + messages, octets=self.octets + octets)

    def rate(self, now: float) -> float:
        """Return how many octets were done a second; 0.0 where none were, or no time has passed."""
        return self.octets / (now - self.began) if now > self.began else 0.0

    def seconds_left(self, now: float) -> float | None:
        """Return how long the rest takes at that rate; None where nothing is left, or no rate is known."""
        rest, rate = max(self.planned_octets - self.octets, 0), self.rate(now)
        return rest / rate if rest and rate > 0 else None
