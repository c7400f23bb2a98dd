"""How a fleet's queue bears a provider: 100,000 accounts at 400 hosts on one PostgreSQL, runs that do nothing.

    python -m benchmarks.fleet [--accounts N] [--hosts N] [--workers N] [--seconds N]

Measured are: taking over the configuration, a round's plan (who is to be queued, and queueing it), runs a second of
workers as processes, how a host of ten accounts fares beside one with a third of all, and the memory of a worker.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg

from jobs.fleet import accounts
from jobs.fleet.accounts import Listed
from jobs.fleet.dispatch import PgQueuer
from jobs.fleet.schema import prepare
from jobs.fleet.tick import due_accounts
from jobs.fleet.worker import FleetRules, FleetSettings, FleetWorker
from jobs.schedule.queue import Concurrency
from jobs.schedule.retry import RunOutcome
from jobs.schedule.stop import Stop
from migrator.ledger.postgres import leases
from migrator.report import AccountReport, Status
from migrator.run.counters import RunCounters
from tests.fleet.simulated import Deaf, jobs
from tests.servers.postgres import Postgres

PER_HOST = 4
AT_ONCE = 16
ROUND = 900.0


def listed(count: int, hosts: int) -> list[Listed]:
    """Return the accounts: the first host has a third of all."""
    return [
        Listed(one.name, one.source, sorted(one.hosts - {one.source}), one.configured) for one in jobs(count, hosts)
    ]


@dataclass
class Idle:
    """Runs that do nothing and are well."""

    def run(self, name: str, stop: Stop) -> tuple[AccountReport, RunOutcome]:
        """Do nothing."""
        del stop
        return RunCounters(name).report(0.0), RunOutcome(Status.OK)

    def fingerprint(self, name: str) -> str:
        """Return what never changes."""
        return name


def work(dsn: str, name: str) -> None:
    """Be a worker until SIGTERM; the accounts are there already."""
    limits = Concurrency(AT_ONCE, PER_HOST)
    worker = FleetWorker(
        FleetSettings(dsn, name, tick_seconds=1.0),
        Idle(),
        Deaf(),
        store=Deaf(),
        rules=FleetRules(lambda _name, now: now + ROUND, limits=limits),
    )
    count, hosts = map(int, os.environ["FLEET_SIZE"].split())
    worker._book.take_over(jobs(count, hosts))  # noqa: SLF001  # loaded once, by the benchmark
    worker.start()
    print("started", memory_mb(os.getpid()), flush=True)
    signal.sigwait({signal.SIGTERM})
    print(memory_mb(os.getpid()), flush=True)
    worker.stop(20.0)


def memory_mb(pid: int) -> int:
    """Return what a process holds in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


def measured(options: argparse.Namespace) -> None:
    """Measure all of it and print it."""
    with Postgres(is_durable=True) as server, server.database() as database:
        dsn = server.dsn(database)
        with psycopg.connect(dsn, autocommit=True) as connection:
            prepare(connection)
            leases.prepare(connection)
            rows = listed(options.accounts, options.hosts)
            for words in ("taking over the configuration", "again, unchanged"):
                began = time.monotonic()
                accounts.register(connection, rows, {}, time.time())
                print(f"{words}: {time.monotonic() - began:.2f} s")
            connection.execute("analyze fleet_accounts")
            plan(connection)
            rounds(dsn, connection, options)


def plan(connection: psycopg.Connection) -> None:
    """Measure one tick while all accounts are due: the first, and one while the queue is full."""
    for words in ("a round's plan", "again, with a full queue"):
        began = time.monotonic()
        with connection.transaction():
            due = due_accounts(connection, time.time(), per_host=PER_HOST) or []
            found = time.monotonic()
            PgQueuer("", 1).offer(due, connection)
        print(f"{words}: {found - began:.2f} s to find {len(due)}, {time.monotonic() - found:.2f} s to queue them")


def rounds(dsn: str, connection: psycopg.Connection, options: argparse.Namespace) -> None:
    """Let workers work, and count."""
    environment = {**os.environ, "FLEET_SIZE": f"{options.accounts} {options.hosts}"}
    command = [sys.executable, "-m", "benchmarks.fleet", "--work", dsn]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen([*command, f"w{number}"], env=environment, stdout=subprocess.PIPE, text=True)
            )
            for number in range(options.workers)
        ]
        for worker in workers:
            assert worker.stdout is not None
            print("a worker:", worker.stdout.readline().strip(), "MB at start")
        time.sleep(5)
        before, began = done(connection), time.monotonic()
        time.sleep(options.seconds)
        after, seconds = done(connection), time.monotonic() - began
        runs = sum(after.values()) - sum(before.values())
        print(f"{options.workers} workers, {AT_ONCE} runs each: {runs / seconds:.0f} runs/s")
        for host in ("host-0:995", "host-7:995"):
            print(f"{host}: {(after.get(host, 0) - before.get(host, 0)) / seconds:.1f} runs/s")
        for worker in workers:
            worker.terminate()
            assert worker.stdout is not None
            print("a worker:", worker.stdout.readline().strip(), "MB at the end")


def done(connection: psycopg.Connection) -> dict[str, int]:
    """Return how many accounts of each host have been worked."""
    rows = connection.execute(
        "select source, count(*) from fleet_accounts where (state->>'last_worked')::float8 > 0 group by source"
    )
    return {row[0]: row[1] for row in rows}


def main() -> None:
    """Measure, or be one of the workers."""
    parser = argparse.ArgumentParser(description="Measure the queue of a fleet.")
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--hosts", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--work", nargs=2, metavar=("DSN", "NAME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        work(*options.work)
    else:
        measured(options)


if __name__ == "__main__":
    main()
