"""Several workers as processes, some of which a test kills, freezes and wakes, by a seed that is printed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random

import psycopg


@dataclass
class Ills:
    """What has happened to the workers."""

    killed: int = 0
    frozen: int = 0


@dataclass
class SimulatedFleet:
    """``size`` workers of ``tests.fleet.simulated``; one that died is replaced at once."""

    dsn: str
    accounts: int
    hosts: int
    size: int = 3
    seconds: float = 2.0
    effects: int = 3
    chance: Random = field(default_factory=lambda: Random(7))
    ills: Ills = field(default_factory=Ills)
    _workers: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    _asleep: dict[str, float] = field(default_factory=dict)
    _started: int = 0

    @contextmanager
    def working(self) -> Iterator[SimulatedFleet]:
        """Keep the workers up; all of them end at the end."""
        try:
            for _ in range(self.size):
                self.hire()
            yield self
        finally:
            for process in self._workers.values():
                process.send_signal(signal.SIGCONT)
                _end(process)

    def hire(self) -> None:
        """Start one more worker."""
        self._started += 1
        name = f"worker-{self._started}"
        command = [sys.executable, "-m", "tests.fleet.simulated", self.dsn, name, str(self.accounts), str(self.hosts)]
        process = subprocess.Popen([*command, str(self.seconds), str(self.effects)], stdout=subprocess.PIPE, text=True)
        self._workers[name] = process
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"

    def suffer(self) -> None:
        """Let something happen to one worker, or nothing; wake who has slept for long enough."""
        now = time.monotonic()
        for name, until in list(self._asleep.items()):
            if now > until:
                del self._asleep[name]
                with suppress(KeyError):
                    self._workers[name].send_signal(signal.SIGCONT)
        awake = [name for name in self._workers if name not in self._asleep]
        if not awake:
            return
        name = self.chance.choice(awake)
        match self.chance.choice(["kill", "freeze", "nothing", "nothing"]):
            case "kill":
                process = self._workers.pop(name)
                _end(process)
                self.ills.killed += 1
                self.hire()
            case "freeze" if len(awake) > 1:
                os.kill(self._workers[name].pid, signal.SIGSTOP)
                self._asleep[name] = now + self.chance.uniform(self.seconds, 3 * self.seconds)
                self.ills.frozen += 1


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def past_effects(connection: psycopg.Connection) -> list[tuple[str, int]]:
    """Return the effects that came under an older epoch after one of a newer; there must be none."""
    return connection.execute(
        """select account, number from (
            select account, number, epoch, max(epoch) over (partition by account order by number) as newest from effects
        ) every where epoch < newest"""
    ).fetchall()


def unworked(connection: psycopg.Connection, effects: int) -> int:
    """Return how many accounts have not had all their effects under one epoch."""
    row = connection.execute(
        """select count(*) from fleet_accounts a where not exists (
            select from effects e where e.account = a.name and e.kind = 'outside' group by epoch having count(*) >= %s)""",
        [effects],
    ).fetchone()
    assert row is not None
    return int(row[0])
