"""The page of a large office: what each address costs the worker, alone, with streams open, and while mail moves.

python -m benchmarks.page [--dir DIR] [--messages N] [--accounts N] [--runs N] [--requests N]

The office (``benchmarks.office``) is built once into --dir, and kept there. A real ``mailferry run`` serves it on
loopback; what it moves meanwhile comes from a Dovecot. Wall time is the client's, from asking to the last byte; CPU is
what the threads of the worker used meanwhile, whatever they did: on a busy machine it tells more. Not in it is the main
thread, which looks around now and then, whether anybody asks or not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.parse import quote

from benchmarks.corpora import small
from benchmarks.office import (
    ADMINISTRATOR,
    PASSWORD,
    READABLE,
    READER,
    WATCHERS,
    Extent,
    add_users,
    build,
    let_rest,
    name_of,
    written,
)
from migrator.config import load
from migrator.ledger import Ledger
from migrator.operations.account_list import pause
from tests.browser import Browser
from tests.servers.dovecot import Dovecot, why_missing

REPOSITORY = Path(__file__).parents[1]
PATIENCE = 600.0
MOVED = 8_000
"""Messages of one account that are moved while the page is asked."""
MOVING = 6
"""Accounts that are moved, one after the other."""
STREAMS = 100

ADDRESSES = (
    ("overview", "/"),
    ("mailbox", f"/accounts/{name_of(0)}"),
    ("search, a rare word", "/search?q=concert"),
    ("search, a common word", "/search?q=invoice"),
    ("search, common words", f"/search?q={quote('budget or meeting or contract or holiday')}"),
    ("search, a phrase", f"/search?q={quote(chr(34) + 'no noqui' + chr(34))}"),
    ("search, a field", "/search?q=from:person16"),
    ("search, a field, a year", f"/search?q={quote('from:person16 date:2024')}"),
    ("search, word and attachment", f"/search?q={quote('invoice has:attachment')}"),
    ("search, one mailbox", f"/search?q={quote('invoice account:' + name_of(0))}"),
    ("search, everything", f"/search?q={quote('*')}"),
    ("needs a look", "/needs-a-look"),
    ("deletions", "/receipts"),
)
FOR_ADMINISTRATORS = (("jobs", "/jobs"), ("audit", "/audit"), ("care", "/care"))


@dataclass(slots=True)
class Served:
    """A worker that serves the page, and who has signed in there."""

    process: subprocess.Popen[bytes]
    log: Path
    browsers: dict[str, Browser] = field(default_factory=dict)

    def cpu(self) -> float:
        """Return the seconds of CPU that the worker has used, to the nanosecond, but for its main thread's."""
        total = 0
        for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
            if thread.name == str(self.process.pid):
                continue
            try:
                total += int((thread / "schedstat").read_text().split()[0])
            except OSError:  # it has just ended
                continue
        return total / 1e9

    def cpu_of_all(self) -> float:
        """Return the seconds of CPU of all its threads, those that have ended included, to the hundredth."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, key: str = "VmRSS") -> float:
        """Return megabytes of the worker's memory, as it is now or (VmHWM) was at its peak."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{key}:")) * 1024 / 1e6

    def finished(self) -> int:
        """Return how many runs have ended."""
        return self.log.read_text().count('"worker.run.finished"')


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: seconds of wall time and of the worker's CPU, and how many messages it said were found."""

    wall: float
    cpu: float
    found: str


