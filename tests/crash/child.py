"""A migration in a process of its own that dies by SIGKILL at a named step: see tests/rig.py."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from migrator.copying.offload import ChildCopierPool
from migrator.destinations import Destination
from migrator.destinations.mbox.destination import MboxDestination
from tests.crash.dying import Dying, is_porter
from tests.rig import At, Orders, Rig, deleting, keeping


def main() -> None:
    sys.stdin.readline()  # until our parent knows our process number
    orders = Orders(**json.loads(sys.argv[1]))
    rig = Rig(Path(orders.folder), At(orders.port, orders.password), user=orders.user, database=orders.database)
    rig.step = Dying(orders.step, orders.count)
    if orders.apart:
        rig.child_copiers, rig.destinations = ChildCopierPool(worth_it=1), partial(archive_of_a_porter, orders)
    report = (deleting(rig) if orders.delete else keeping(rig)).migrate()
    sys.stdout.write(json.dumps(report.as_json()))


def archive_of_a_porter(orders: Orders, rig: Rig) -> list[Destination]:
    """Return an archive that can be handed to another process, and dies there only."""
    dying = Dying(orders.step, orders.count, where=is_porter)
    return [MboxDestination(rig.archive, state_dir=rig.state, clock=partial(datetime.now, UTC), step=dying)]


if __name__ == "__main__":
    main()
