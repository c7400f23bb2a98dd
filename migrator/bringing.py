"""One batch into several destinations, one after the other, for what comes from files and not from a maildrop."""

from __future__ import annotations

from collections.abc import Sequence

from migrator.archive.importing import Outcome, Way
from migrator.errors import FerryError
from migrator.model import Message
from migrator.transfer import Brought, Carrier


def bring_everywhere(carriers: Sequence[Carrier], batch: Sequence[Message]) -> list[Outcome]:
    """Make sure that each destination holds a proven copy of each message; returns an outcome for each, in order.

    A destination that fails as a whole fails every message of the batch; the others are served all the same.
    """
    columns = [_brought(carrier, batch) for carrier in carriers]
    return [_together(outcomes) for outcomes in zip(*columns, strict=True)]


def _brought(carrier: Carrier, batch: Sequence[Message]) -> Sequence[Brought | FerryError]:
    try:
        return carrier.bring(batch)
    except FerryError as error:
        return [error] * len(batch)


def _together(outcomes: Sequence[Brought | FerryError]) -> Outcome:
    failed = next((outcome for outcome in outcomes if isinstance(outcome, FerryError)), None)
    if failed is not None:
        return failed
    return Way.COPIED if Brought.COPIED in outcomes else Way.DUPLICATE
