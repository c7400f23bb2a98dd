"""One batch into several destinations, one after the other, for what comes from files and not from a maildrop."""

from __future__ import annotations

from collections.abc import Sequence

from migrator.copying.copier import Copier, CopyResult, Outcome
from migrator.errors import FerryError
from migrator.message.body import Message


class CopyToAll:
    """Several destinations as one. One that fails as a whole is not tried again: a dead server costs one time-out."""

    def __init__(self, copiers: Sequence[Copier]) -> None:
        """Copy by ``copiers``."""
        self._copiers = copiers
        self._broken: dict[int, FerryError] = {}

    def copy(self, batch: Sequence[Message]) -> list[Outcome]:
        """Make sure that each destination holds a proven copy of each message; an outcome for each, in order."""
        columns = [self._copied(place, copier, batch) for place, copier in enumerate(self._copiers)]
        return [_together(outcomes) for outcomes in zip(*columns, strict=True)]

    def _copied(self, place: int, copier: Copier, batch: Sequence[Message]) -> Sequence[CopyResult | FerryError]:
        if place not in self._broken:
            try:
                return copier.copy(batch)
            except FerryError as error:
                self._broken[place] = error
        return [self._broken[place]] * len(batch)


def _together(outcomes: Sequence[CopyResult | FerryError]) -> Outcome:
    failed = next((outcome for outcome in outcomes if isinstance(outcome, FerryError)), None)
    if failed is not None:
        return failed
    return next(
        (result for result in (CopyResult.COPIED, CopyResult.TAKEN_OUT) if result in outcomes), CopyResult.DUPLICATE
    )
