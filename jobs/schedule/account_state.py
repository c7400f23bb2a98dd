"""What the schedule remembers of an account across restarts. Pure."""

from __future__ import annotations

from jobs.schedule.state_store import Fact
from migrator.lazy_dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class AccountState:
    """Where one account stands between two runs; times are seconds since the epoch, 0.0 for never.

    ``configured`` is the keyed hash of the configuration this state belongs to. ``parked`` is the keyed hash of
    configuration and passwords with which no log-in will do, ``""`` while the account is not parked. ``attempts``
    counts failed runs in a row since ``failing_since``; ``kind``, ``host`` and ``message`` are of the last problem.
    ``last_worked`` is when a run last reached the end of its list, if with messages that failed: since
    ``partial_since`` every run has had such messages. ``gap`` is how many seconds its server wants between log-ins
    by its refusals, ``announced`` by what it last said. ``worked_with`` is the keyed hash of configuration and
    passwords with which a run last ended well, looked at ``worked_with_at``; ``refusals`` counts how often in a row
    the server refused them since. ``finding`` is what is known of the last problem beyond its kind.
    """

    configured: str = ""
    attempts: int = 0
    not_before: float = 0.0
    next_due: float = 0.0
    parked: str = ""
    failing_since: float = 0.0
    kind: str = ""
    host: str = ""
    message: str = ""
    first_seen: float = 0.0
    last_worked: float = 0.0
    partial_since: float = 0.0
    gap: float = 0.0
    announced: float = 0.0
    worked_with: str = ""
    worked_with_at: float = 0.0
    refusals: int = 0
    finding: str = ""

    @property
    def least_gap(self) -> float:
        """How many seconds must lie between two log-ins."""
        return max(self.gap, self.announced)

    @property
    def is_failing(self) -> bool:
        """Whether the last run of the account failed."""
        return self.attempts > 0

    @property
    def is_parked(self) -> bool:
        """Whether the account waits for a changed password or configuration."""
        return self.parked != ""

    def as_fact(self) -> Fact:
        """Return the form in which it is remembered."""
        return {name: getattr(self, name) for name in _NAMES}  # asdict copies deeply: ten times as long

    @classmethod
    def from_fact(cls, fact: Fact) -> AccountState:
        """Read what was remembered; keys of a newer or older program are left out or take their defaults."""
        known = {name: fact[name] for name in _NAMES if name in fact}
        return cls(**known)  # type: ignore[arg-type]  # written by as_fact: the types are those of the fields


_NAMES = tuple(field.name for field in fields(AccountState))
