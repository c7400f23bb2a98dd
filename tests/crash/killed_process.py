"""A program that changes something and dies at a step, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.command_line import ROOT
from tests.crash.adding import DIED


def died_at(module: str, *arguments: object) -> bool:
    """Run a program that dies at a step; False where it came to its end."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, DIED}, done.stderr
    return done.returncode == DIED
