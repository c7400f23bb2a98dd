"""One run of one program: what it took, and nothing of what the server or the benchmark itself took.

Wall time is from start to end of the process, so it includes what the program needs to start. CPU is user and system
time of the process and of all children that it waited for (fetchmail's delivery agents, for example). The peak of
resident memory is that of the largest process; ``launch`` says why it cannot be told below some 10 MB.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launch.py")


class RunFailedError(Exception):
    """A program under measurement failed, took too long, or did not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to start; ``accepted`` are the exit codes that mean success."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    accepted: frozenset[int] = frozenset({0})


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seconds of wall time and CPU, bytes of resident memory at the peak."""

    wall: float
    cpu: float
    peak: int


def run(command: Command, log: Path, limit: float) -> Measured:
    """Run to the end, at most ``limit`` seconds; what it says goes to ``log``."""
    receiver, sender = os.pipe()
    environment = {**os.environ, **command.environment, "LAUNCH_REPORT": str(sender)}
    launched = [sys.executable, "-I", "-S", str(_LAUNCHER), *command.argv]
    with log.open("wb") as said, os.fdopen(receiver) as report:
        process = subprocess.Popen(
            launched, stdout=said, stderr=said, env=environment, pass_fds=[sender], start_new_session=True
        )
        os.close(sender)
        alarm = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        alarm.start()
        process.wait()
        alarm.cancel()
        figures = report.read().split()
    ending = log.read_bytes()[-2_000:].decode(errors="replace")
    if not figures:
        raise RunFailedError(f"{command.argv[0]} was ended after {limit:.0f} s: {ending}")
    wall, cpu, kilobytes, code = map(float, figures)
    if code not in command.accepted:
        raise RunFailedError(f"{command.argv[0]} ended with {code:.0f} after {wall:.1f} s: {ending}")
    return Measured(wall, cpu, int(kilobytes) * 1024)


def count_fsyncs(command: Command, log: Path, limit: float) -> int | None:
    """Run once more under strace, whose time is not counted, and return the number of fsyncs; None without strace."""
    if shutil.which("strace") is None:
        return None
    with tempfile.NamedTemporaryFile(prefix="fsyncs-") as summary:
        traced = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o", summary.name]
        run(Command([*traced, *command.argv], command.environment, command.accepted), log, limit)
        return _calls(Path(summary.name).read_text())


def _calls(summary: str) -> int:
    """Add up the calls in strace's table: % time, seconds, usecs/call, calls, [errors,] name."""
    rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(?:fsync|fdatasync)$", summary, re.M)
    return sum(map(int, rows))
