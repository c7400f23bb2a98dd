"""What needs no other program: how long a start takes, how a full ledger slows a run, what memory a listing takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from statistics import median
from textwrap import dedent

from benchmarks.measure import Command, Measured, run
from benchmarks.programs import Job, Place, mailferry
from benchmarks.yard import Yard

_LIMIT = 900.0
_CHUNK = 1_000
_NEW = 5_000


def starts(yard: Yard, repeats: int) -> None:
    """Print what ``--version`` takes, and ``migrate`` with nothing to do."""
    stock = yard.stock("small", 1_000)
    version = Command([str(Path(sys.executable).with_name("mailferry")), "--version"])
    with yard.run_folder() as folder, yard.source(stock, 0) as source:
        migrate = mailferry(Job(source, folder))
        run(migrate, folder / "log", _LIMIT)
        for name, command in (("--version", version), ("migrate, nothing to do", migrate)):
            runs = [run(command, folder / "log", _LIMIT) for _ in range(3 * repeats)]
            print(f"start     {name:24} {1_000 * median(one.wall for one in runs):6.0f} ms")
    print(flush=True)


def scales(yard: Yard, repeats: int) -> None:
    """Print what a new message takes where the ledger holds so many already, of another account and archive."""
    stock = yard.stock("small", _NEW)
    for size in (1_000, 100_000, 1_000_000):
        with yard.run_folder() as full, yard.source(stock, 0) as source:
            yard.in_a_process(_fill, full / "state", size)
            walls = [one.wall for one in _repeated(yard, source, full / "state", repeats)]
        each = 1e6 * median(walls) / _NEW
        print(f"ledger    {size:>9,} messages there  {each:6.0f} us a new message, {_NEW:,} of them")
    print(flush=True)


def _repeated(yard: Yard, source: Place, state: Path, repeats: int) -> Iterator[Measured]:
    for _ in range(repeats):
        with yard.run_folder() as folder:
            subprocess.run(["cp", "-r", str(state), str(folder / "state")], check=True)
            yield run(mailferry(Job(source, folder)), folder / "log", _LIMIT)


def _fill(folder: Path, size: int) -> None:
    """Make a ledger of messages that are elsewhere, by what a run would have told it."""
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
        Proof,
        UniqueId,
    )
    from migrator.policy import WhenCopyIsGone

    folder.mkdir()
    with closing(Ledger.open(folder)) as ledger:
        maildrop = ledger.maildrop("elsewhere", "elsewhere.example.org", 110, "somebody")
        copies = ledger.copies("mbox:elsewhere", "mbox")
        numbers = range(1, size + 1)
        maildrop.match(ListedMessage(MessageNumber(n), UniqueId(b"%016x" % n), 5_000) for n in numbers)
        maildrop.note(1.0)
        rows = [known.row for known in maildrop.listed({copies.destination_id: WhenCopyIsGone.KEEP})]
        for start in range(0, size, _CHUNK):
            part = range(start, min(start + _CHUNK, size))
            messages = [
                Message(
                    Digest(sha256(b"%d" % n).digest()),
                    HeaderDigest(sha256(b"h%d" % n).digest()),
                    b"",
                    0,
                    LinesBody(b""),
                )
                for n in part
            ]
            ids = copies.intended(MboxAnchor("1.mbox", start), [(message, b"\0\0\0\0") for message in messages], 1.0)
            places = [(ids[m.digest], MboxLocator("1.mbox", n, 1, 0)) for n, m in zip(part, messages, strict=True)]
            copies.stored(places, [VolumeRecord("1.mbox", part.stop, b"", "", VolumeState.OPEN)])
            copies.judged([Judged(copy_id, CopyState.VERIFIED, Proof.EXACT) for copy_id, _ in places], 1.0)
            maildrop.copied([(rows[n], m.digest) for n, m in zip(part, messages, strict=True)], 1.0)


def listing(yard: Yard, _repeats: int) -> None:
    """Print what a dry run over a listing of a million messages takes; the server is a script, and slow."""
    messages = 1_000_000
    with _many_messages(messages) as port, yard.run_folder() as folder:
        command = mailferry(Job(Place(port, "bench", "open-sesame"), folder))
        measured = run(replace(command, argv=[*command.argv, "--dry-run"]), folder / "log", _LIMIT)
    print(
        f"listing   {messages:>9,} messages  {measured.peak / 1e6:6.0f} MB at the peak, {measured.cpu:.1f} s of CPU\n"
    )


@contextmanager
def _many_messages(messages: int) -> Iterator[int]:
    script = f"""
        import json, sys
        from tests.servers.maildrop import Maildrop
        from tests.servers.pop3 import Pop3Server
        from tests.servers.pop3_faults import ManyMessages
        with Pop3Server(Maildrop(), faults=[ManyMessages({messages})]) as server:
            print(json.dumps(server.port), flush=True)
            sys.stdin.read()
    """
    command = [sys.executable, "-c", dedent(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield int(json.loads(server.stdout.readline()))
        finally:
            server.stdin.close()
