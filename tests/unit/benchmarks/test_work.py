from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import cast

import pytest

from benchmarks.cases import CASES, Case, Slow, Work
from benchmarks.measure import Command, RunFailedError
from benchmarks.programs import Job, Place, Program
from benchmarks.work import Comparison, Extent
from benchmarks.yard import Stock, Yard

MESSAGES = 40
PROVEN = f"""print('{{"accounts": [{{"verified": {MESSAGES}}}]}}')"""


@dataclass
class Desk:
    """A yard without servers: programs store what they are told to."""

    folder: Path

    def __post_init__(self) -> None:
        self.numbers = count(1)

    def stock(self, corpus: str, messages: int, *, of: int) -> Stock:
        return Stock(corpus, messages, 100 * messages)

    @contextmanager
    def run_folder(self) -> Iterator[Path]:
        made = self.folder / str(next(self.numbers))
        made.mkdir()
        yield made

    @contextmanager
    def source(self, stock: Stock, milliseconds: int, *, is_encrypted: bool) -> Iterator[Place]:
        yield Place(110, stock.user, "secret")


def program(name: str, script: str, *, is_ours: bool = False) -> Program:
    def command(job: Job) -> Command:
        return Command([sys.executable, "-c", f"folder = {str(job.folder)!r}\n{script}"])

    return Program(name, command, "nothing", is_ours=is_ours)


def stores(octets: int) -> str:
    return f"open(folder + '/archive', 'wb').write(bytes({octets}))"


def comparison(folder: Path, *programs: Program, slow: tuple[Slow, ...] = ()) -> Comparison:
    case = Case("small", "small", MESSAGES, Work.FETCH, programs, slow)
    return Comparison(cast("Yard", Desk(folder)), case, 0)


def extent(turns: int = 3, *, minutes: float = 5) -> Extent:
    return Extent(turns, time.monotonic() + 60 * minutes, counts_fsyncs=False)


OURS = program("mailferry", PROVEN, is_ours=True)


def test_each_program_takes_its_turns(tmp_path: Path) -> None:
    measured = comparison(tmp_path, OURS, slow=(Slow(program("loop", stores(1_000)), 10),))
    measured.measure(extent())
    assert [(row.program, row.messages, row.octets, len(row.runs)) for row in measured.rows()] == [
        ("mailferry", 40, 4_000, 3),
        ("loop", 10, 1_000, 3),
    ]


def test_a_program_that_fails_keeps_its_turns_and_disturbs_no_other(tmp_path: Path) -> None:
    twice = f"import sys\nif folder.endswith('/4'): print('no'); sys.exit(1)\n{stores(4_000)}"
    measured = comparison(tmp_path, OURS, program("getmail6", twice))
    measured.measure(extent())
    assert [(row.program, len(row.runs)) for row in measured.rows()] == [("mailferry", 3), ("getmail6", 1)]
    [said] = measured.left_out
    assert said.startswith("getmail6 in small at 0 ms, turn 2: python")


def test_a_program_that_stores_too_little_has_no_figure(tmp_path: Path) -> None:
    measured = comparison(tmp_path, OURS, program("hasty", stores(3_000)))
    measured.measure(extent())
    assert [row.program for row in measured.rows()] == ["mailferry"]
    assert measured.left_out == ["hasty in small at 0 ms: it stored 3,000 of 4,000 bytes"]


@pytest.mark.parametrize("script", [PROVEN.replace("40", "39"), "print('nothing')"])
def test_ours_must_prove_every_message(tmp_path: Path, script: str) -> None:
    measured = comparison(tmp_path, program("mailferry", script, is_ours=True))
    with pytest.raises(RunFailedError):
        measured.measure(extent())
    assert measured.rows() == []


def test_no_turn_but_the_first_begins_when_the_time_is_up(tmp_path: Path) -> None:
    measured = comparison(tmp_path, OURS)
    measured.measure(extent(minutes=0))
    assert [len(row.runs) for row in measured.rows()] == [1]


def test_a_trial_has_a_part_of_each_case() -> None:
    parts = [case.part(0.001) for case in CASES]
    assert all(part.messages >= 1 and part.programs == case.programs for part, case in zip(parts, CASES, strict=True))
    assert parts[0].messages == 20
    assert parts[0].slow[0].messages(0) == 4
