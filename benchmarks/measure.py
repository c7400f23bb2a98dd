"""One run of one program: what it took, and nothing of what the server or the benchmark itself took.

Wall time is from start to end of the process, so it includes what the program needs to start. CPU is user and system
time of the process and of all children that it waited for (fetchmail's delivery agents, for example). The peak of
resident memory is that of the largest process; ``launch`` says why it cannot be told below some 10 MB. Whatever ends
the benchmark ends the program under measurement, too.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

_LAUNCHER = Path(__file__).with_name("launch.py")
_LOOK = 0.001
"""Seconds between two looks for a first answer."""


class RunFailedError(Exception):
    """A program under measurement failed, took too long, or did not do what it was asked; ``said`` is its own words."""

    def __init__(self, what: str, said: str = "") -> None:
        super().__init__(what)
        self.said = said


@dataclass(frozen=True, slots=True)
class Command:
    """What to start; ``accepted`` are the exit codes that mean success."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    accepted: frozenset[int] = frozenset({0})

    @property
    def name(self) -> str:
        """The program's name, without its folder."""
        return Path(self.argv[0]).name


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seconds of wall time, of user and of system time, bytes of resident memory at the peak (0: unknown)."""

    wall: float
    user: float
    system: float
    peak: int

    @property
    def cpu(self) -> float:
        """Seconds of user and system time."""
        return self.user + self.system


def run(command: Command, log: Path, limit: float) -> Measured:
    """Run to the end, at most ``limit`` seconds; what it says goes to ``log``."""
    receiver, sender = os.pipe()
    launched = [sys.executable, "-I", "-S", str(_LAUNCHER), *command.argv]
    environment = {**command.environment, "LAUNCH_REPORT": str(sender)}
    with log.open("wb") as said, os.fdopen(receiver) as report:
        try:
            with _started(Command(launched, environment), said, [sender]) as process:
                os.close(sender)
                sender = -1
                alarm = threading.Timer(limit, _kill, [process])
                alarm.start()
                try:
                    process.wait()
                finally:
                    alarm.cancel()
        finally:
            if sender >= 0:
                os.close(sender)
        figures = report.read().split()
    if not figures:
        raise RunFailedError(f"{command.name} was ended after {limit:.0f} s", _ending(log))
    wall, user, system, kilobytes, code = map(float, figures)
    if code not in command.accepted:
        raise RunFailedError(f"{command.name} ended with {code:.0f} after {wall:.1f} s", _ending(log))
    return Measured(wall, user, system, int(kilobytes) * 1024)


def run_until(command: Command, log: Path, has_answered: Callable[[], bool], limit: float) -> Measured:
    """Run until the first answer is there, then end it; CPU is that of the program and of children it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    with log.open("wb") as said, _started(command, said) as process:
        while not (there := has_answered()) and process.poll() is None and time.monotonic() < began + limit:
            time.sleep(_LOOK)
        wall = time.monotonic() - began
    if not (there or has_answered()):
        raise RunFailedError(f"{command.name} gave no first answer in {wall:.1f} s", _ending(log))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Measured(wall, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, 0)


@contextmanager
def _started(command: Command, said: IO[bytes], pass_fds: Sequence[int] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the process, in a group of its own, which is killed if it still runs at the end."""
    process = subprocess.Popen(
        list(command.argv),
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said,
        env={**os.environ, **command.environment},
        pass_fds=pass_fds,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            _kill(process)
        process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _ending(log: Path) -> str:
    return log.read_bytes()[-2_000:].decode(errors="replace")


def has_strace() -> bool:
    """Whether fsyncs can be counted and delayed here."""
    return shutil.which("strace") is not None


def count_fsyncs(command: Command, log: Path, limit: float) -> int | None:
    """Run once more under strace, whose time is not counted, and return the number of fsyncs; None without strace."""
    if not has_strace():
        return None
    with tempfile.NamedTemporaryFile(prefix="fsyncs-") as summary:
        traced = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o", summary.name]
        run(replace(command, argv=[*traced, *command.argv]), log, limit)
        return calls_in(Path(summary.name).read_text())


def calls_in(summary: str) -> int:
    """Add up the calls in strace's table: % time, seconds, usecs/call, calls, [errors,] name."""
    rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(?:fsync|fdatasync)$", summary, re.M)
    return sum(map(int, rows))


def with_slow_disk(command: Command, milliseconds: float) -> Command:
    """Return the same command on a disk whose fsyncs take so much longer: strace holds each one back on its return.

    Only fsync and fdatasync stop for strace (``--seccomp-bpf``), those of several threads each on its own; strace
    itself is a grandchild (``-D``), so that its time and memory are not the program's.
    """
    slow = f"inject=fsync,fdatasync:delay_exit={milliseconds * 1000:.0f}"
    strace = [
        "strace",
        "-f",
        "-D",
        "--seccomp-bpf",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        slow,
    ]
    return replace(command, argv=[*strace, *command.argv])
