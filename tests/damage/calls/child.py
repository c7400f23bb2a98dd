"""A migration of one account into two folders, in a process of its own, some of whose system calls may fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from migrator.copying.offload import ChildCopierPool
from migrator.destinations import Destination
from migrator.destinations.maildir.destination import MaildirDestination
from migrator.destinations.mbox.destination import MboxDestination
from tests.rig import At, Rig, deleting

KINDS = {"mbox": MboxDestination, "maildir": MaildirDestination}


def folders(kinds: Sequence[str], rig: Rig) -> list[Destination]:
    """Return an archive of each kind, named by it."""
    clock = partial(datetime.now, UTC)
    return [KINDS[kind](rig.folder / kind, state_dir=rig.state, clock=clock) for kind in kinds]


def main() -> None:
    folder, port, password, kinds, is_apart = json.loads(sys.argv[1])
    rig = Rig(Path(folder), At(port, password), destinations=partial(folders, kinds))
    if is_apart:
        rig.child_copiers = ChildCopierPool(worth_it=1)
    try:
        report = deleting(rig).migrate().as_json()
    except OSError as error:  # of opening the ledger, which the command line makes a line of; a run raises none
        report = {"status": "failed", "errors": [str(error)]}
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
