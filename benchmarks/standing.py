"""What needs no other program: starts, checks of an archive, how a full ledger slows a run, what a listing takes."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from math import ceil
from pathlib import Path
from textwrap import dedent

from benchmarks.measure import Command, Measured, run
from benchmarks.programs import Job, Place, mailferry
from benchmarks.results import Row
from benchmarks.work import RUN_LIMIT, Extent
from benchmarks.yard import Yard

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
    for size in (ceil(size * extent.share) for size in (1_000, 100_000, 1_000_000, 10_000_000)):
        if extent.is_over:
            return
        with yard.run_folder() as full, yard.source(stock, 0) as source:
            if shutil.disk_usage(full).free < 3 * _LEDGER_OCTETS * size:  # two ledgers, and some room
                return
            yard.in_a_process(_fill, full / "state", size)
            runs = tuple(_repeated(yard, source, full / "state", extent))
        yield Row("ledger", 0, f"{size:,} there", stock.messages, stock.octets, runs)


def _repeated(yard: Yard, source: Place, state: Path, extent: Extent) -> Iterator[Measured]:
    for _ in extent.begun_turns():
        with yard.run_folder() as folder:
            subprocess.run(["cp", "-r", str(state), str(folder / "state")], check=True)
            os.sync()  # or the run waits for what the copy has still to write
            yield run(mailferry(Job(source, folder)), folder / "log", RUN_LIMIT)


_LEDGER_OCTETS = 400
"""What a message takes in the ledger, with its copy; 338 at ten million."""
_FILL_CACHE_KIB = 1_500_000
"""Room for the whole index of ten million digests, whose pages are written in no order."""

_ELSEWHERE = """
insert into volumes (destination_id, name, end_offset, tail_digest, stamp, state)
    values (1, '1.mbox', :size, x'', '', 'open');
insert into contents (id, digest, header_digest, octets, message_id)
    select n, randomblob(32), randomblob(32), 5000, randomblob(16) from numbers;
insert into messages (id, maildrop_id, unique_id, announced, state, content_id, first_seen, copied_at, is_retrieved,
    read_in) select n, 1, cast(printf('%016x', n) as blob), 5000, 'copied', n, 1, 1, 1, 1 from numbers;
insert into copies (id, destination_id, content_id, state, volume_id, offset, length, frame_crc, proof, verified_at)
    select n, 1, n, 'verified', 1, n, 1, 0, 'exact', 1 from numbers
"""
"""What the ledger has of `:size` messages that were copied elsewhere, in the order in which they came."""


def _fill(folder: Path, size: int) -> None:
    """Make a ledger of messages that are elsewhere.

    By a statement for each table, since a run would take an hour for ten million. The digests come in no order, as
    they do in a run: so their index has the pages, half empty, that a run leaves.
    """
    from migrator.ledger import Ledger

    folder.mkdir()
    with closing(Ledger.open(folder)) as ledger:
        ledger.maildrop("elsewhere", "elsewhere.example.org", 110, "somebody")
        ledger.copies("mbox:elsewhere", "mbox")
    with closing(sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None)) as sql:
        for setting in ("journal_mode = off", "synchronous = off", f"cache_size = -{_FILL_CACHE_KIB}"):
            sql.execute(f"pragma {setting}")
        sql.execute("begin")
        for statement in _ELSEWHERE.split(";"):
            numbers = "with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < :size) "
            sql.execute(numbers + statement, {"size": size})
        sql.execute("commit")
        sql.execute("pragma journal_mode = wal")  # as it was


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
