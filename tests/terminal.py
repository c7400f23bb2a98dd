"""A person at a terminal: a command on a pseudo-terminal, whose questions are waited for and answered."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 60.0


@dataclass(frozen=True)
class Talk:
    """What came of it: the exit code, and all that stood on the terminal."""

    code: int
    said: str


def talk(
    command: Sequence[str], answers: Sequence[tuple[str, str]], *, folder: Path, environment: Mapping[str, str]
) -> Talk:
    """Run a command on a terminal of its own; when a text has appeared, behind the one before, its answer is typed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment,
    )
    os.close(theirs)
    said, read_to, left = "", 0, list(answers)
    end = time.monotonic() + _PATIENCE
    try:
        while (news := _heard(ours, end)) is not None:
            said += news
            while left and left[0][0] in said[read_to:]:
                read_to = said.index(left[0][0], read_to) + len(left[0][0])
                os.write(ours, left.pop(0)[1].encode())
        code = process.wait(max(1.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise AssertionError(
            f"it did not end in {_PATIENCE:.0f} seconds, and has not asked {left}:\n{said!r}"
        ) from None
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    if left:
        raise AssertionError(f"never asked: {left[0][0]!r}\n{said}")
    return Talk(code, said.replace("\r\n", "\n"))


def _heard(terminal: int, end: float) -> str | None:
    """Return what has appeared; None when the program has ended, or time is up."""
    ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
    if not ready:
        return None
    try:
        data = os.read(terminal, 4096)
    except OSError:  # the last one who held the other end has let go
        return None
    return data.decode(errors="replace") if data else None
