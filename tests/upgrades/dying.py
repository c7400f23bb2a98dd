"""Upgrades a ledger again and again, each time in a process that is killed one step later, until one comes to its end.

    python -m tests.upgrades.dying STATE_DIR

A step is a call to any database, and a change to the folder. After each kill the ledger is opened as the next start
would open it. Prints one JSON document: how many steps there were, and what was wrong after which.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from types import FrameType

from migrator.ledger import FILE_NAME, Ledger
from tests.crash.adding import changes_folder

_WHEN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+00:00")


def main() -> None:
    state = Path(sys.argv[1])
    whole = state.with_name("whole")
    shutil.copytree(state, whole)
    before = dump(whole / FILE_NAME)
    Ledger.open(state).close()
    upgraded = dump(state / FILE_NAME)
    wrong: dict[int, list[str]] = {}
    for number in count(1):
        shutil.rmtree(state)
        shutil.copytree(whole, state)
        if not killed_at(number, state):
            break
        if found := list(wrong_with(state, before, upgraded)):
            wrong[number] = found
    sys.stdout.write(json.dumps({"steps": number - 1, "wrong": wrong}))


def killed_at(number: int, state: Path) -> bool:
    """Upgrade in a process of its own that is killed at the n-th step; False where it came to its end before."""
    child = os.fork()
    if child == 0:
        die_at(number, state)
        Ledger.open(state).close()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert status == 0, status
    return False


def die_at(number: int, state: Path) -> None:
    """Let this process be killed at the n-th step from now on."""
    left = number

    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_change(event: str, arguments: tuple[object, ...]) -> None:
        if changes_folder(event, arguments, state):
            step()

    def on_call(_frame: FrameType, event: str, called: object) -> None:
        if event == "c_call" and isinstance(getattr(called, "__self__", None), sqlite3.Connection | sqlite3.Cursor):
            step()

    sys.addaudithook(on_change)
    sys.setprofile(on_call)


def wrong_with(state: Path, before: list[str], upgraded: list[str]) -> Iterator[str]:
    """Open the ledger as the next start does, and yield what is not as it is after an upgrade that nobody kills."""
    Ledger.open(state).close()
    if dump(state / FILE_NAME) != upgraded:
        yield "the ledger is another"
    kept = list(state.glob("*before*"))
    if len(kept) != 1:
        yield f"kept are {[path.name for path in kept]}"
    elif dump(kept[0]) != before:
        yield "what was kept is another"
    elif kept[0].stat().st_mode & 0o777 != 0o600:
        yield "what was kept can be read by others"


def dump(ledger: Path) -> list[str]:
    """Return everything in a database, but for the moments at which it was upgraded."""
    with closing(sqlite3.connect(ledger)) as sql:
        return [_WHEN.sub("", line) for line in sql.iterdump()]


if __name__ == "__main__":
    main()