def main() -> int:
    """Print what was measured; 1 where something that was asked for was refused."""
    options = _options()
    extent = Extent(options.messages, options.accounts, options.runs)
    with ExitStack() as stack:
        folder = options.dir or Path(stack.enter_context(TemporaryDirectory(prefix="mailferry-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "built").exists():
            began = time.monotonic()
            build(folder, extent, time.time())
            (folder / "built").touch()
            print(f"built in {time.monotonic() - began:.0f} s", flush=True)
        more = _moving(stack) if why_missing() is None else ""
        config = written(folder, extent, more)
        _prepare(config)
        print(_sizes(folder), flush=True)
        with _served(folder, config) as served:
            return _measure(served, options.requests, has_moving=bool(more))


def _moving(stack: ExitStack) -> str:
    """Return the accounts whose mail is moved meanwhile: one maildrop, and an archive for each time."""
    server = stack.enter_context(Dovecot())
    server.deliver("mover", list(small(MOVED)))
    return "".join(
        f'[[accounts]]\nname = "moving{number}"\n[accounts.source]\nhost = "{server.host}"\nport = {server.pop3_port}\n'
        f'tls = "none"\nusername = "mover"\npassword = "{server.password}"\n[[accounts.destinations]]\ntype = "mbox"\n'
        f'path = "archive/moving{number}-{time.time():.0f}"\n'
        for number in range(MOVING)
    )


def _prepare(config: Path) -> None:
    loaded = load(config)
    let_rest(loaded, time.time())
    add_users(loaded, time.time())
    with closing(Ledger.open(loaded.state_dir)) as ledger:
        pause([account for account in loaded.accounts if account.name.startswith("moving")], ledger, time.time())


def _sizes(folder: Path) -> str:
    sizes = {name: (folder / "state" / name).stat().st_size / 1e6 for name in ("ledger.sqlite3", "search.sqlite3")}
    return "; ".join(f"{name} {size:,.0f} MB" for name, size in sizes.items())


@contextmanager
def _served(folder: Path, config: Path) -> Iterator[Served]:
    log = folder / "worker.log"
    command = [sys.executable, "-m", "migrator", "run", "-c", str(config), "--log-json"]
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, stderr=stderr, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    try:
        port = _port(process, log)
        served = Served(process, log)
        for name in (ADMINISTRATOR, READER, *WATCHERS):
            served.browsers[name] = browser = Browser(port)
            answer = browser.send(browser.get("/sign-in").form("/sign-in"), name=name, password=PASSWORD)
            assert answer.status == 303, answer.status
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        for line in log.read_text().splitlines():
            if '"web.listening"' in line:
                return int(str(json.loads(line)["url"]).rpartition(":")[2].strip("/"))
        time.sleep(0.2)
    raise SystemExit(f"the worker ended, or was too slow: {log.read_text()[-2_000:]}")


def _measure(served: Served, requests: int, *, has_moving: bool) -> int:
    _wait_for_look(served)
    _settle(served)
    cpu, began = served.cpu_of_all(), time.monotonic()
    time.sleep(30)
    each = 1_000 * (served.cpu_of_all() - cpu) / (time.monotonic() - began)
    print(f"the worker, asked nothing, takes {each:.0f} ms of CPU a second, its looks included")
    print(f"memory before the first page: {served.memory():.0f} MB", flush=True)
    refused = _print_all(served, requests, f"{os.getloadavg()[0]:.0f} other processes wanted a core")
    print(f"memory: {served.memory():.0f} MB, {served.memory('VmHWM'):.0f} MB at the peak\n", flush=True)
    _print_streams(served, requests)
    if has_moving:
        refused += _print_moving(served, requests)
        print(f"memory: {served.memory():.0f} MB, {served.memory('VmHWM'):.0f} MB at the peak")
    return int(refused > 0)


def _wait_for_look(served: Served) -> None:
    """Wait until the worker has looked around once, which a large office takes a while for."""
    end = time.monotonic() + PATIENCE
    while "just started" in served.browsers[ADMINISTRATOR].get("/").text and time.monotonic() < end:
        time.sleep(1)


def _settle(served: Served) -> None:
    """Wait until what a start has to do beside the first look is over."""
    for _ in range(30):
        before = served.cpu_of_all()
        time.sleep(2)
        if served.cpu_of_all() - before < 0.2:
            return


def _print_all(served: Served, requests: int, title: str) -> int:
    print(f"{title}\n{'':44}{'found':>16}  wall ms: p50   p95   CPU ms: p50   p95")
    refused = 0
    for user, path, label in _plan():
        asked = [_ask(served, user, path) for _ in range(requests + 1)][1:]  # the first one opens what the others use
        refused += sum(one is None for one in asked)
        _print_row(label, [one for one in asked if one is not None])
    return refused


def _plan() -> Iterator[tuple[str, str, str]]:
    for label, path in (*ADDRESSES, *FOR_ADMINISTRATORS):
        yield ADMINISTRATOR, path, label
    for label, path in ADDRESSES:
        yield READER, path, f"{label} (of {READABLE} mailboxes)"


def _ask(served: Served, user: str, path: str) -> Asked | None:
    """Ask for a page; None where it was refused."""
    cpu, wall = served.cpu(), time.perf_counter()
    page = served.browsers[user].get(path)
    wall = time.perf_counter() - wall
    found = re.search(r'role="status">([^<]*?) messages? found', page.text)
    return Asked(wall, served.cpu() - cpu, found[1] if found else "") if page.status == 200 else None


def _print_row(label: str, asked: Sequence[Asked]) -> None:
    if not asked:
        print(f"{label:44}{'refused':>16}", flush=True)
        return
    walls, cpus = _quantiles([one.wall for one in asked]), _quantiles([one.cpu for one in asked])
    print(f"{label:44}{asked[-1].found:>16}{walls}     {cpus}", flush=True)


def _quantiles(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    return f"{1_000 * median(ordered):10.0f} {1_000 * ordered[int(0.95 * (len(ordered) - 1))]:9.0f}"


def _print_streams(served: Served, requests: int) -> None:
    """Print the memory with many open event streams, and what a page takes meanwhile."""
    lines: list[HTTPConnection] = []
    cpu, began = served.cpu_of_all(), time.monotonic()
    try:
        for number in range(STREAMS):
            browser = served.browsers[WATCHERS[number % len(WATCHERS)]]
            cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
            line = HTTPConnection("127.0.0.1", browser.port, timeout=30)
            line.request("GET", "/events", headers={"Host": browser.name, "Cookie": cookie})
            lines.append(line)
            if line.getresponse().status != 200:
                print("there are no event streams in this version\n")
                return
        time.sleep(max(0.0, began + 10 - time.monotonic()))
        print(f"to open {STREAMS} event streams takes {1_000 * (served.cpu_of_all() - cpu):.0f} ms of CPU", end="; ")
        cpu, began = served.cpu_of_all(), time.monotonic()
        time.sleep(20)
        each = 1_000 * (served.cpu_of_all() - cpu) / (time.monotonic() - began)
        print(f"to hold them {each:.0f} ms a second, memory {served.memory():.0f} MB")
        for label, path in ADDRESSES[:4]:
            asked = [_ask(served, ADMINISTRATOR, path) for _ in range(requests)]
            _print_row(f"{label}, streams open", [one for one in asked if one is not None])
        print(flush=True)
    finally:
        for line in lines:
            line.close()


def _print_moving(served: Served, requests: int) -> int:
    """Ask every address while mail moves, in turns, for as long as it does."""
    plan = list(_plan())
    asked: dict[str, list[Asked]] = {label: [] for _, _, label in plan}
    refused, runs, began = 0, 0, time.monotonic()
    for number in range(MOVING):
        before = served.finished()
        _resume(served, f"moving{number}")
        while served.finished() == before and time.monotonic() - began < PATIENCE:
            for user, path, label in plan:
                one = _ask(served, user, path)
                refused += one is None
                if one is not None and served.finished() == before and len(asked[label]) < requests:
                    asked[label].append(one)
        runs += served.finished() - before
        if all(len(some) >= requests for some in asked.values()):
            break
    took = time.monotonic() - began
    print(f"while a run moves mail ({runs} runs of {MOVED:,} messages in {took:.0f} s; CPU is the run's, too)")
    for label, some in asked.items():
        _print_row(f"{label} [{len(some)}]", some)
    return refused


def _resume(served: Served, name: str) -> None:
    browser = served.browsers[ADMINISTRATOR]
    path = f"/accounts/{name}/resume"
    answer = browser.send(browser.get(f"/accounts/{name}").form(path))
    assert answer.status == 303, answer.status


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = Extent()
    parser.add_argument("--dir", type=Path, help="where the office is kept, and looked for")
    parser.add_argument("--messages", type=int, default=usual.messages)
    parser.add_argument("--accounts", type=int, default=usual.accounts)
    parser.add_argument("--runs", type=int, default=usual.runs)
    parser.add_argument("--requests", type=int, default=20, help="of each address")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
