"""What a batch costs in the ledger: SQLite beside a PostgreSQL that is 0, 1 and 5 milliseconds away.

    python -m benchmarks.ledger [--batches N]

One account, one mbox archive, batches of 500 new messages: what is asked before a batch, the intent, the places, the
verdicts, and that every copy is proven. The server is the private one of the tests, with fsync as PostgreSQL has it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from migrator.copy_records import MboxAnchor, VolumeRecord, VolumeState
from migrator.ledger import Ledger
from migrator.ledger.copies import Judged
from migrator.message.body import LinesBody, Message
from migrator.model import (
    CopyState,
    Digest,
    HeaderDigest,
    ListedMessage,
    MboxLocator,
    MessageNumber,
    MessageRow,
    Proof,
    UniqueId,
)
from migrator.policy import WhenCopyIsGone
from tests.servers.postgres import SUPERUSER, Postgres
from tests.servers.postgres_wire import RoundTrips

SIZE = 500
_WARM = 3
"""Batches that are not measured: statements are prepared then, and tables no longer empty."""
_VOLUME = "2026-11.mbox"
_OPTIONS = "sslmode=disable&gssencmode=disable"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Meter:
    """What passes while it runs: seconds of the clock, of this thread, and of one process of the database."""

    backend: int = 0
    spent: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add what is taken inside."""
        before = self._now()
        yield
        self.spent = [sum(parts) - began for *parts, began in zip(self.spent, self._now(), before, strict=True)]

    def _now(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.thread_time(), _cpu_of(self.backend)


class Run:
    """One account and its archive, batch by batch."""

    def __init__(self, ledger: Ledger, batches: int) -> None:
        """Let the source list what all batches are."""
        self._drop = ledger.maildrop("alice", "pop.example.org", 995, "alice")
        self._copies = ledger.copies("mbox:/archive", "mbox")
        listing = (
            ListedMessage(MessageNumber(n), UniqueId(b"%d" % n), 9) for n in range(1, _WARM * SIZE + batches * SIZE + 1)
        )
        self._drop.match(listing)
        self._drop.note(1.0)
        self._listed = self._drop.listed({self._copies.destination_id: WhenCopyIsGone.KEEP})
        self._batches = 0

    def batch(self, meter: Meter) -> None:
        """Let one more batch be copied; how it was listed is not measured."""
        drop, copies = self._drop, self._copies
        first, self._batches = self._batches * SIZE, self._batches + 1
        messages = [_message(first + place) for place in range(SIZE)]
        rows: list[MessageRow] = [one.row for one in islice(self._listed, SIZE)]
        with meter.running():
            copies.before_storing([message.digest for message in messages])
            numbers = copies.intended(MboxAnchor(_VOLUME, 0), [(message, b"") for message in messages], 1.0)
            places = [
                (numbers[message.digest], MboxLocator(_VOLUME, first + place, 90, 7))
                for place, message in enumerate(messages)
            ]
            copies.stored(places, [VolumeRecord(_VOLUME, first + SIZE, b"", "stamp", VolumeState.OPEN)])
            copies.judged([Judged(number, CopyState.VERIFIED, Proof.EXACT) for number, _ in places], 2.0)
            drop.copied([(row, message.digest) for row, message in zip(rows, messages, strict=True)], 3.0)


def _message(number: int) -> Message:
    content = b"%d" % number
    digest = sha256(content).digest()
    return Message(Digest(digest), HeaderDigest(digest), digest[:16], 100, LinesBody(content))


def main() -> None:
    """Print one line for each place where the ledger can be."""
    parser = argparse.ArgumentParser(description="What a batch of 500 messages costs in the ledger.")
    parser.add_argument("--batches", type=int, default=20)
    batches = parser.parse_args().batches
    print(f"{'microseconds a message':24} {'wall':>8} {'program':>8} {'database':>9}")
    with TemporaryDirectory(prefix="mailferry-") as folder, closing(Ledger.open(Path(folder))) as ledger:
        _measure("SQLite", ledger, batches)
    with Postgres(is_durable=True) as server:
        for milliseconds in (0, 1, 5):
            with (
                server.database() as name,
                _port(server.port, milliseconds) as port,
                closing(Ledger.open(_address(port, name))) as ledger,
            ):
                _measure(f"PostgreSQL, {milliseconds} ms away", ledger, batches, _backend(server.dsn(name)))
        with (
            server.database() as name,
            RoundTrips(server.port) as trips,
            closing(Ledger.open(_address(trips.port, name))) as ledger,
        ):
            _count(ledger, trips)


def _measure(where: str, ledger: Ledger, batches: int, backend: int = 0) -> None:
    run, meter = Run(ledger, batches), Meter(backend)
    for _ in range(_WARM):
        run.batch(Meter(backend))
    for _ in range(batches):
        run.batch(meter)
    wall, program, database = (1e6 * spent / (batches * SIZE) for spent in meter.spent)
    shown = f"{database:9.0f}" if backend else ""
    print(f"{where:24} {wall:8.0f} {program:8.0f} {shown}", flush=True)


def _count(ledger: Ledger, trips: RoundTrips) -> None:
    run = Run(ledger, 0)
    counted: list[int] = []

    class Counter(Meter):
        """Counts round trips in place of time."""

        @contextmanager
        def running(self) -> Iterator[None]:
            trips.count = 0
            yield
            counted.append(trips.count)

    for _ in range(3):
        run.batch(Counter())
    print(f"round trips a batch      {counted[-1]:8}")


def _address(port: int, database: str) -> str:
    return f"postgresql://{SUPERUSER}@127.0.0.1:{port}/{database}?{_OPTIONS}"


@contextmanager
def _port(port: int, milliseconds: int) -> Iterator[int]:
    """Give the port of the server, or of a process that makes the line to it long."""
    if not milliseconds:
        yield port
        return
    command = [sys.executable, "-m", "tests.servers.delay", str(port), "--round-trip", str(milliseconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(json.loads(process.stdout.readline())["port"])
        process.terminate()


def _backend(dsn: str) -> int:
    """Find the process of the database that serves the ledger's session."""
    with psycopg.connect(dsn) as connection:
        query = "select pid from pg_stat_activity where datname = current_database() and application_name = 'mailferry'"
        (pid,) = connection.execute(query).fetchone() or (0,)
    return int(pid)


def _cpu_of(pid: int) -> float:
    """Seconds that a process has calculated, 0 for none."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    main()
