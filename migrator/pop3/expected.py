"""What STAT must say while a session is in step: the numbers of its start, less what was deleted. Pure.

STAT is the one reply of which the right words are known beforehand, so it proves that every reply before it belonged to
the command it was taken for.
"""

from __future__ import annotations

from migrator.lazy_dataclasses import dataclass, field
from migrator.model import MessageNumber
from migrator.pop3.replies import Stat
from migrator.pop3.server_profile import ServerProfile


@dataclass(slots=True)
class ExpectedStat:
    """A session's beginning, and what has changed since."""

    start: Stat | None = None
    """What STAT said at first."""
    deleted: set[MessageNumber] = field(default_factory=set)
    """What is marked for deletion, by the server's own word."""
    has_marked: bool = False
    """Whether any DELE was said, answered or not."""
    have_sizes_differed: bool = False
    """Whether a message had other octets than announced."""

    def begins_with(self, stat: Stat) -> None:
        """Take the first numbers; those behind a DELE are no beginning."""
        if self.start is None and not self.deleted:
            self.start = stat

    def has_enough(self, stat: Stat) -> bool:
        """Say whether as many messages are counted as must be there."""
        return self.start is not None and stat.count >= self.start.count - len(self.deleted)

    def fits(self, stat: Stat, profile: ServerProfile, *, have_sizes_fitted: bool = True) -> bool:
        """Say whether these are the numbers of a session in step.

        Mail that arrives may be counted at once. Octets count as long as all messages had those announced, and nothing
        was deleted.
        """
        if self.start is None or not self.has_enough(stat):
            return False
        if self.deleted or self.have_sizes_differed or not have_sizes_fitted:
            return True
        if profile.sizes_differ or profile.stat_moves:
            return True
        is_grown = stat.count > self.start.count
        return stat.octets >= self.start.octets if is_grown else stat.octets == self.start.octets

    def fits_deletions(self, stat: Stat, listed: int | None) -> bool:
        """Say whether as many messages are gone as are marked, counted from STAT's beginning or from LIST's."""
        if not self.deleted:
            return True
        at_first = [self.start.count] if self.start else []
        return stat.count + len(self.deleted) in [*at_first, listed]
