"""A migration into an object store, in a process of its own that dies at a named step or at a request to the store."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from migrator.destinations import Destination
from migrator.destinations.s3 import store
from migrator.destinations.s3.destination import S3Destination
from tests.crash.dying import Dying
from tests.rig import At, Rig, deleting
from tests.servers.object_store import Bucket


@dataclass(frozen=True, slots=True)
class Orders:
    """What the process is to do: one run that deletes, dying at the ``count``-th time of a step.

    Where ``part_octets`` is given, what is larger is put in parts of that size.
    """

    folder: str
    port: int
    password: str
    endpoint: str
    bucket: str
    step: str = ""
    count: int = 1
    part_octets: int = 0


def rig_into(bucket: Bucket, rig: Rig) -> Rig:
    """Have a rig store into a bucket, in batches of four messages, and delete what it has verified."""

    def places(rig: Rig) -> list[Destination]:
        destination = S3Destination(
            bucket.settings, state_dir=rig.state, clock=partial(datetime.now, UTC), step=rig.step
        )
        destination.limits = replace(destination.limits, messages=4)
        return [destination]

    rig.destinations = places
    return deleting(rig)


def start(orders: Orders) -> subprocess.Popen[str]:
    """Start a process, which begins when it is told a line."""
    command = [sys.executable, "-m", "tests.crash.storing", json.dumps(asdict(orders))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run(orders: Orders, before: Callable[[int], None] = lambda _pid: None) -> int:
    """Run a process to its end; ``before`` hears its number first. Returns what it ended with."""
    with start(orders) as process:
        before(process.pid)
        process.communicate("go\n", timeout=60.0)
    return process.returncode


def main() -> None:
    sys.stdin.readline()
    orders = Orders(**json.loads(sys.argv[1]))
    store.PART_OCTETS = orders.part_octets or store.PART_OCTETS
    rig = Rig(Path(orders.folder), At(orders.port, orders.password), step=Dying(orders.step, orders.count))
    rig_into(Bucket(orders.endpoint, orders.bucket), rig).migrate()


if __name__ == "__main__":
    main()
