"""Every number that does not add up is said, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from hashlib import sha256

import pytest

from migrator.archive.reader import Unreachable
from migrator.archive.verification import Verification
from migrator.demo.outcome import Comparison, DemoOutcome
from migrator.demo.samples import Sample
from migrator.errors import FerryError, Kind
from migrator.report import AccountReport, Problem, Status

SENT = [Sample("one", b"1\r\n"), Sample("two", b"2\r\n"), Sample("two again", b"2\r\n")]
GOOD = AccountReport("office", listed=3, copied=2, duplicates=1, verified=3, deleted=3)
ONE, TWO, OTHER = (sha256(content).digest() for content in (b"1\r\n", b"2\r\n", b"3\r\n"))


def problems_of(report: AccountReport, *, left: int = 0, is_repeat: bool = False) -> list[str]:
    outcome = DemoOutcome(SENT)
    outcome.ran(report, listed=3, left=left, is_repeat=is_repeat)
    return outcome.problems


def test_a_run_that_adds_up_is_no_problem() -> None:
    assert problems_of(GOOD) == []
    assert problems_of(replace(GOOD, copied=0, duplicates=1, known=2), is_repeat=True) == []


@pytest.mark.parametrize(
    ("report", "left"),
    [
        (replace(GOOD, listed=2), 0),
        (replace(GOOD, copied=1), 0),
        (replace(GOOD, copied=1, failed=1), 0),
        (replace(GOOD, deleted=2), 0),
        (GOOD, 1),
    ],
)
def test_a_run_that_does_not_add_up_is_told_with_its_numbers(report: AccountReport, left: int) -> None:
    safe = report.copied + report.duplicates
    [problem] = problems_of(report, left=left)
    assert problem == (
        f"of 3 messages {report.listed} were listed, {safe} are safe, {report.deleted} were deleted "
        f"and {left} are left on the server"
    )


def test_a_run_that_was_not_well_brings_its_own_problems() -> None:
    report = replace(GOOD, status=Status.PARTIAL, problems=[Problem(Kind.TEMPORARY, "the server is tired")])
    assert problems_of(report) == ["[temporary] the server is tired"]


def test_copying_in_a_repeat_is_a_problem() -> None:
    assert problems_of(GOOD, is_repeat=True) == ["copied a second time: 2 messages"]


def test_an_interrupted_run_is_none() -> None:
    outcome = DemoOutcome(SENT)
    outcome.ran(AccountReport("office", interrupted=True), listed=3, left=3, is_repeat=False)
    assert outcome.problems == []
    assert outcome.is_interrupted


def test_damage_that_verify_finds_is_a_problem() -> None:
    outcome = DemoOutcome(SENT)
    gone = Unreachable(("office",), "mbox x", FerryError(Kind.ARCHIVE, "the folder is not there"))
    outcome.verified(Verification(checked=3, ok=3))
    assert outcome.problems == []
    outcome.verified(Verification(checked=3, ok=2, unreachable=[gone]))
    assert outcome.problems == ["damaged in the archive: 1 message", "the folder is not there"]


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ({ONE: 1, TWO: 1}, Comparison(equal=2, missing=0, doubled=0, others=0)),
        ({ONE: 1}, Comparison(equal=1, missing=1, doubled=0, others=0)),
        ({ONE: 1, TWO: 2}, Comparison(equal=2, missing=0, doubled=1, others=0)),
        ({ONE: 1, TWO: 1, OTHER: 3}, Comparison(equal=2, missing=0, doubled=0, others=3)),
        ({}, Comparison(equal=0, missing=2, doubled=0, others=0)),
    ],
)
def test_the_archive_is_held_against_what_was_sent(stored: dict[bytes, int], found: Comparison) -> None:
    assert Comparison.of(SENT, Counter(stored)) == found


@pytest.mark.parametrize(
    ("found", "before", "problems"),
    [
        (Comparison(2, 0, 0, 0), 0, []),
        (Comparison(2, 0, 0, 3), 3, []),
        (Comparison(1, 1, 0, 0), 0, ["not in the archive: 1 message"]),
        (Comparison(2, 0, 1, 0), 0, ["more than once in the archive: 1 message"]),
        (Comparison(2, 0, 0, 3), 1, ["in the archive, though nobody sent it: 2 messages"]),
    ],
)
def test_what_differs_is_told(found: Comparison, before: int, problems: list[str]) -> None:
    outcome = DemoOutcome(SENT)
    outcome.compared(found, before=before)
    assert outcome.problems == problems
