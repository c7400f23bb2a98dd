from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.compare import Change, change, differences, figures, main, ratios
from benchmarks.measure import Measured
from benchmarks.results import Results, Row


def row(program: str, walls: Sequence[float], *, messages: int = 100, case: str = "small") -> Row:
    return Row(case, 0, program, messages, 1_000, tuple(Measured(wall, wall / 2, 0.0, 1) for wall in walls))


def results(*rows: Row, commit: str = "abc", mpop: str = "1.4.18") -> Results:
    return Results("2026-11-30", commit, {"processors": 2}, {"mpop": mpop}, [*rows])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ([3, 4, 5], [1, 2, 2.9], Change.LESS),
        ([3, 4, 5], [1, 2, 3], Change.NOISE),
        ([3, 4, 5], [3, 4, 5], Change.NOISE),
        ([3, 4, 5], [1, 9, 9], Change.NOISE),
        ([3, 4, 5], [5.1, 6, 7], Change.MORE),
        ([3, 4, 5], [5, 6, 7], Change.NOISE),
        ([3], [1, 1, 1], Change.UNKNOWN),
        ([3, 3, 3], [1], Change.UNKNOWN),
    ],
)
def test_a_change_is_one_whose_turns_do_not_overlap(old: list[float], new: list[float], said: Change) -> None:
    assert change(old, new) is said


def test_medians_ratios_and_spreads_stand_side_by_side() -> None:
    _, cells = figures(results(row("mailferry", [2, 4, 3])), results(row("mailferry", [1, 1.5, 1.2])))
    assert cells[:8] == ("small", "0", "mailferry", "3.000", "1.200", "0.40 x", "67%, 42%", "faster")
    assert cells[8:] == ("15,000", "6,000", "0.40 x", "less")


def test_what_is_slower_is_said_aloud() -> None:
    _, cells = figures(results(row("mailferry", [1, 1.1])), results(row("mailferry", [2, 2.1])))
    assert cells[7] == "SLOWER"
    assert cells[-1] == "more"


def test_ours_is_compared_with_others_within_each_run() -> None:
    """A machine that takes twice as long for everything has changed nothing."""
    old = results(row("mailferry", [1, 1.1, 1]), row("mpop", [2, 2.2, 2.1]))
    new = results(row("mailferry", [2, 2.2, 2]), row("mpop", [4, 4.4, 4.2]))
    _, cells = ratios(old, new)
    assert cells == ("small", "0", "mpop", "2.00 x", "2.00 x", "5%, 5%", "within the noise")


def test_a_ratio_that_fell_is_slower() -> None:
    old = results(row("mailferry", [1, 1]), row("mpop", [2, 2.2]))
    new = results(row("mailferry", [1, 1]), row("mpop", [1, 1.1]))
    assert ratios(old, new)[1][-1] == "SLOWER"
    assert ratios(new, old)[1][-1] == "faster"


def test_other_mail_is_not_compared() -> None:
    old, new = results(row("mailferry", [1, 1])), results(row("mailferry", [1, 1], messages=50))
    assert len(figures(old, new)) == 1
    assert any("not compared" in line and "mailferry" in line for line in differences(old, new))


def test_what_else_differs_is_named() -> None:
    old = results(row("mailferry", [1]), row("getmail6", [1]), commit="old", mpop="1.4.17")
    new = results(row("mailferry", [1]), row("mbsync", [1], case="relay"), commit="new")
    said = list(differences(old, new))
    assert "old: old" in said[0]
    assert "new: new" in said[0]
    assert said[1:] == [
        "mpop: 1.4.17 -> 1.4.18",
        "only in the old one: small 0 ms getmail6",
        "only in the new one: relay 0 ms mbsync",
    ]


def test_two_files_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = tmp_path / "old.json", tmp_path / "new.json"
    for file in files:
        results(row("mailferry", [1, 2]), row("mpop", [3, 4])).save(file)
    monkeypatch.setattr(sys, "argv", ["compare", *map(str, files)])
    assert main() == 0
    assert capsys.readouterr().out.count("within the noise") == 5


def test_a_file_without_results_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.json").write_text("{}")
    monkeypatch.setattr(sys, "argv", ["compare", str(tmp_path / "old.json"), "new.json"])
    assert main() == 2
    assert "old.json holds no results" in capsys.readouterr().err
