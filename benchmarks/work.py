"""Doing a case: the programs in turn, A B C A B C, each run in a folder of its own, and each result looked at."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cases import Case, Work
from benchmarks.measure import (
    Command,
    Measured,
    RunFailedError,
    count_fsyncs,
    has_strace,
    run,
    run_until,
    with_slow_disk,
)
from benchmarks.programs import LISTING, Job, Program
from benchmarks.results import Row
from benchmarks.yard import Stock, Yard

RUN_LIMIT = 300.0
"""Seconds after which a run is ended, and counts as failed."""
FILL_LIMIT = 900.0
"""The same for the fetch of all messages before the polls."""


@dataclass(slots=True)
class _Entry:
    """One program in a case, with its own number of messages and what has been measured so far."""

    program: Program
    stock: Stock
    users: tuple[str, ...] = ()
    runs: list[Measured] = field(default_factory=list)
    fsyncs: int | None = None
    filling: Measured | None = None
    """The fetch before the polls."""
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured: turns, of which none but the first is begun after ``ends``, and which share of the mail."""

    turns: int
    ends: float
    share: float = 1.0
    counts_fsyncs: bool = True

    def begun_turns(self, most: int = 0) -> Iterator[int]:
        """Count the turns (or ``most``, if given) that may begin."""
        for turn in range(most or self.turns):
            if turn and self.is_over:
                return
            yield turn

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.ends


class Comparison:
    """A case at one delay. What is measured so far is there at any time, however the rest ends."""

    def __init__(self, yard: Yard, case: Case, milliseconds: int) -> None:
        self._yard, self._case, self._milliseconds = yard, case, milliseconds
        self._entries: list[_Entry] = []
        self.left_out: list[str] = []

    def measure(self, extent: Extent) -> None:
        """Take all turns; RunFailedError if ours fails. Another program that fails keeps the turns before that."""
        if self._case.fsync is not None and not has_strace():
            raise RunFailedError("strace, which makes the disk slow, is not installed")
        self._entries = [
            _entry(self._yard, self._case, program, messages)
            for program, messages in _wanted(self._case, self._milliseconds)
        ]
        if self._case.work is Work.POLL:
            self._poll(extent)
        else:
            self._take_turns(extent)

    def rows(self) -> list[Row]:
        """Return a row for each program that has done its work at least once."""
        return [self._row(entry, self._case.name, entry.runs, entry.fsyncs) for entry in self._entries if entry.runs]

    def filling_rows(self) -> list[Row]:
        """Return what fetching everything took before the polls."""
        name = self._case.corpus
        return [self._row(entry, name, [entry.filling], None) for entry in self._entries if entry.filling]

    def _row(self, entry: _Entry, name: str, runs: Sequence[Measured], fsyncs: int | None) -> Row:
        case, stock = self._case, entry.stock
        messages, octets = (1, 0) if case.work is Work.FIRST else (stock.messages, stock.octets)
        return Row(
            name, self._milliseconds, entry.program.name, messages, octets, tuple(runs), fsyncs, case.is_by_octets
        )

    def _take_turns(self, extent: Extent) -> None:
        for _ in extent.begun_turns():
            for entry in self._able():
                with self._or_left_out(entry), self._task(entry, self._milliseconds) as (job, command):
                    entry.runs.append(self._measured(entry, job, command))
        if not extent.counts_fsyncs or self._case.work is Work.FIRST or self._case.fsync is not None:
            return
        for entry in self._able():
            if not extent.is_over:
                with self._or_left_out(entry), self._task(entry, 0) as (job, command):
                    entry.fsyncs = count_fsyncs(command, job.folder / "log", RUN_LIMIT)

    def _measured(self, entry: _Entry, job: Job, command: Command) -> Measured:
        log = job.folder / "log"
        if self._case.work is Work.FIRST:
            return run_until(command, log, lambda: entry.program.has_answered(job.folder), RUN_LIMIT)
        if self._case.fsync is not None:
            command = with_slow_disk(command, self._case.fsync)
        measured = run(command, log, RUN_LIMIT)
        _check(self._yard, self._case, entry, job)
        return measured

    def _poll(self, extent: Extent) -> None:
        """Let each program fetch everything once; what is measured is that it then finds nothing new."""
        with ExitStack() as stack:
            tasks: list[tuple[_Entry, Path, Command]] = []
            for entry in self._able():
                with self._or_left_out(entry):
                    job, command = stack.enter_context(self._task(entry, self._milliseconds))
                    filling = run(command, job.folder / "log", FILL_LIMIT)
                    entry.filling = None if entry.program is LISTING else filling
                    tasks.append((entry, job.folder / "log", command))
            for _ in extent.begun_turns():
                for entry, log, command in tasks:
                    if not entry.has_failed:
                        with self._or_left_out(entry):
                            entry.runs.append(run(command, log, RUN_LIMIT))
            for entry, log, command in tasks if extent.counts_fsyncs else ():
                if not entry.has_failed and not extent.is_over:
                    with self._or_left_out(entry):
                        entry.fsyncs = count_fsyncs(command, log, RUN_LIMIT)

    def _able(self) -> list[_Entry]:
        """Return those that have not failed so far."""
        return [entry for entry in self._entries if not entry.has_failed]

    @contextmanager
    def _or_left_out(self, entry: _Entry) -> Iterator[None]:
        """Give no more turns to a program that fails, and print what it said; a failure of ours is for the caller."""
        try:
            yield
        except RunFailedError as error:
            if entry.program.is_ours:
                raise
            entry.has_failed = True
            turns = f", turn {len(entry.runs) + 1}" if entry.runs else ""
            where = f"{entry.program.name} in {self._case.name} at {self._milliseconds} ms{turns}"
            self.left_out.append(f"{where}: {error}")
            print(f"{self.left_out[-1]}\n{error.said}", flush=True)

    @contextmanager
    def _task(self, entry: _Entry, milliseconds: int) -> Iterator[tuple[Job, Command]]:
        """Yield a job in its own folder, and the command that does it."""
        yard, case = self._yard, self._case
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
            job = Job(
                source,
                folder,
                target,
                deletes=case.work is Work.DELETE,
                users=entry.users,
                talks=case.work is Work.FIRST,
            )
            yield job, entry.program.command(job)


