"""Ten thousand accounts with a little mail on one worker: what a run of each costs, first with mail, then with none.

python -m benchmarks.many_runs [--accounts N] [--messages N] [--at-once N] [--dir DIR]

The worker is the real one, with a ledger in SQLite and an mbox folder for each account; the server is a small one in a
process of its own, whose time does not count. CPU is that of the worker's process, so that what takes mail apart for
the search index beside it is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.service import Service, ServiceOptions
from jobs.systemd import Supervisor
from migrator.config import load

REPOSITORY = Path(__file__).parents[1]
PATIENCE = 3600.0
_ITSELF = (sys.executable, "-m", "benchmarks.many_runs")
_HOST = "127.0.0.1"
_PASSWORD = "open-sesame"
_LINE = b"A line of an ordinary length, as people write them.\r\n"


def main() -> int:
    """Print the figures; 1 where a run failed or mail is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=3, help="of the largest maildrop; others have one or more")
    parser.add_argument("--at-once", type=int, default=8, help="[limits] accounts and per_host")
    parser.add_argument("--dir", type=Path, help="where archive and ledger are meanwhile")
    parser.add_argument("--part", choices=("serves", "works"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.part == "serves":
        asyncio.run(_serve(wanted.messages))
        return 0
    if wanted.part == "works":
        return _work(wanted.dir / "config.toml", wanted.accounts, wanted.messages)
    with tempfile.TemporaryDirectory(prefix="mailferry-bench-", dir=wanted.dir) as folder, _server(wanted) as port:
        _configure(Path(folder), port, wanted.accounts, wanted.at_once)
        extent = ["--accounts", str(wanted.accounts), "--messages", str(wanted.messages)]
        return subprocess.run(
            [*_ITSELF, "--part", "works", "--dir", folder, *extent], cwd=REPOSITORY, check=False
        ).returncode


@contextmanager
def _server(wanted: argparse.Namespace) -> Iterator[int]:
    """Serve in a process of its own; the port is yielded."""
    command = [*_ITSELF, "--part", "serves", "--messages", str(wanted.messages)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def _configure(folder: Path, port: int, accounts: int, at_once: int) -> None:
    with (folder / "accounts.csv").open("w", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(["name", "host", "port", "tls", "username", "password", "mbox"])
        for number in range(accounts):
            user = f"user{number:06}"
            sheet.writerow([user, _HOST, port, "none", user, _PASSWORD, f"archive/{user}"])
    (folder / "accounts.csv").chmod(0o600)
    limits = f"[limits]\naccounts = {at_once}\nper_host = {at_once}\n"
    config = folder / "config.toml"
    config.write_text(f'accounts_file = "accounts.csv"\nstate_dir = "state"\n[schedule]\nevery = "1 day"\n{limits}')
    config.chmod(0o600)


class _Twice(Service):
    """A worker that works all accounts once more when it is asked."""

    def again(self) -> None:
        for name in self.config.names():
            self._parts.worker.try_now(name)


class _Runs(logging.Handler):
    """Counts the runs that ended, by how."""

    def __init__(self, wanted: int) -> None:
        super().__init__(logging.INFO)
        self.ended: Counter[str] = Counter()
        self.copied = 0
        self.are_over = threading.Event()
        self._wanted = wanted

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == "worker.run.finished":
            fields = record.__dict__["fields"]
            if fields["status"] != "ok":
                print(f"  {fields['account']}: {fields.get('problem')}", file=sys.stderr)
            self.ended[fields["status"]] += 1
            self.copied += fields.get("copied", 0)
            if self.ended.total() % self._wanted == 0:
                self.are_over.set()


def _work(path: Path, accounts: int, messages: int) -> int:
    """Be the worker, for two rounds."""
    config, runs = load(path), _Runs(accounts)
    journal = logging.getLogger("jobs.journal")
    journal.setLevel(logging.INFO)
    journal.addHandler(runs)

    def rounds() -> None:
        before = _Used()
        for what in ("each has new mail", "nothing is new"):
            if not runs.are_over.wait(PATIENCE):
                break
            runs.are_over.clear()
            before = before.told(what, accounts)
            if what.startswith("each"):
                worker.again()
        os.kill(os.getpid(), signal.SIGTERM)

    class Announced(Supervisor):
        def ready(self) -> None:
            if not following.is_alive():
                following.start()

    following = threading.Thread(target=rounds, daemon=True)
    worker = _Twice(config, ServiceOptions(lambda: load(path), supervisor=Announced()))
    is_clean = worker.run()
    expected = sum(_held(b"user%06d" % number, messages) for number in range(accounts))
    print(f"copied {runs.copied:,} of {expected:,}; runs: {dict(runs.ended)}")
    return int(not is_clean or runs.copied != expected or runs.ended != {"ok": 2 * accounts})


class _Used:
    """What the process has used by now."""

    def __init__(self) -> None:
        self.cpu, self.wall = time.process_time(), time.monotonic()

    def told(self, what: str, runs: int) -> _Used:
        """Print what was used since, and return where we are."""
        now = _Used()
        cpu, wall = now.cpu - self.cpu, now.wall - self.wall
        each = f"{cpu / runs * 1000:.2f} ms of CPU a run"
        memory = "{} MiB, {} MiB at most".format(*(_memory(key) // 1024 for key in ("VmRSS", "VmHWM")))
        print(f"{what:20} {runs / wall:6.0f} runs/s, {each}, {wall:.1f} s; {memory}", flush=True)
        return now


def _memory(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def _held(user: bytes, most: int) -> int:
    """Return how many messages a user has: one to that many."""
    return int(user[-6:]) % most + 1


async def _serve(most: int) -> None:
    """Serve any user until the process is ended: the mail is made when it is asked for, and nothing is kept."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(most)
        writer.write(b"+OK\r\n")
        try:
            while not session.is_over and (line := await reader.readline()):
                writer.write(session.answer(line))
        finally:
            writer.close()

    server = await asyncio.start_server(answer, _HOST, 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class _Session:
    """RFC 1939 for a client that deletes nothing."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._user = b""
        self._mail: list[bytes] = []
        self.is_over = False

    def answer(self, line: bytes) -> bytes:
        verb, _, argument = line.strip().partition(b" ")
        answers: dict[bytes, Callable[[bytes], bytes]] = {
            b"CAPA": lambda _: b"+OK\r\nUSER\r\nUIDL\r\nTOP\r\nPIPELINING\r\nRESP-CODES\r\n.\r\n",
            b"USER": self._named,
            b"PASS": self._logged_in,
            b"STAT": lambda _: b"+OK %d %d\r\n" % (len(self._mail), sum(map(len, self._mail))),
            b"LIST": lambda _: self._lines(b"%d" % len(mail) for mail in self._mail),
            b"UIDL": lambda _: self._lines(b"%b.%d" % (self._user, n) for n, _ in enumerate(self._mail, 1)),
            b"RETR": lambda number: b"+OK\r\n%b.\r\n" % self._mail[int(number) - 1],
            b"NOOP": lambda _: b"+OK\r\n",
            b"QUIT": self._quit,
        }
        answered = answers.get(verb.upper())
        return answered(argument) if answered else b"-ERR unknown\r\n"

    def _named(self, user: bytes) -> bytes:
        self._user = user
        return b"+OK\r\n"

    def _logged_in(self, _password: bytes) -> bytes:
        self._mail = [_message(self._user, number) for number in range(_held(self._user, self._most))]
        return b"+OK\r\n"

    def _lines(self, told: Iterator[bytes]) -> bytes:
        return b"+OK\r\n" + b"".join(b"%d %b\r\n" % (number, what) for number, what in enumerate(told, 1)) + b".\r\n"

    def _quit(self, _argument: bytes) -> bytes:
        self.is_over = True
        return b"+OK\r\n"


def _message(user: bytes, number: int) -> bytes:
    head = b"From: a@example.org\r\nTo: %b@example.org\r\nSubject: %d\r\nMessage-ID: <%d.%b@x>\r\n\r\n"
    return head % (user, number, number, user) + _LINE * 40


if __name__ == "__main__":
    sys.exit(main())
