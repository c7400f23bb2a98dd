"""Doing a case: the programs in turn, A B C A B C, each run in a folder of its own, and each result looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from benchmarks.cases import Case, Work
from benchmarks.measure import Command, Measured, RunFailedError, count_fsyncs, run
from benchmarks.programs import OURS, SPREAD, Job, Program
from benchmarks.table import Row
from benchmarks.yard import Stock, Yard

RUN_LIMIT = 900.0
"""Seconds after which a run is ended, and counts as failed."""


@dataclass(slots=True)
class _Entry:
    """One program in a case, with its own number of messages and what has been measured so far."""

    program: Program
    stock: Stock
    users: tuple[str, ...] = ()
    runs: list[Measured] = field(default_factory=list)
    fsyncs: int | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured of each case."""

    repeats: int = 3
    with_slow: bool = False
    with_fsyncs: bool = True


def measure(yard: Yard, case: Case, milliseconds: int, extent: Extent) -> list[Row]:
    """Run all programs of a case by turns; a program that fails ends the benchmark, since its figure would be wrong."""
    programs = [p for p in (*case.programs, *(case.slow if extent.with_slow else ())) if p.is_there]
    entries = [_entry(yard, case, program) for program in programs]
    in_turns = _poll_in_turns if case.work is Work.POLL else _in_turns
    in_turns(yard, case, milliseconds, entries, extent)
    return [
        Row(case.name, milliseconds, e.program.name, e.stock.messages, e.stock.octets, tuple(e.runs), e.fsyncs)
        for e in entries
    ]


def _entry(yard: Yard, case: Case, program: Program) -> _Entry:
    messages = max(1, int(case.messages * program.share))
    if program.accounts == 1:
        return _Entry(program, yard.stock(case.corpus, messages))
    stocks = yard.spread(messages, program.accounts)
    whole = Stock(stocks[0].user, sum(stock.messages for stock in stocks), sum(stock.octets for stock in stocks))
    return _Entry(program, whole, tuple(stock.user for stock in stocks))


def _in_turns(yard: Yard, case: Case, milliseconds: int, entries: list[_Entry], extent: Extent) -> None:
    for _ in range(extent.repeats):
        for entry in entries:
            with _task(yard, case, entry, milliseconds) as (job, command):
                measured = run(command, job.folder / "log", RUN_LIMIT)
                _check(yard, case, entry, job)
                entry.runs.append(measured)
    for entry in entries if extent.with_fsyncs else ():
        with _task(yard, case, entry, 0) as (job, command):
            entry.fsyncs = count_fsyncs(command, job.folder / "log", RUN_LIMIT)


def _poll_in_turns(yard: Yard, case: Case, milliseconds: int, entries: list[_Entry], extent: Extent) -> None:
    """Let each program fetch everything once, uncounted; what is measured is that it then finds nothing new."""
    with ExitStack() as stack:
        tasks = []
        for entry in entries:
            job, command = stack.enter_context(_task(yard, case, entry, milliseconds))
            run(command, job.folder / "log", RUN_LIMIT)
            tasks.append((entry, job, command))
        for _ in range(extent.repeats):
            for entry, job, command in tasks:
                entry.runs.append(run(command, job.folder / "log", RUN_LIMIT))
        for entry, job, command in tasks if extent.with_fsyncs else ():
            entry.fsyncs = count_fsyncs(command, job.folder / "log", RUN_LIMIT)


@contextmanager
def _task(yard: Yard, case: Case, entry: _Entry, milliseconds: int) -> Iterator[tuple[Job, Command]]:
    """Yield a job in its own folder, and the command that does it."""
    with ExitStack() as stack:
        stock = entry.stock
        if case.work is Work.DELETE:
            stock = yard.clone(stock)
            stack.callback(yard.remove, stock)
        folder = stack.enter_context(yard.run_folder())
        source = stack.enter_context(yard.source(stock, milliseconds, is_encrypted=case.is_encrypted))
        target = None
        if case.work is Work.RELAY:
            target, _ = stack.enter_context(yard.target(case.backend, milliseconds))
            yard.near(stock, folder / "near")
        job = Job(source, folder, target, deletes=case.work is Work.DELETE, users=entry.users)
        yield job, entry.program.command(job)


def _check(yard: Yard, case: Case, entry: _Entry, job: Job) -> None:
    """See that the work was done."""
    if entry.program in {OURS, SPREAD}:
        _check_report((job.folder / "log").read_text(), entry.stock.messages)
    elif case.work in {Work.FETCH, Work.DELETE}:
        brought = max(path.stat().st_size for path in job.folder.iterdir() if path.is_file())
        if brought < entry.stock.octets * 0.95:
            raise RunFailedError(f"{entry.program.name} brought {brought} of {entry.stock.octets} bytes")
    if case.work is Work.DELETE and (left := yard.left(Stock(job.source.user, 0, 0))):
        raise RunFailedError(f"{entry.program.name} left {left} messages")


def _check_report(said: str, messages: int) -> None:
    document, _ = json.JSONDecoder().raw_decode(said, said.index("{"))  # among what it says to people
    accounts = document["accounts"]
    proven = sum(account["verified"] for account in accounts)
    if proven != messages:
        raise RunFailedError(f"{proven} of {messages} messages were proven: {said[:500]}")
