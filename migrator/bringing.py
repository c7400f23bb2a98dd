"""One batch into several destinations, one after the other, for what comes from files and not from a maildrop."""

from __future__ import annotations

from collections.abc import Sequence

from migrator.archive.importing import Outcome, Way
from migrator.errors import FerryError
from migrator.model import Message
from migrator.transfer import Brought, Carrier


class Everywhere:
    """Several destinations as one. One that fails as a whole is not tried again: a dead server costs one time-out."""

    def __init__(self, carriers: Sequence[Carrier]) -> None:
        """Bring by ``carriers``."""
        self._carriers = carriers
        self._broken: dict[int, FerryError] = {}

    def bring(self, batch: Sequence[Message]) -> list[Outcome]:
        """Make sure that each destination holds a proven copy of each message; an outcome for each, in order."""
        columns = [self._brought(place, carrier, batch) for place, carrier in enumerate(self._carriers)]
        return [_together(outcomes) for outcomes in zip(*columns, strict=True)]

    def _brought(self, place: int, carrier: Carrier, batch: Sequence[Message]) -> Sequence[Brought | FerryError]:
        if place not in self._broken:
            try:
                return carrier.bring(batch)
            except FerryError as error:
                self._broken[place] = error
        return [self._broken[place]] * len(batch)


def _together(outcomes: Sequence[Brought | FerryError]) -> Outcome:
    failed = next((outcome for outcome in outcomes if isinstance(outcome, FerryError)), None)
    if failed is not None:
        return failed
    return Way.COPIED if Brought.COPIED in outcomes else Way.DUPLICATE
