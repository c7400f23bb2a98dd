"""Measure mailferry beside other programs: ``make bench``, or ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.latency import best_line
from benchmarks.table import Row, print_table
from benchmarks.work import Extent, measure
from benchmarks.yard import Yard


def main() -> None:
    """Run the cases asked for, print each when it is done, and say what was left out."""
    options = _options()
    line = best_line()
    print(f"{platform.machine()}, Python {platform.python_version()}; long lines by {line.name}\n")
    ends = time.monotonic() + 60 * options.minutes
    rows: list[Row] = []
    left_out: list[str] = []
    with Yard(line, options.dir) as yard:
        for case in (case for case in CASES if not options.cases or case.name in options.cases):
            for milliseconds in options.delays:
                if time.monotonic() > ends:
                    left_out.append(f"{case.name} at {milliseconds} ms: the time was up")
                    continue
                extent = Extent(options.repeats, with_slow=options.all, with_fsyncs=milliseconds == 0)
                measured = measure(yard, case, milliseconds, extent)
                rows += measured
                print_table(measured)
    if options.json:
        options.json.write_text(json.dumps([row.as_json() for row in rows], indent=1))
    for what in left_out:
        print(f"left out: {what}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--cases", nargs="*", choices=[case.name for case in CASES], default=[])
    parser.add_argument("--delays", nargs="*", type=int, default=[0], metavar="MS", help="round trips, in milliseconds")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=30, help="after so many nothing more is begun")
    parser.add_argument("--all", action="store_true", help="the slow programs too")
    parser.add_argument("--dir", type=Path, help="where mail and archives are kept meanwhile")
    parser.add_argument("--json", type=Path, help="a file for every figure")
    return parser.parse_args()


if __name__ == "__main__":
    main()
