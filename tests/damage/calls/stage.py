"""A process that forks for each migration it is asked for, so that only the first one waits for all imports.

It may import nothing of ours before the calls of ``os`` are replaced: some are bound when a module is read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from tests.damage.calls.failing import Failing, Orders

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Run:
    """One migration. ``orders`` is the folder that says which call fails: of the run, or of the child that copies."""

    folder: str
    port: int
    password: str
    kinds: Sequence[str]
    is_apart: bool
    orders: str


class Stage:
    """The process, as the tests see it; one for runs that copy apart, one for those that do not."""

    def __init__(self, *, is_apart: bool) -> None:
        command = [sys.executable, "-m", "tests.damage.calls.stage", "apart" if is_apart else "here"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def play(self, run: Run) -> dict[str, object]:
        """Migrate in a process of its own; returns the report."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(run)) + "\n")
        self._process.stdin.flush()
        report: dict[str, object] = json.loads(self._process.stdout.readline())
        return report


def main() -> None:
    """Fork for each line that comes; ends where a run did not come to its report."""
    failing = Failing()
    if sys.argv[1] == "here":  # what is replaced cannot travel to a child that copies
        failing.install()
    from tests.damage.calls.child import migrated

    for line in sys.stdin:
        run = Run(**json.loads(line))
        child = os.fork()
        if child == 0:
            sys.path.insert(0, run.orders)  # for the child that copies, which is given our path
            failing.orders = Orders.read(Path(run.orders))
            sys.stdout.write(json.dumps(migrated(run)) + "\n")
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit(f"this run did not end well: {line}")


if __name__ == "__main__":
    main()
