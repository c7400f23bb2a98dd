"""What needs no other program: starts, checks of an archive, how a full ledger slows a run, what a listing takes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from math import ceil
from pathlib import Path
from textwrap import dedent

from benchmarks.measure import Command, Measured, run
from benchmarks.programs import Job, Place, mailferry
from benchmarks.results import Row
from benchmarks.work import RUN_LIMIT, Extent
from benchmarks.yard import Yard

_CHUNK = 1_000
_NEW = 5_000
_OURS = str(Path(sys.executable).with_name("mailferry"))


def starts(yard: Yard, extent: Extent) -> Iterator[Row]:
    """Yield what commands take that have little to do, on an archive of 1,000 messages."""
    stock = yard.stock("small", 1_000)
    with yard.run_folder() as folder, yard.source(stock, 0) as source:
        migrate = mailferry(Job(source, folder))
        config = ["-c", str(folder / "config.toml")]
        commands = {
            "the interpreter alone": Command([sys.executable, "-I", "-c", "pass"]),
            "--version": Command([_OURS, "--version"]),
            "status": Command([_OURS, "status", *config]),
            "search": Command([_OURS, "search", *config, "time"]),
            "migrate, nothing to do": migrate,
        }
        for command in (migrate, commands["search"]):  # the mail comes, and its index
            run(command, folder / "log", RUN_LIMIT)
        turns = [
            [run(one, folder / "log", RUN_LIMIT) for one in commands.values()]
            for _ in extent.begun_turns(3 * extent.turns)
        ]
    for name, runs in zip(commands, zip(*turns, strict=True), strict=True):
        yield Row("start", 0, name, 1, 0, runs)


def archives(yard: Yard, extent: Extent) -> Iterator[Row]:
    """Yield what it takes to make the ledger of an archive again, and to verify it."""
    stock = yard.stock("small", ceil(20_000 * extent.share))
    steps: dict[str, list[Measured]] = {"rebuild-ledger": [], "verify": []}
    with yard.run_folder() as folder, yard.source(stock, 0) as source:
        run(mailferry(Job(source, folder)), folder / "log", RUN_LIMIT)
        for _ in extent.begun_turns():
            shutil.rmtree(folder / "state")
            for step, runs in steps.items():
                command = Command([_OURS, step, "-c", str(folder / "config.toml")])
                runs.append(run(command, folder / "log", RUN_LIMIT))
    for step, runs in steps.items():
        yield Row("archive", 0, step, stock.messages, stock.octets, tuple(runs))


def scales(yard: Yard, extent: Extent) -> Iterator[Row]:
    """Yield what new messages take where the ledger holds others already, of another account and archive."""
    stock = yard.stock("small", _NEW)
    for size in (ceil(size * extent.share) for size in (1_000, 100_000, 1_000_000)):
        if extent.is_over:
            return
        with yard.run_folder() as full, yard.source(stock, 0) as source:
            yard.in_a_process(_fill, full / "state", size)
            runs = tuple(_repeated(yard, source, full / "state", extent))
        yield Row("ledger", 0, f"{size:,} there", stock.messages, stock.octets, runs)


def _repeated(yard: Yard, source: Place, state: Path, extent: Extent) -> Iterator[Measured]:
    for _ in extent.begun_turns():
        with yard.run_folder() as folder:
            subprocess.run(["cp", "-r", str(state), str(folder / "state")], check=True)
            yield run(mailferry(Job(source, folder)), folder / "log", RUN_LIMIT)


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


def listing(yard: Yard, extent: Extent) -> Iterator[Row]:
    """Yield what a dry run over a listing of a million messages takes, once; the server is a script, and slow."""
    messages = ceil(1_000_000 * extent.share)
    with _many_messages(messages) as port, yard.run_folder() as folder:
        command = mailferry(Job(Place(port, "bench", "open-sesame"), folder))
        measured = run(replace(command, argv=[*command.argv, "--dry-run"]), folder / "log", RUN_LIMIT)
    yield Row("listing", 0, "a dry run", messages, 0, (measured,))


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
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield int(json.loads(server.stdout.readline()))
        finally:
            server.stdin.close()
