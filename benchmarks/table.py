"""Results as a table: medians, what lies between the turns, and ratios to ours and to the limit."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.results import Row, pairs

OURS = "mailferry"
"""What the name of a row of ours begins with; ours is the first row of a table."""
LIMITS = frozenset({"raw drain", "raw listing"})
"""What nothing can be faster than: the server and the socket."""

_HEADINGS = (
    *("case", "ms", "program", "messages", "wall s", "msg/s", "MB/s", "CPU us/msg", "RSS MB", "fsyncs"),
    *("turns", "spread", "ours is", "of drain"),
)


def print_table(rows: Sequence[Row], *, is_compared: bool = True) -> None:
    """Print the rows of one case at one delay, ours first; for other rows how many times as fast as it ours is.

    ``of drain`` is how many times the limit's time a program takes.
    """
    print_columns([_HEADINGS, *(_cells(row, rows if is_compared else ()) for row in rows)])


def print_columns(lines: Sequence[Sequence[str]], left: int = 0) -> None:
    """Print lines of cells below one another, and a blank line; the first ``left`` columns begin at the left."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    print(flush=True)


def _cells(row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    wall = median(row.walls)
    others = [one for one in rows if one is not row]
    ours = next((one for one in others[:1] if one is rows[0] and one.program.startswith(OURS)), None)
    limit = next((one for one in others if one.program in LIMITS), None)
    peak = median(run.peak for run in row.runs)
    return (
        row.case,
        str(row.milliseconds),
        row.program,
        f"{row.messages:,}",
        f"{wall:.3f}" if wall < 1 else f"{wall:.2f}",
        f"{row.messages / wall:,.0f}" if row.octets else "-",
        f"{row.octets / wall / 1e6:.1f}" if row.octets else "-",
        f"{row.cpu_each * 1e6:,.0f}",
        f"{peak / 1e6:.0f}" if peak else "-",
        "-" if row.fsyncs is None else str(row.fsyncs),
        str(len(row.runs)),
        spread(row.walls),
        times(pairs(ours, row)) if ours else "",
        times(pairs(limit, row)) if limit else "",
    )


def spread(values: Sequence[float]) -> str:
    """Say how far the slowest turn is from the fastest, in parts of the median."""
    return f"{(max(values) - min(values)) / median(values):.0%}" if len(values) > 1 else "-"


def times(ratios: Sequence[float]) -> str:
    """Say the median of ratios."""
    return f"{median(ratios):.2f} x" if ratios else ""
