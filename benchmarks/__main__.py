"""Measure mailferry beside other programs: ``make bench``, or ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import json
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks import standing
from benchmarks.cases import CASES, Case
from benchmarks.latency import best_line
from benchmarks.table import Row, print_table
from benchmarks.work import Extent, measure
from benchmarks.yard import Yard

STANDING: dict[str, Callable[[Yard, int], None]] = {
    "start": standing.starts,
    "scale": standing.scales,
    "listing": standing.listing,
}


def main() -> None:
    """Do what was asked for, print each result when it is there, and say what was left out."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that servers end and files go
    line = best_line()
    print(f"{platform.machine()}, Python {platform.python_version()}; long lines by {line.name}\n", flush=True)
    absent = sorted({p.name for case in CASES for p in (*case.programs, *case.slow) if not p.is_there})
    left_out = [f"{name}: not installed" for name in absent]
    if not options.all:
        left_out.append("poplib script, fetchmail and getmail6: they take minutes (--all)")
    ends = time.monotonic() + 60 * options.minutes
    rows: list[Row] = []
    with Yard(line, options.dir) as yard:
        for name, task in _tasks(yard, options, rows):
            if time.monotonic() > ends:
                left_out.append(f"{name}: the time was up (--minutes)")
            else:
                task()
    if options.json:
        options.json.write_text(json.dumps([row.as_json() for row in rows], indent=1))
    for what in left_out:
        print(f"left out: {what}")


def _tasks(yard: Yard, options: argparse.Namespace, rows: list[Row]) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield what is to be done by name, short delays first."""
    wanted = options.cases or [*STANDING, *(case.name for case in CASES)]
    for name in (name for name in STANDING if name in wanted):
        yield name, partial(STANDING[name], yard, options.repeats)
    delays = {case.name: options.delays or case.delays for case in CASES}
    for milliseconds in sorted({delay for some in delays.values() for delay in some}):
        extent = Extent(options.repeats, with_slow=options.all, with_fsyncs=milliseconds == 0)
        for case in (case for case in CASES if case.name in wanted and milliseconds in delays[case.name]):
            yield f"{case.name} at {milliseconds} ms", partial(_compare, yard, case, milliseconds, extent, rows)


def _compare(yard: Yard, case: Case, milliseconds: int, extent: Extent, rows: list[Row]) -> None:
    measured = measure(yard, case, milliseconds, extent)
    print_table(measured)
    rows += measured


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [*STANDING, *(case.name for case in CASES)]
    parser.add_argument("--cases", nargs="*", choices=names, default=[], help="these only")
    parser.add_argument("--delays", nargs="*", type=int, metavar="MS", help="round trips, in place of the cases' own")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=30, help="after so many nothing more is begun")
    parser.add_argument("--all", action="store_true", help="the slow programs too")
    parser.add_argument("--dir", type=Path, help="where mail and archives are kept meanwhile")
    parser.add_argument("--json", type=Path, help="a file for every figure")
    return parser.parse_args()


if __name__ == "__main__":
    main()
