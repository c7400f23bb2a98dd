"""One run in a process of its own, which writes the name of each step to a file: see tests/power/scene.py."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from migrator.destinations import BatchLimits, Destination
from migrator.destinations.maildir.destination import MaildirDestination
from migrator.destinations.mbox.destination import MboxDestination
from tests.rig import At, Rig, Server, deleting


class SmallBatches(MboxDestination):
    """Stores two messages at a time, so that few messages make many batches."""

    limits = BatchLimits(messages=2, octets=1 << 20)


class SmallMaildirBatches(MaildirDestination):
    """As above."""

    limits = BatchLimits(messages=2, octets=1 << 20)


@dataclass(frozen=True, slots=True)
class Task:
    """What the process is to do."""

    folder: str
    port: int
    password: str
    kind: str
    steps: str

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.power.child", json.dumps(asdict(self))]


def rig_of(folder: Path, server: Server, kind: str) -> Rig:
    """Return what works one account with an archive of this kind, deleting what it has verified."""
    destination = {"mbox": SmallBatches, "maildir": SmallMaildirBatches}[kind]

    def destinations(rig: Rig) -> list[Destination]:
        return [destination(rig.archive, state_dir=rig.state, clock=lambda: datetime.now(UTC), step=rig.step)]

    return deleting(Rig(folder, server, destinations=destinations))


def main() -> None:
    task = Task(**json.loads(sys.argv[1]))
    rig = rig_of(Path(task.folder), At(task.port, task.password), task.kind)
    steps = os.open(task.steps, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    rig.step = lambda name: (os.write(steps, name.encode()), None)[1]
    report = rig.migrate()
    assert report.status == "ok", report


if __name__ == "__main__":
    main()
