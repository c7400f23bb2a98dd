"""How much of a maildrop one session takes, and where it begins: shorter on a line that breaks. Pure."""

from __future__ import annotations

from typing import Final

from migrator.lazy_dataclasses import dataclass, replace

_UNLIMITED: Final = 1 << 62
_MOST_PATIENCE: Final = 64


def beginning(idle: int, count: int) -> int:
    """Return at which of ``count`` messages a session begins after ``idle`` ones in a row that achieved nothing.

    Several messages in a row may each break the line: what lies behind them, and new mail at the end, is reached so.
    """
    return 0 if idle == 0 else count // 2 if idle == 1 else max(0, count - 1)


@dataclass(frozen=True, slots=True)
class Portion:
    """How many messages a session takes at most before it comes to its QUIT, also on a line that breaks early.

    It is made shorter by what came in a session before it broke, and twice as long after ``patience`` sessions of that
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
