"""Two runs of the benchmark side by side: what has changed, and what lies within the noise.

    python -m benchmarks.compare OLD.json NEW.json

A figure has changed only if its turns do not overlap: the slowest of one run is faster than the fastest of the other.
By chance alone that happens with three turns each once in ten figures, with five once in 126. The second table compares
ours with each other program turn by turn, within one run, which a machine that is slower today does not change.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from statistics import median

from benchmarks.results import Results, ResultsError, Row, load, pairs
from benchmarks.table import OURS, print_columns, spread


class Change(Enum):
    """What two groups of turns say about a figure."""

    LESS = "less"
    MORE = "more"
    NOISE = "within the noise"
    UNKNOWN = "one turn: unknown"


def change(old: Sequence[float], new: Sequence[float]) -> Change:
    """Say whether a figure has changed."""
    if min(len(old), len(new)) < 2:
        return Change.UNKNOWN
    if max(new) < min(old):
        return Change.LESS
    return Change.MORE if min(new) > max(old) else Change.NOISE


def main() -> int:
    """Print what two files tell; 2 if one holds no results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    options = parser.parse_args()
    try:
        old, new = load(options.old), load(options.new)
    except ResultsError as error:
        print(error, file=sys.stderr)
        return 2
    for line in differences(old, new):
        print(line)
    print()
    print_columns(figures(old, new), left=3)
    if len(beside := ratios(old, new)) > 1:
        print_columns(beside, left=3)
    return 0


def differences(old: Results, new: Results) -> Iterator[str]:
    """Say of which commits they are, and what else was not the same."""
    yield f"old: {old.commit or 'unknown'}, {old.began}    new: {new.commit or 'unknown'}, {new.began}"
    for before, now in ((old.machine, new.machine), (old.versions, new.versions)):
        yield from _differing(before, now)
    known = {_key(row) for row in old.rows}
    for title, one, other in (("old", old, new), ("new", new, old)):
        keys = {_key(row) for row in other.rows}
        if alone := [f"{row.case} {row.milliseconds} ms {row.program}" for row in one.rows if _key(row) not in keys]:
            yield f"only in the {title} one: {'; '.join(alone)}"
    unequal = [row for row in new.rows if _key(row) in known and not _both(old, row)]
    if unequal:
        names = "; ".join(f"{row.case} {row.milliseconds} ms {row.program}" for row in unequal)
        yield f"not compared, since the mail is not the same: {names}"


def _differing(before: Mapping[str, str | float], now: Mapping[str, str | float]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield f"{name}: {before.get(name, '-')} -> {now.get(name, '-')}"


def figures(old: Results, new: Results) -> list[tuple[str, ...]]:
    """Return the cells of a table of wall time and CPU, with headings."""
    headings = ("case", "ms", "program", "wall s: old", "new", "new/old", "spread", "wall", "CPU us/msg: old", "new")
    return [(*headings, "new/old", "CPU"), *(_figures(*both) for both in _pairs(old, new))]


def _figures(old: Row, new: Row) -> tuple[str, ...]:
    walls = old.walls, new.walls
    cpus = [run.cpu for run in old.runs], [run.cpu for run in new.runs]
    words = {Change.LESS: "faster", Change.MORE: "SLOWER"}
    return (
        *(new.case, str(new.milliseconds), new.program),
        *(f"{median(each):.3f}" for each in walls),
        _quotient(*walls),
        f"{spread(old.walls)}, {spread(new.walls)}",
        words.get(change(*walls), change(*walls).value),
        *(f"{row.cpu_each * 1e6:,.0f}" for row in (old, new)),
        _quotient(*cpus),
        change(*cpus).value,
    )


def _quotient(old: Sequence[float], new: Sequence[float]) -> str:
    return f"{median(new) / median(old):.2f} x" if median(old) else "-"


def ratios(old: Results, new: Results) -> list[tuple[str, ...]]:
    """Return the cells of a table of how many times as fast as others ours is, with headings."""
    lines: list[tuple[str, ...]] = [("case", "ms", "ours is, beside", "old", "new", "spread", "")]
    for ours_then, ours_now in _pairs(old, new):
        if not ours_now.program.startswith(OURS):
            continue
        for then, now in _pairs(old, new):
            is_other = _key(now)[:2] == _key(ours_now)[:2] and not now.program.startswith(OURS)
            before, after = pairs(ours_then, then), pairs(ours_now, now)
            if is_other and before and after:
                words = {Change.LESS: "SLOWER", Change.MORE: "faster"}
                lines.append(
                    (
                        *(now.case, str(now.milliseconds), now.program),
                        *(f"{median(each):.2f} x" for each in (before, after)),
                        f"{spread(before)}, {spread(after)}",
                        words.get(change(before, after), change(before, after).value),
                    )
                )
    return lines


def _pairs(old: Results, new: Results) -> Iterator[tuple[Row, Row]]:
    """Yield the rows that are in both and did the same work."""
    for row in new.rows:
        if before := _both(old, row):
            yield before, row


def _both(old: Results, row: Row) -> Row | None:
    before = old.row(*_key(row))
    return before if before and (before.messages, before.octets) == (row.messages, row.octets) else None


def _key(row: Row) -> tuple[str, int, str]:
    return row.case, row.milliseconds, row.program


if __name__ == "__main__":
    sys.exit(main())
