"""A migration of one account into folders, some of whose system calls may fail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from migrator.copying.offload import ChildCopierPool
from migrator.destinations import Destination
from migrator.destinations.maildir.destination import MaildirDestination
from migrator.destinations.mbox.destination import MboxDestination
from tests.damage.calls.stage import Run
from tests.rig import At, Rig, deleting

KINDS = {"mbox": MboxDestination, "maildir": MaildirDestination}


def folders(kinds: Sequence[str], rig: Rig) -> list[Destination]:
    """Return an archive of each kind, named by it."""
    clock = partial(datetime.now, UTC)
    return [KINDS[kind](rig.folder / kind, state_dir=rig.state, clock=clock) for kind in kinds]


def migrated(run: Run) -> dict[str, object]:
    """Migrate here; returns the report."""
    rig = Rig(Path(run.folder), At(run.port, run.password), destinations=partial(folders, run.kinds))
    if run.is_apart:
        rig.child_copiers = ChildCopierPool(worth_it=1)
    try:
        return deleting(rig).migrate().as_json()
    except OSError as error:  # of opening the ledger, which the command line makes a line of; a run raises none
        return {"status": "failed", "errors": [str(error)]}
