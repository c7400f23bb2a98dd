"""What is wanted of mailferry, and what of it the rows of a run show (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.results import Results, Row, pairs

OURS, DRAIN, LISTING, MPOP, MBSYNC = "mailferry", "raw drain", "raw listing", "mpop", "mbsync upload"

Measure = Callable[[Results, str, int], float | None]


@dataclass(frozen=True, slots=True)
class Target:
    """One figure of one case: ``wanted`` is the least if ``is_at_least``, else the most."""

    case: str
    milliseconds: int
    what: str
    measure: Measure
    wanted: float
    unit: str
    is_at_least: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was reached."""

    target: Target
    reached: float

    @property
    def is_met(self) -> bool:
        """Whether that is enough."""
        wanted = self.target.wanted
        return self.reached >= wanted if self.target.is_at_least else self.reached <= wanted


def outcomes(results: Results) -> list[Outcome]:
    """Return what can be told of the targets by the rows that are there."""
    found = [(target, target.measure(results, target.case, target.milliseconds)) for target in TARGETS]
    return [Outcome(target, reached) for target, reached in found if reached is not None]


def lines_of(reached: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """Return a table's cells, with headings."""
    return [
        ("case", "ms", "figure", "wanted", "reached", ""),
        *(
            (
                one.target.case,
                str(one.target.milliseconds),
                one.target.what,
                f"{'at least' if one.target.is_at_least else 'at most'} {one.target.wanted:g} {one.target.unit}",
                f"{one.reached:.2f} {one.target.unit}" if one.reached < 10 else f"{one.reached:.0f} {one.target.unit}",
                "yes" if one.is_met else "MISSED",
            )
            for one in reached
        ),
    ]


def _faster_than(program: str) -> Measure:
    """How many times as fast as another program ours is."""
    return lambda results, case, ms: _median_of_pairs(results.row(case, ms, OURS), results.row(case, ms, program))


def _times_of(program: str, mine: str = OURS) -> Measure:
    """How many times the time of another program ours takes."""
    return lambda results, case, ms: _median_of_pairs(results.row(case, ms, program), results.row(case, ms, mine))


def _median_of_pairs(mine: Row | None, other: Row | None) -> float | None:
    return median(ratios) if mine and other and (ratios := pairs(mine, other)) else None


def _cpu_each(results: Results, case: str, milliseconds: int) -> float | None:
    row = results.row(case, milliseconds, OURS)
    return row.cpu_each * 1e6 if row else None


def _memory(program: str = OURS) -> Measure:
    def measure(results: Results, case: str, milliseconds: int) -> float | None:
        row = results.row(case, milliseconds, program)
        return median(run.peak for run in row.runs) / 1e6 if row else None

    return measure


def _cpu_of(program: str) -> Measure:
    def measure(results: Results, case: str, milliseconds: int) -> float | None:
        row = results.row(case, milliseconds, program)
        return median(run.cpu for run in row.runs) if row else None

    return measure


def _megabytes_a_second(program: str) -> Measure:
    def measure(results: Results, case: str, milliseconds: int) -> float | None:
        row = results.row(case, milliseconds, program)
        return row.octets / median(row.walls) / 1e6 if row else None

    return measure


_SMALL = ((0, 4.0), (20, 10.0), (100, 15.0))
TARGETS = (
    *(Target("small", ms, "beside mpop", _faster_than(MPOP), wanted, "x", is_at_least=True) for ms, wanted in _SMALL),
    *(Target("small", ms, "of the drain", _times_of(DRAIN), 1.7, "x") for ms, _ in _SMALL),
    Target("small", 0, "CPU a message", _cpu_each, 60, "us"),
    Target("office", 0, "beside mpop", _faster_than(MPOP), 1.4, "x", is_at_least=True),
    Target("office", 20, "beside mpop", _faster_than(MPOP), 1.8, "x", is_at_least=True),
    Target("large", 0, "beside mpop", _faster_than(MPOP), 1.2, "x", is_at_least=True),
    Target("huge", 0, "beside mpop", _faster_than(MPOP), 1.0, "x", is_at_least=True),
    Target("delete", 0, "beside mpop", _faster_than(MPOP), 3.5, "x", is_at_least=True),
    Target("small-tls", 0, "of the drain", _times_of(DRAIN), 1.4, "x"),
    Target("large-tls", 0, "of the drain", _times_of(DRAIN), 1.4, "x"),
    Target("relay", 20, "beside mbsync's upload", _faster_than(MBSYNC), 2.0, "x", is_at_least=True),
    Target("accounts", 0, "100 against one", _times_of(OURS, "mailferry, 100 accounts"), 1.3, "x"),
    Target("accounts", 0, "memory, 100 accounts", _memory("mailferry, 100 accounts"), 100, "MB"),
    Target("poll", 0, "of the listing", _times_of(LISTING), 1.15, "x"),
    Target("tiny", 0, "memory, 200,000 messages", _memory(), 100, "MB"),
    *(
        Target("ledger", 0, f"{size} there against 1,000", _times_of("1,000 there", f"{size} there"), 1.2, "x")
        for size in ("1,000,000", "10,000,000")
    ),
    *(
        Target("start", 0, f"{command}, CPU", _cpu_of(command), 0.1, "s")
        for command in ("status", "search", "migrate, nothing to do")
    ),
    Target("archive", 0, "verify", _megabytes_a_second("verify"), 300, "MB/s", is_at_least=True),
    Target("archive", 0, "rebuild-ledger", _megabytes_a_second("rebuild-ledger"), 80, "MB/s", is_at_least=True),
)
