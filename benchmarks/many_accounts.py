"""Five hundred accounts on one worker, against a real Dovecot: how long a round takes, what it costs, how it ends.

python -m benchmarks.many_accounts [--accounts N] [--messages N] [--at-once N]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.dovecot import Dovecot, why_missing

REPOSITORY = Path(__file__).parents[1]
PATIENCE = 900.0


def main() -> int:
    """Print the figures; 1 when there is no Dovecot or something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--messages", type=int, default=10, help="in each maildrop")
    parser.add_argument("--at-once", type=int, default=8, help="[limits] accounts and per_host")
    wanted = parser.parse_args()
    if reason := why_missing():
        print(reason, file=sys.stderr)
        return 1
    with Dovecot() as server, tempfile.TemporaryDirectory(prefix="mailferry-bench-") as folder:
        users = [f"user{number:04}" for number in range(wanted.accounts)]
        for user in users:
            server.deliver(user, [_message(user, number) for number in range(wanted.messages)])
        config = _configuration(Path(folder), server, users, wanted.at_once)
        return _measured(Path(folder), config, server, users, wanted.messages)


def _message(user: str, number: int) -> bytes:
    head = (
        f"From: a@example.org\r\nTo: {user}@example.org\r\nSubject: {number}\r\nMessage-ID: <{number}.{user}@x>\r\n\r\n"
    )
    return head.encode() + b"A line of an ordinary length, as people write them.\r\n" * 60


def _configuration(folder: Path, server: Dovecot, users: list[str], at_once: int) -> Path:
    with (folder / "accounts.csv").open("w", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(["name", "host", "port", "tls", "username", "password", "mbox"])
        for user in users:
            sheet.writerow([user, server.host, server.pop3_port, "none", user, server.password, f"archive/{user}"])
    (folder / "accounts.csv").chmod(0o600)
    config = folder / "config.toml"
    limits = f"[limits]\naccounts = {at_once}\nper_host = {at_once}\n"
    config.write_text(f'accounts_file = "accounts.csv"\n[schedule]\nevery = "1 minute"\n{limits}')
    config.chmod(0o600)
    return config


@contextmanager
def _running(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a worker that logs there, and see that it ends."""
    command = [sys.executable, "-m", "migrator", "run", "-c", str(config), "--log-json"]
    with log.open("wb") as stderr:
        worker = subprocess.Popen(command, stderr=stderr, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    try:
        yield worker
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()


def _measured(folder: Path, config: Path, server: Dovecot, users: list[str], messages: int) -> int:
    log = folder / "worker.log"
    began = time.monotonic()
    most_parser = 0

    def finished() -> list[dict[str, object]]:
        nonlocal most_parser
        most_parser = max(most_parser, _children_kib(worker.pid))
        lines = log.read_text().splitlines()
        return [event for event in _events(lines) if event.get("event") == "worker.run.finished"]

    with _running(config, log) as worker:
        _until(worker, lambda: bool(_events(log.read_text().splitlines())))
        started = time.monotonic() - began
        _until(worker, lambda: len(finished()) >= len(users))
        first = time.monotonic() - began
        busy_before, wall_before = _cpu_seconds(worker.pid), time.monotonic()
        _until(worker, lambda: len(finished()) >= 3 * len(users))
        busy, wall = _cpu_seconds(worker.pid) - busy_before, time.monotonic() - wall_before
        memory = _memory_kib(worker.pid, "VmHWM")
        ending = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        code = worker.wait(PATIENCE)
        ended = time.monotonic() - ending
    done = finished()
    failed = [event for event in done if event["status"] != "ok"]
    copied = sum(int(str(event["copied"])) for event in done)
    rows = [
        ("accounts", f"{len(users):,} of {messages} messages each, on one Dovecot at {server.host}"),
        ("until the worker is up", f"{started:.1f} s"),
        ("first round (everything is copied)", f"{first:.1f} s = {len(users) * messages / first:,.0f} messages/s"),
        (
            "two quiet rounds, one a minute",
            f"{wall:.0f} s, of which the worker computes {busy:.1f} s ({busy / wall:.0%} of a core)",
        ),
        ("a quiet run of one account", f"{busy / (2 * len(users)) * 1000:.1f} ms of computing"),
        ("most memory of the worker", f"{memory / 1024:.0f} MiB"),
        ("most memory of its children (parser)", f"{most_parser / 1024:.0f} MiB"),
        ("from SIGTERM to its end", f"{ended:.1f} s, exit code {code}"),
        ("copied", f"{copied:,} of {len(users) * messages:,}"),
        ("runs that were not ok", f"{len(failed):,} of {len(done):,}"),
    ]
    for what, figure in rows:
        print(f"{what:40} {figure}")
    for problem, count in Counter(f"{event['status']}: {event.get('problem')}" for event in failed).most_common():
        print(f"  {count:,} of these {problem}")
    return int(bool(failed) or code != 0 or copied != len(users) * messages)


def _events(lines: list[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def _until(worker: subprocess.Popen[bytes], is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        if worker.poll() is not None or time.monotonic() > end:
            raise SystemExit("the worker ended, or was too slow")
        time.sleep(0.2)


def _memory_kib(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    return 0


def _children_kib(pid: int) -> int:
    total = 0
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            total += sum(_memory_kib(int(child), "VmRSS") for child in task.read_text().split())
        except OSError:
            continue
    return total


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
