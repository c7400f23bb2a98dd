"""A whole mailferry beside a server, for tests: one account, its state folder, its archive, and an independent reader.

The archive is read by a few lines of this file, not by the code under test.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Protocol

from migrator.copying.census import SharedLooks
from migrator.copying.offload import ChildCopierPool
from migrator.destinations import Destination
from migrator.destinations.mbox.destination import MboxDestination
from migrator.ledger import Ledger
from migrator.net.tls import TlsMode, TlsSettings
from migrator.policy import DeleteWhenVerified, Keep, Policy
from migrator.pop3.session import Source
from migrator.report import AccountReport
from migrator.run.accounts import run_accounts
from migrator.run.context import AccountJob, Effects


class Server(Protocol):
    """What a rig needs of a POP3 server."""

    @property
    def password(self) -> str: ...
    @property
    def port(self) -> int: ...


class ShortPauses(Event):
    """A run's ``stop`` whose pauses between sessions take a moment each, as if time flew."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(timeout and min(timeout, 0.02))


@dataclass(frozen=True, slots=True)
class At:
    """A server by its address, for a process of its own."""

    port: int
    password: str


@dataclass
class Rig:
    """One account and what belongs to it. ``timeout`` is the source's, in seconds; so is ``looks_are_good_for``, which a
    schedule sets. ``database`` is the address of the ledger where that is no file."""

    folder: Path
    server: Server
    user: str = "alice"
    timeout: float = 10.0
    policy: Policy = field(default_factory=Policy)
    clock: Callable[[], float] = time.time
    step: Callable[[str], None] = lambda _name: None
    destinations: Callable[[Rig], Sequence[Destination]] | None = None
    child_copiers: ChildCopierPool | None = None
    looks_are_good_for: float = 0.0
    database: str = ""

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def job(self) -> AccountJob:
        source = Source("127.0.0.1", self.server.port, TlsSettings(TlsMode.NONE), self.user, timeout=self.timeout)
        places = self.destinations(self) if self.destinations else [self.mbox()]
        return AccountJob(self.user, source, lambda: self.server.password, self.policy, places, self.state)

    def mbox(self) -> MboxDestination:
        return MboxDestination(
            self.archive, state_dir=self.state, clock=lambda: datetime.fromtimestamp(self.clock(), UTC), step=self.step
        )

    def migrate(self, *, is_dry: bool = False) -> AccountReport:
        """Run once in this process; the report adds up, whatever else it says."""
        looks = SharedLooks(self.looks_are_good_for)
        effects = Effects(clock=self.clock, step=self.step, stop=ShortPauses(), looks=looks)
        if self.child_copiers:
            effects = replace(effects, copier_for=self.child_copiers.lent)
        place = self.database or self.state
        with closing(Ledger.open_dry(place) if is_dry else Ledger.open(place)) as ledger:
            report = run_accounts([self.job()], ledger, effects, is_dry=is_dry)[0]
        assert report.listed == report.known + report.new, report
        assert report.remaining >= 0, report
        assert report.status == "ok" or report.problems, report
        return report

    def stored(self) -> list[bytes]:
        """Return every message of the archive in canonical form, in order."""
        return [message for volume in sorted(self.archive.glob("*.mbox")) for message in mboxrd(volume.read_bytes())]

    def files(self) -> dict[str, bytes]:
        """Return every file of the archive."""
        return {path.name: path.read_bytes() for path in self.archive.glob("*")} if self.archive.exists() else {}


def mboxrd(content: bytes) -> list[bytes]:
    """Read mboxrd with a regular expression, as its description says."""
    if not content:
        return []
    assert content.startswith(b"From "), content[:80]
    records = re.split(rb"(?:\A|(?<=\n))From [^\n]*\n", content)[1:]
    assert all(record.endswith(b"\n") for record in records)
    plain = [re.sub(rb"(?m)^>(>*From )", rb"\1", record.removesuffix(b"\n")) for record in records]
    return [message.replace(b"\n", b"\r\n") for message in plain]


@dataclass(frozen=True, slots=True)
class Orders:
    """What a child process is to do: one run, dying at the ``count``-th time of a step.

    With ``apart`` a porter does the storing, and it is the porter that dies if the step is one of the archive's.
    """

    folder: str
    port: int
    password: str
    user: str = "alice"
    delete: bool = True
    step: str = ""
    count: int = 1
    apart: bool = False
    database: str = ""


def child(orders: Orders) -> subprocess.Popen[str]:
    """Run a migration in a process of its own, which may die on the way; returns when it is over."""
    with start(orders) as process:
        process.communicate("go\n", timeout=60.0)
    return process


def start(orders: Orders) -> subprocess.Popen[str]:
    """Start a migration in a process of its own, which begins when it is told a line."""
    command = [sys.executable, "-m", "tests.crash.child", json.dumps(asdict(orders))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def deleting(rig: Rig) -> Rig:
    """Let a rig delete what it has verified."""
    rig.policy = Policy(leave_on_server=DeleteWhenVerified())
    return rig


def keeping(rig: Rig) -> Rig:
    """Let a rig leave everything on the server."""
    rig.policy = Policy(leave_on_server=Keep())
    return rig
