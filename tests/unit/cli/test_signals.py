"""Ctrl-C while mail moves: what is said, and what is waited for."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

import pytest

from migrator.cli.signals import stopping
from migrator.ui.console import Console


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ("18 MB are being stored, about 6 s", "stopping: 18 MB are being stored, about 6 s"),
        ("", "stopping: what is under way is finished first"),
    ],
)
def test_ctrl_c_says_what_it_waits_for(known: str, said: str) -> None:
    err = io.StringIO()
    before = signal.getsignal(signal.SIGINT)
    with stopping(Console(err=err), lambda: known) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(60)
    assert err.getvalue() == f"{said}; Ctrl-C once more ends at once\n"
    assert signal.getsignal(signal.SIGINT) is before


_REFUSES_THE_SECOND = """
import os, signal
from migrator.cli.signals import stopping
from migrator.ui.console import Console

class Busy(Console):
    def note(self, line):
        if line.startswith("stopped"):
            raise RuntimeError("reentrant call")

with stopping(Busy()):
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
"""


def test_the_second_ctrl_c_ends_it_even_if_nothing_can_be_said() -> None:
    done = subprocess.run([sys.executable, "-c", _REFUSES_THE_SECOND], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"")
