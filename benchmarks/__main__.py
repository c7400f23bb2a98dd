"""Measure mailferry beside other programs: ``make bench``, or ``python -m benchmarks --help``.

Prints each table when it is there. Every turn is kept as JSON, for ``python -m benchmarks.compare OLD NEW``. Ctrl-C
ends it at once, with what there is.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from benchmarks import machine, standing
from benchmarks.cases import CASES, Case
from benchmarks.measure import RunFailedError
from benchmarks.results import Results, Row
from benchmarks.table import print_columns, print_table
from benchmarks.targets import lines_of, outcomes
from benchmarks.work import Comparison, Extent
from benchmarks.yard import Yard
from tests.servers.dovecot import why_missing

Standing = Callable[[Yard, Extent], Iterator[Row]]

FIRST: dict[str, Standing] = {"start": standing.starts}
LAST: dict[str, Standing] = {"archive": standing.archives, "listing": standing.listing, "ledger": standing.scales}
"""What is left out first when the time is up."""


def main() -> int:
    """Do what was asked for and say what was left out; 1 if something of ours failed, 130 if it was ended early."""
    options = _options()
    if reason := why_missing():
        print(f"nothing can be measured: {reason}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    began = datetime.now(UTC)
    results = Results(f"{began:%Y-%m-%dT%H:%M:%SZ}", machine.commit(), machine.facts(options.dir), machine.versions())
    path = options.json or Path("bench-results", f"{began:%Y-%m-%d-%H%M%S}.json")
    _print_head(results)
    bench = Bench(options, results, path)
    code = 0
    try:
        bench.run()
        code = 1 if bench.has_failed else 0
    except KeyboardInterrupt:
        results.left_out.append("the rest: it was ended early")
        code = 130
    bench.keep([])
    _print_end(results, path, (datetime.now(UTC) - began).total_seconds() / 60, options.share)
    return code


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Begin to end; what comes then must not disturb the end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.write(2, b"\nending: servers stop, and the mail is removed, which may take a moment\n")  # print may be at work
    raise KeyboardInterrupt


TABLES = 20
"""What shares the time: a busy machine takes fewer turns of each rather than leave out the last."""


class Bench:
    """One run of the benchmark."""

    def __init__(self, options: argparse.Namespace, results: Results, path: Path) -> None:
        self._options, self._results, self._path = options, results, path
        self._ends = time.monotonic() + 60 * options.minutes
        self.has_failed = False

    def run(self) -> None:
        """Do one task after the other; none is begun when the time is up."""
        absent = {
            program.name: program
            for case in CASES
            for program in (*case.programs, *(slow.program for slow in case.slow))
            if not program.is_there
        }
        self._results.left_out += [f"{name}: {one.needs} is not installed" for name, one in sorted(absent.items())]
        with Yard(self._options.dir) as yard:
            for name, task in self._tasks(yard):
                if time.monotonic() > self._ends:
                    self._results.left_out.append(f"{name}: the time was up (--minutes)")
                    continue
                try:
                    task()
                except RunFailedError as error:
                    self.has_failed = True
                    self._results.left_out.append(f"{name}: {error}")
                    print(f"{name} failed: {error}\n{error.said}\n", flush=True)

    def keep(self, rows: Sequence[Row]) -> None:
        """Add rows to the results, which are in the file then."""
        self._results.rows += rows
        self._results.save(self._path)

    def _tasks(self, yard: Yard) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield what is to be done by name, what can be missed last."""
        wanted = self._options.cases or [*FIRST, *(case.name for case in CASES), *LAST]
        for name in (name for name in FIRST if name in wanted):
            yield name, partial(self._measure_alone, yard, FIRST[name])
        cases = [case.part(self._options.share) for case in CASES if case.name in wanted]
        for case in cases:
            for milliseconds in self._options.delays or case.delays:
                yield f"{case.name} at {milliseconds} ms", partial(self._compare, yard, case, milliseconds)
        for name in (name for name in LAST if name in wanted):
            yield name, partial(self._measure_alone, yard, LAST[name])

    def _measure_alone(self, yard: Yard, measure: Standing) -> None:
        rows: list[Row] = []
        try:
            rows.extend(measure(yard, self._extent(0)))
        finally:
            self._show(rows, is_compared=False)

    def _compare(self, yard: Yard, case: Case, milliseconds: int) -> None:
        comparison = Comparison(yard, case, milliseconds)
        try:
            comparison.measure(self._extent(milliseconds))
        finally:
            self._results.left_out += comparison.left_out
            self._show(comparison.filling_rows())
            self._show(comparison.rows())

    def _show(self, rows: Sequence[Row], *, is_compared: bool = True) -> None:
        if rows:
            self.keep(rows)
            print_table(rows, is_compared=is_compared)

    def _extent(self, milliseconds: int) -> Extent:
        turns = self._options.repeats or (2 if milliseconds else 3)
        ends = min(self._ends, time.monotonic() + 60 * self._options.minutes / TABLES)
        return Extent(turns, ends, self._options.share, counts_fsyncs=milliseconds == 0)


def _print_head(results: Results) -> None:
    facts = results.machine
    print(
        f"{facts['processors']} processors ({facts['processor']}), {facts['memory_mb']:,} MB; {facts['filesystem']}, "
        f"an fsync of {facts['fsync_ms']} ms; load {facts['load']}; commit {results.commit or 'unknown'}"
    )
    print(", ".join(f"{name} {version}" for name, version in results.versions.items()) + "\n", flush=True)


def _print_end(results: Results, path: Path, minutes: float, share: float) -> None:
    if reached := outcomes(results):
        if share < 1:
            print(f"on a share of {share:g} of the mail, while these are wanted of the whole:")
        print_columns(lines_of(reached), left=3)
    print(f"it took {minutes:.0f} minutes; load {os.getloadavg()[0]:.1f} at the end")
    for what in results.left_out:
        print(f"left out: {what}")
    print(f"every turn: {path}\nto compare it with another: python -m benchmarks.compare OLD {path}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*FIRST, *(case.name for case in CASES), *LAST]
    parser.add_argument("--cases", nargs="*", choices=names, default=[], help="these only")
    parser.add_argument("--delays", nargs="*", type=int, metavar="MS", help="round trips, in place of the cases' own")
    parser.add_argument("--repeats", type=int, help="turns (3, or 2 with a round trip)")
    parser.add_argument("--minutes", type=float, default=30, help="of the whole; then nothing more is begun (30)")
    parser.add_argument("--share", type=float, default=1.0, help="of the mail, for a trial: 0.01 takes two minutes")
    parser.add_argument("--dir", type=Path, help="where mail and archives are kept meanwhile")
    parser.add_argument("--json", type=Path, metavar="FILE", help="for every turn (bench-results/DATE.json)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
