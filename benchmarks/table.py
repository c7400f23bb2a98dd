"""Results: medians of interleaved repeats, and ratios to the program that a case is measured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.measure import Measured


@dataclass(frozen=True, slots=True)
class Row:
    """All repeats of one program in one case at one delay."""

    case: str
    milliseconds: int
    program: str
    messages: int
    octets: int
    runs: tuple[Measured, ...]
    fsyncs: int | None

    @property
    def rate(self) -> float:
        """Messages per second, by the median of wall times."""
        return self.messages / median(run.wall for run in self.runs)

    def as_json(self) -> dict[str, object]:
        """Return everything measured."""
        return {
            "case": self.case,
            "round_trip_ms": self.milliseconds,
            "program": self.program,
            "messages": self.messages,
            "octets": self.octets,
            "wall": [run.wall for run in self.runs],
            "cpu": [run.cpu for run in self.runs],
            "peak": [run.peak for run in self.runs],
            "fsyncs": self.fsyncs,
        }


_HEADINGS = ("case", "ms", "program", "wall s", "msg/s", "MB/s", "CPU us/msg", "RSS MB", "fsyncs", "spread", "ours is")


def print_table(rows: Sequence[Row]) -> None:
    """Print the rows of one case at one delay: ours first, and how many times as fast as each other one it is."""
    lines = [_HEADINGS, *(_cells(row, rows[0]) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    print(flush=True)


def _cells(row: Row, ours: Row) -> tuple[str, ...]:
    walls = [run.wall for run in row.runs]
    wall = median(walls)
    return (
        row.case,
        str(row.milliseconds),
        row.program,
        f"{wall:.2f}",
        f"{row.messages / wall:,.0f}",
        f"{row.octets / wall / 1e6:.1f}",
        f"{median(run.cpu for run in row.runs) / row.messages * 1e6:,.0f}",
        f"{median(run.peak for run in row.runs) / 1e6:.0f}",
        "-" if row.fsyncs is None else str(row.fsyncs),
        f"{(max(walls) - min(walls)) / wall:.0%}",
        f"{ratio(ours, row):.2f} x" if row is not ours else "",
    )


def ratio(ours: Row, other: Row) -> float:
    """Return how many times as fast as ``other`` ours is, per message: the median over rounds, each its own pair.

    What disturbs the machine for longer than a run disturbs both of a pair.
    """
    pairs = zip(ours.runs, other.runs, strict=True)
    return median((theirs.wall / other.messages) / (mine.wall / ours.messages) for mine, theirs in pairs)