def _wanted(case: Case, milliseconds: int) -> list[tuple[Program, int]]:
    """Return who takes part, with the number of messages."""
    all_of_it = [(program, case.messages) for program in case.programs]
    less = [(slow.program, slow.messages(milliseconds)) for slow in case.slow]
    return [(program, messages) for program, messages in (*all_of_it, *less) if messages and program.is_there]


def _entry(yard: Yard, case: Case, program: Program, messages: int) -> _Entry:
    if program.accounts == 1:
        return _Entry(program, yard.stock(case.corpus, messages, of=case.messages))
    stocks = yard.spread(messages, program.accounts)
    whole = Stock(stocks[0].user, sum(stock.messages for stock in stocks), sum(stock.octets for stock in stocks))
    return _Entry(program, whole, tuple(stock.user for stock in stocks))


def _check(yard: Yard, case: Case, entry: _Entry, job: Job) -> None:
    """See that the work was done."""
    if entry.program.is_ours:
        _check_report((job.folder / "log").read_text(), entry.stock.messages)
    elif case.work in {Work.FETCH, Work.DELETE}:
        stored = max(path.stat().st_size for path in job.folder.iterdir() if path.is_file())
        if stored < entry.stock.octets * 0.95:
            raise RunFailedError(f"it stored {stored:,} of {entry.stock.octets:,} bytes")
    if case.work is Work.DELETE and (left := yard.left(Stock(job.source.user, 0, 0))):
        raise RunFailedError(f"it left {left:,} messages")


def _check_report(said: str, messages: int) -> None:
    try:
        document, _ = json.JSONDecoder().raw_decode(said, said.index("{"))  # among what it says to people
    except ValueError as error:
        raise RunFailedError("it reported nothing", said[-2_000:]) from error
    proven = sum(account["verified"] for account in document["accounts"])
    if proven != messages:
        raise RunFailedError(f"{proven:,} of {messages:,} messages were proven", said[:500])
