"""A hundred thousand accounts of a sheet on one machine, with SQLite: what beginning, looking and resting cost.

python -m benchmarks.many_rows [--rows N] [--hosts N] [--idle SECONDS] [--dir DIR]

Each figure is of a process of its own: its CPU, and the most memory it had. Runs do nothing, so that what is counted is
the worker's own: taking an account out of the queue, running it, and remembering how that ended. For ``status`` each
account has had a run that stored one message. What that takes to write is kept in --dir.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from shutil import rmtree

from benchmarks.sheet_rows import configuration
from jobs.schedule.stop import Stop
from jobs.service import Service, ServiceOptions
from jobs.systemd import Supervisor
from migrator.config import Account, Config, load
from migrator.copy_records import MboxAnchor, VolumeRecord, VolumeState
from migrator.files import stamp_of
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
    Proof,
    UniqueId,
)
from migrator.policy import WhenCopyIsGone
from migrator.report import AccountReport, Status
from migrator.wiring.account import destination_of

REPOSITORY = Path(__file__).parents[1]
PATIENCE = 1800.0
_ITSELF = (sys.executable, "-m", "benchmarks.many_rows")
_OCTETS = 2_000
_CALM = 15.0
"""Seconds after the last run until the worker is taken to rest: the first looks are over."""


def main() -> int:
    """Print the figures; 1 where a command failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--hosts", type=int, default=400)
    parser.add_argument("--idle", type=float, default=120.0, help="seconds for which the resting worker is watched")
    parser.add_argument("--dir", type=Path, help="where the office is kept from one call to the next")
    parser.add_argument("--only", help="words with which a figure begins, to measure nothing else")
    parser.add_argument("--worker", choices=("prepares", "waits", "works"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.worker == "prepares":
        _prepare(wanted.dir, wanted.rows, wanted.hosts)
        return 0
    if wanted.worker:
        return _work(wanted.dir / "config.toml", wanted.idle if wanted.worker == "works" else 0.0)
    with tempfile.TemporaryDirectory(prefix="mailferry-bench-") as temporary:
        folder = wanted.dir or Path(temporary)
        # In a process of its own: the most memory of one that is begun later would count that of this one.
        extent = ["--dir", str(folder), "--rows", str(wanted.rows), "--hosts", str(wanted.hosts)]
        subprocess.run([*_ITSELF, *extent, "--worker", "prepares"], cwd=REPOSITORY, check=True)
        return max(_figures(folder, wanted.idle, wanted.only or ""))


def _figures(folder: Path, idle: float, only: str) -> Iterator[int]:
    """Measure everything, and yield the exit codes."""
    config = str(folder / "config.toml")
    worker = [*_ITSELF, "--dir", str(folder), "--idle", str(idle), "--worker"]
    mailferry = [sys.executable, "-m", "migrator"]
    known, fresh = folder / "state", folder / "fresh"
    steps: Sequence[tuple[str, Sequence[str], Path]] = (
        ("run begins, nothing is known", [*worker, "waits"], fresh),
        ("status, nothing is known", [*mailferry, "status", "-c", config], fresh),
        ("status, all is known", [*mailferry, "status", "-c", config], known),
        ("status of one account", [*mailferry, "status", "-c", config, "user000007@example.org"], known),
        ("accounts", [*mailferry, "accounts", "-c", config], known),
        ("run works all once, and rests", [*worker, "works"], known),
        ("run begins, all is known", [*worker, "waits"], known),
        ("status beside, all is known", [*mailferry, "status", "-c", config], known),
    )
    yield 0
    for what, command, state in steps:
        if what.startswith(only):
            rmtree(fresh, ignore_errors=True)
            yield _measured(what, command, folder, state)


def _measured(what: str, command: Sequence[str], folder: Path, state: Path) -> int:
    """Run a command on this state; print what it took, and the lines that begin with two spaces."""
    sheet = folder / "accounts.csv"
    (folder / "config.toml").write_text(
        f'state_dir = "{state}"\naccounts_file = "{sheet}"\n[schedule]\nevery = "1 day"\n'
        '[metrics]\nlisten = "127.0.0.1:18766"\n'
    )
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with process:
        assert process.stdout is not None
        told = [line for line in process.stdout if line.startswith(b"  ") and b" MiB" in line]
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime
    print(f"{what:36} {cpu:7.2f} s of CPU, {used.ru_maxrss / 1024:4.0f} MiB at most", flush=True)
    for line in told:
        print(line.decode().rstrip(), flush=True)
    return process.returncode


def _work(path: Path, idle: float) -> int:
    """Be the worker; its runs do nothing, or wait until the worker ends where nothing is to be looked at."""
    config, ready, over = load(path), threading.Event(), threading.Event()
    told = _Told()
    told.said("the configuration is read")
    runs = iter(range(len(config.accounts) - 1, -1, -1))

    def run(account: Account, stop: Stop) -> AccountReport:
        if not idle:
            stop.wait()
        elif not next(runs):
            over.set()
        return AccountReport(account.name, Status.OK)

    class Announced(Supervisor):
        def ready(self) -> None:
            ready.set()

    def watch() -> None:
        ready.wait(PATIENCE)
        told.said("the worker is up")
        if idle:
            _watch(over, told, config, idle)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    is_clean = Service(config, ServiceOptions(lambda: load(path), run=run, supervisor=Announced())).run()
    return int(not is_clean)


class _Told:
    """Prints what a process has used since the last line."""

    def __init__(self) -> None:
        self._before = 0.0

    def said(self, what: str, share: Callable[[float], str] = lambda used: f"{used:.2f} s of CPU") -> None:
        used, self._before = time.process_time() - self._before, time.process_time()
        memory = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:"))
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"  {what:34} {share(used)}, {int(memory.split()[1]) / 1024:.0f} MiB, {most:.0f} MiB at most", flush=True)


def _watch(over: threading.Event, told: _Told, config: Config, idle: float) -> None:
    if not over.wait(PATIENCE):
        return
    count = len(config.accounts)
    told.said("each of them is worked", lambda used: f"{used:.2f} s of CPU, {used / count * 1000:.3f} ms each")
    time.sleep(_CALM)
    told.said("what comes after")
    time.sleep(idle)
    told.said(f"{idle:.0f} s of rest", lambda used: f"{used:.2f} s of CPU = {used / idle:.2%} of a core")
    for address in ("/metrics", "/healthz"):
        size = 0
        for _ in range(3):
            connection = HTTPConnection("127.0.0.1", 18766, timeout=600)
            with closing(connection):
                connection.request("GET", address)
                size = len(connection.getresponse().read())
        told.said(f"{address}, {size / 1e6:.1f} MB", lambda used: f"{used / 3:.3f} s of CPU")


def _prepare(folder: Path, rows: int, hosts: int) -> None:
    """Write the sheet and the ledger, where they are not there yet."""
    if (folder / "built").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    config = load(configuration(folder, rows, hosts))
    with closing(Ledger.open(config.state_dir)) as ledger:
        for number, account in enumerate(config.accounts):
            _note(account, number, ledger, config.state_dir, time.time() - 86_400.0)
    (folder / "built").touch()


def _note(account: Account, number: int, ledger: Ledger, state_dir: Path, now: float) -> None:
    """Tell the ledger what it hears of a run that stored one message; the archive holds nothing but its length."""
    source, place = account.source, destination_of(account.destinations[0], state_dir)
    maildrop = ledger.maildrop(account.name, source.host, source.endpoint.port, source.username)
    copies = ledger.copies(place.identity, place.kind)
    maildrop.match([ListedMessage(MessageNumber(1), UniqueId(b"%08x" % number), _OCTETS)])
    maildrop.note(now)
    [known] = maildrop.listed({copies.destination_id: WhenCopyIsGone.KEEP})
    digest = Digest(sha256(b"%d" % number).digest())
    volume = Path(place.identity.partition(":")[2]) / "mail.mbox"
    volume.parent.mkdir(parents=True, mode=0o700)
    volume.touch(0o600)
    os.truncate(volume, _OCTETS + 60)
    record = VolumeRecord(volume.name, _OCTETS + 60, b"", stamp_of(volume.stat()), VolumeState.OPEN)
    message = Message(digest, HeaderDigest(sha256(digest).digest()), b"", _OCTETS, LinesBody(b""))
    report = AccountReport(account.name, Status.OK, listed=1, copied=1, verified=1)
    with ledger.together():
        run = ledger.history.run_started(account.name, now)
        numbers = copies.intended(MboxAnchor(record.name, 0), [(message, b"\0\0\0\0")], now)
        copies.stored([(numbers[digest], MboxLocator(volume.name, 0, _OCTETS + 60, 0))], [record])
        copies.judged([Judged(numbers[digest], CopyState.VERIFIED, Proof.EXACT)], now)
        maildrop.copied([(known.row, digest)], now)
        ledger.history.run_ended(run, report, now + 1.0)


if __name__ == "__main__":
    sys.exit(main())
