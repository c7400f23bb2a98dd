"""Where command lines are played: a process that has imported the program once and forks for each command.

So every command is a process of its own, which may be killed, and yet starts in milliseconds. Time is the caller's: the
clock says what it is told, and waiting takes no time. Nothing of ``migrator`` is patched: what is replaced are
``time.time``, ``time.sleep`` and the wait between two log-ins, before the program is imported.

A command is killed at the n-th call of one of the program's functions, counted over all of its threads, so that any
moment can be its last without the program naming its steps.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Self

from tests.servers.postgres import Postgres

ROOT = Path(__file__).parents[2]
_UNCOUNTED = (
    "/migrator/config/",
    "/migrator/commands/",
    "/migrator/cli/parser.py",
    "/migrator/ui/console.py",
    "/migrator/cli/main.py",
)


@dataclass(frozen=True, slots=True)
class Order:
    """A command line to be played in ``folder`` when the clock shows ``now``; ``dies_at`` 0 means that it lives."""

    arguments: list[str]
    folder: str
    now: float
    dies_at: int = 0


@dataclass(frozen=True, slots=True)
class Played:
    """How a command ended: its exit code, or minus the signal that killed it, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def was_killed(self) -> bool:
        """Whether it was not left to end by itself."""
        return self.code < 0


class Stage:
    """The forking process, seen from a test. ``folder`` holds what commands print.

    With ``postgres`` the ledgers of the worlds that are played on it are databases there.
    """

    def __init__(self, folder: Path, postgres: Postgres | None = None) -> None:
        self.postgres = postgres
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "COV_"))}
        environment |= {"HOME": str(folder), "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error::ResourceWarning", "-m", "tests.model.stage", str(folder)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def play(self, order: Order) -> Played:
        """Run a command to its end, which may be an early one."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        out, err = ((self._folder / name).read_text(errors="replace") for name in ("out", "err"))
        return Played(code, out, err)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Clock:
    """The time that commands see: it stands still but for what they sleep."""

    def __init__(self) -> None:
        self.now = 0.0

    def install(self) -> None:
        """Take the place of the machine's clock, before anything has looked at that one."""
        time.time = lambda: self.now
        time.sleep = self._sleep  # type: ignore[assignment]  # it takes all that the program gives it
        wait = threading.Event.wait

        def impatient(event: threading.Event, timeout: float | None = None) -> bool:
            caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001  # the only way to tell pauses apart
            if timeout is None or not caller.startswith("migrator.run.account"):
                return wait(event, timeout)
            self.now += timeout
            return wait(event, 0.0)

        threading.Event.wait = impatient  # type: ignore[method-assign, assignment]  # see above

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


def killer(dies_at: int) -> Callable[[FrameType, str, object], None]:
    """Return a profiler that ends the process at the n-th call of a function of the program."""
    calls = count(1)
    inside = str(ROOT / "migrator")

    def look(frame: FrameType, event: str, _: object) -> None:
        name = frame.f_code.co_filename
        if event != "call" or not name.startswith(inside) or any(part in name for part in _UNCOUNTED):
            return
        if next(calls) == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return look


def _perform(order: Order, folder: Path, clock: Clock) -> int:
    """Be the command: the child's whole life."""
    from migrator.cli.main import main

    os.chdir(order.folder)
    for name, handle in (("out", 1), ("err", 2)):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), handle)
    clock.now = order.now
    if order.dies_at:
        threading.setprofile(killer(order.dies_at))
        sys.setprofile(killer(order.dies_at))
    try:
        return main(order.arguments)
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:  # noqa: BLE001  # what a user would see as a traceback
        import traceback

        traceback.print_exc()
        return 99
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def serve(folder: Path) -> None:
    """Fork for every order until there are no more."""
    clock = Clock()
    clock.install()
    for package in ("migrator", "jobs"):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    gc.freeze()
    for line in sys.stdin:
        order = Order(**json.loads(line))
        child = os.fork()
        if child == 0:
            code = 99
            try:
                code = _perform(order, folder, clock)
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
