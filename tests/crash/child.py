"""A migration in a process of its own that dies by SIGKILL at a named step: see tests/rig.py."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from tests.rig import At, Orders, Rig, deleting, keeping


def main() -> None:
    sys.stdin.readline()  # until our parent knows our process number
    orders = Orders(**json.loads(sys.argv[1]))
    seen: Counter[str] = Counter()

    def step(name: str) -> None:
        seen[name] += 1
        if (name, seen[name]) == (orders.step, orders.count):
            os.kill(os.getpid(), signal.SIGKILL)

    rig = Rig(Path(orders.folder), At(orders.port, orders.password), user=orders.user, step=step)
    report = (deleting(rig) if orders.delete else keeping(rig)).migrate()
    sys.stdout.write(json.dumps(report.as_json()))


if __name__ == "__main__":
    main()
