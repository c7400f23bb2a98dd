from __future__ import annotations

import pytest

from benchmarks.cases import CASES
from benchmarks.measure import Measured
from benchmarks.results import Results, Row
from benchmarks.table import print_table
from benchmarks.targets import TARGETS, lines_of, outcomes

FIRST_AND_LAST = {"start", "archive", "ledger", "tiny"}
"""What has rows without being a case."""


def results(*rows: Row) -> Results:
    return Results("", "", {}, {}, [*rows])


def row(case: str, program: str, wall: float, cpu: float = 0.0, peak: int = 0) -> Row:
    return Row(case, 0, program, 20_000, 100_000_000, (Measured(wall, cpu, 0.0, peak),) * 3)


OURS, DRAIN, MPOP = row("small", "mailferry", 1.0, 1.3), row("small", "raw drain", 0.5), row("small", "mpop", 5.0)


def test_every_target_is_of_a_case_and_a_delay_that_are_measured() -> None:
    delays = {case.name: case.delays for case in CASES} | dict.fromkeys(FIRST_AND_LAST, (0,))
    assert [target for target in TARGETS if target.milliseconds not in delays.get(target.case, ())] == []


def test_only_what_was_measured_is_judged() -> None:
    assert [one.target.case for one in outcomes(results(OURS, MPOP))] == ["small", "small"]
    assert outcomes(results(DRAIN, MPOP)) == []


def test_what_is_missed_is_said() -> None:
    _, *lines = lines_of(outcomes(results(OURS, DRAIN, MPOP)))
    assert lines == [
        ("small", "0", "beside mpop", "at least 4 x", "5.00 x", "yes"),
        ("small", "0", "of the drain", "at most 1.7 x", "2.00 x", "MISSED"),
        ("small", "0", "CPU a message", "at most 60 us", "65 us", "MISSED"),
    ]


def test_memory_and_rates_are_judged() -> None:
    tiny = row("tiny", "mailferry", 1.0, peak=99_000_000)
    verify = row("archive", "verify", 1.0)
    assert [(one.reached, one.is_met) for one in outcomes(results(tiny, verify))] == [(99.0, True), (100.0, False)]


def test_the_table_names_ours_beside_others_and_the_drain(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([OURS, DRAIN, MPOP])
    _, ours, drain, mpop, *_ = capsys.readouterr().out.splitlines()
    assert ours.split()[-2:] == ["2.00", "x"]
    assert drain.split()[-3:] == ["0%", "0.50", "x"]
    assert mpop.split()[-4:] == ["5.00", "x", "10.00", "x"]


def test_a_table_without_ours_compares_nothing_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C came before the first turn of ours was over."""
    print_table([DRAIN, MPOP])
    _, _, mpop, *_ = capsys.readouterr().out.splitlines()
    assert mpop.split()[-3:] == ["0%", "10.00", "x"]
