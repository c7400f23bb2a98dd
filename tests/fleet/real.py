"""Real workers (``mailferry run``) as processes, each with a state folder of its own, on one ledger in PostgreSQL.

Sources and destinations are users of one private Dovecot: mail of ``from-N`` goes to ``to-N``, and is deleted there.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.mail import letters
from tests.servers.dovecot import Dovecot

CONFIGURATION = """
ledger = "{ledger}"
state_dir = "{state_dir}"
schedule = {{ every = "{every}" }}
limits = {{ accounts = 4, per_host = {per_host} }}

[defaults.source]
host = "127.0.0.1"
port = {pop3_port}
tls = "none"
password = {{ env = "FLEET_PASSWORD" }}
leave_on_server = false

[defaults.imap]
host = "127.0.0.1"
port = {imap_port}
tls = "none"
password = {{ env = "FLEET_PASSWORD" }}
"""
ACCOUNT = """
[[accounts]]
name = "n{number}"
[accounts.source]
username = "from-{number}"
[[accounts.destinations]]
type = "imap"
username = "to-{number}"
"""


@dataclass
class RealFleet:
    """Workers by name. ``ledger`` and ``ports`` are those of the servers, or of proxies to them."""

    folder: Path
    ledger: str
    dovecot: Dovecot
    accounts: int
    per_host: int = 4
    every: str = "1 hour"
    ports: Mapping[str, int] = field(default_factory=dict)
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    delivered: dict[int, list[bytes]] = field(default_factory=dict)

    def deliver(self, each: int) -> None:
        """Put that many messages into every maildrop."""
        for number in range(self.accounts):
            self.deliver_to(number, each)

    def deliver_to(self, number: int, count: int) -> None:
        """Put that many messages into a maildrop; no two messages are ever the same."""
        known = self.delivered.setdefault(number, [])
        mail = letters(count, number * 10_000 + len(known) + 1)
        self.dovecot.deliver(f"from-{number}", mail)
        known += mail

    def configuration(self, worker: str) -> Path:
        """Write the configuration of a worker; all hash by one key."""
        state = self.folder / worker
        state.mkdir(mode=0o700, exist_ok=True)
        key = self.folder / "parking.key"
        if not key.exists():
            key.write_bytes(os.urandom(32))
        shutil.copy(key, state / "parking.key")
        path = self.folder / f"{worker}.toml"
        ports = {**self.dovecot.ports, **self.ports}
        text = CONFIGURATION.format(
            ledger=self.ledger, state_dir=state, every=self.every, per_host=self.per_host, **ports
        )
        path.write_text(text + "".join(ACCOUNT.format(number=number) for number in range(self.accounts)))
        return path

    def run(self, worker: str, command: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another command as on that worker's machine."""
        line = [sys.executable, "-m", "migrator", command, "-c", os.fspath(self.configuration(worker)), *words]
        return subprocess.run(line, env=self._environment(), capture_output=True, text=True, check=False, timeout=120)

    def hire(self, worker: str) -> None:
        """Start a worker."""
        command = [sys.executable, "-m", "migrator", "run", "--log-json", "-c", os.fspath(self.configuration(worker))]
        with (self.folder / f"{worker}.log").open("ab") as log:
            self.workers[worker] = subprocess.Popen(
                command, env=self._environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def kill(self, worker: str) -> None:
        """Kill a worker."""
        process = self.workers.pop(worker)
        process.kill()
        process.wait()

    def processes(self) -> Mapping[str, int]:
        """Return the workers that live, each with its process."""
        return {name: process.pid for name, process in list(self.workers.items())}

    def tell(self, worker: str, what: signal.Signals) -> None:
        """Send a signal to a worker."""
        self.workers[worker].send_signal(what)

    def log(self, worker: str) -> str:
        """What a worker said."""
        return (self.folder / f"{worker}.log").read_text()

    @contextmanager
    def working(self, size: int) -> Iterator[RealFleet]:
        """Start that many workers; those that are left are killed at the end."""
        try:
            for number in range(size):
                self.hire(f"w{number}")
            yield self
        finally:
            for name in list(self.workers):
                self.tell(name, signal.SIGCONT)
                self.kill(name)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "FLEET_PASSWORD": self.dovecot.password}

    def left(self) -> int:
        """Return how many messages are at their sources yet."""
        return sum(self.dovecot.count(f"from-{number}") for number in range(self.accounts))

    def wrong(self) -> list[str]:
        """Return what is not as it should be once all is done: every message at its destination, once."""
        found = []
        for number in range(self.accounts):
            stored = sorted(self.dovecot.messages(f"to-{number}"))
            wanted = sorted(self.delivered[number])
            if stored != wanted:
                twice, lost = len(stored) - len(set(stored)), len(set(wanted) - set(stored))
                found.append(f"to-{number}: of {len(wanted)} messages {lost} are missing, {twice} are there twice")
        return found
