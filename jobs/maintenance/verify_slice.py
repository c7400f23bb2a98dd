"""One slice of the full verification, done by ``migrator.archive``."""

from __future__ import annotations

import time
from contextlib import closing

from jobs.maintenance.upkeep import ShouldStop, Slice, StoppedError
from migrator.config import Config
from migrator.ledger import Ledger
from migrator.wiring.archive import open_archive


def verified(config: Config, part: int, parts: int, should_stop: ShouldStop) -> Slice:
    """Read one part of every destination again; what is found stands in the ledger on return.

    Raises ``StoppedError`` when told to stop; what was read until then is recorded.
    """
    from migrator.archive.verification import Selection
    from migrator.archive.verify import Check

    def on_progress(_copies: int, _octets: int) -> None:
        if should_stop():
            raise StoppedError

    with closing(Ledger.open(config.ledger_place)) as ledger, open_archive(config, ledger) as reader:
        verdict = Check(reader, ledger.archive, clock=time.time, on_progress=on_progress).make(
            Selection(part=part, parts=parts)
        )
    unreachable = frozenset(name for one in verdict.unreachable for name in one.accounts)
    return Slice(verdict.checked, verdict.harmed, unreachable)
