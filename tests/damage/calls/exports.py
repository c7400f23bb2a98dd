"""A process that forks for each export it is asked for, under orders or without; like ``tests.damage.calls.stage``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.damage.calls.failing import Failing, Orders


def main() -> None:
    """Export for each line: the words of the command line, the folder of the orders, the file for what it says."""
    failing = Failing()
    failing.install()
    os.sync = lambda: None  # it waits for all disks of this machine
    from migrator.cli.main import main as mailferry

    for line in sys.stdin:
        words, orders, said = json.loads(line)
        child = os.fork()
        if child == 0:
            with Path(said).open("w") as file:
                sys.stdout = sys.stderr = file
                failing.orders = Orders.read(Path(orders)) if orders else None
                code = mailferry(words)
            os._exit(code)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
