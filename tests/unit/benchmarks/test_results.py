from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.machine import facts, version_in
from benchmarks.measure import Measured
from benchmarks.results import Results, ResultsError, Row, load, pairs

OURS = Row("small", 20, "mailferry", 100, 5_000, (Measured(1.0, 0.5, 0.25, 9_000_000), Measured(2.0, 0.5, 0.5, 8)), 7)
LOOP = Row("small", 20, "poplib script", 10, 400, (Measured(1.0, 0.5, 0.0, 0), Measured(1.0, 0.5, 0.0, 0)))


def results(*rows: Row) -> Results:
    return Results("2026-11-30T18:00:00Z", "abc", {"processors": 2}, {"mpop": "1.4.18"}, [*rows], ["huge: time was up"])


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "results.json"
    results(OURS, LOOP).save(path)
    assert load(path) == results(OURS, LOOP)
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]


def test_every_turn_is_in_the_file(tmp_path: Path) -> None:
    results(OURS).save(path := tmp_path / "results.json")
    [row] = json.loads(path.read_text())["rows"]
    assert (row["messages"], row["octets"], row["fsyncs"]) == (100, 5_000, 7)
    assert row["turns"] == [
        {"wall": 1.0, "user": 0.5, "system": 0.25, "peak": 9_000_000},
        {"wall": 2.0, "user": 0.5, "system": 0.5, "peak": 8},
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "cannot be read"),
        ("[]", "no results"),
        ('{"form": 99}', "no results"),
        ('{"form": 1, "rows": []}', "not complete"),
        ('{"form": 1, "began": "", "commit": "", "machine": {}, "versions": {}, "rows": [{}]}', "not complete"),
        ('{"form": 1, "began": "", "commit": "", "machine": {}, "versions": {}, "rows": [4]}', "not complete"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(ResultsError, match=said):
        load(tmp_path / "other.json")


def test_a_row_without_turns_is_refused(tmp_path: Path) -> None:
    results(OURS).save(path := tmp_path / "results.json")
    document = json.loads(path.read_text())
    document["rows"][0]["turns"] = []
    path.write_text(json.dumps(document))
    with pytest.raises(ResultsError, match="not complete"):
        load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="cannot be read"):
        load(tmp_path / "nowhere.json")


def test_programs_are_compared_by_message_turn_by_turn() -> None:
    assert pairs(OURS, LOOP) == [10.0, 5.0]


def test_programs_are_compared_by_octets_where_these_take_the_time() -> None:
    mine = Row("office", 0, "mailferry", 100, 1_000, OURS.runs, is_by_octets=True)
    other = Row("office", 0, "getmail6", 10, 500, LOOP.runs, is_by_octets=True)
    assert pairs(mine, other) == [2.0, 1.0]


def test_a_turn_that_was_stopped_in_the_middle_is_not_compared() -> None:
    assert pairs(OURS, Row("small", 20, "mpop", 100, 5_000, (Measured(3.0, 0, 0, 0),))) == [3.0]


def test_the_facts_name_neither_machine_nor_folder(tmp_path: Path) -> None:
    found = facts(tmp_path)
    assert found["processors"]
    assert not any(
        "/" in str(value) or str(value) == Path("/proc/sys/kernel/hostname").read_text().strip()
        for value in found.values()
    )


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("mpop version 1.4.18\nPlatform: x86_64\n", "1.4.18"),
        ("This is fetchmail release 6.4.37+GSS+RPA", "6.4.37"),
        ("6.18.11", "6.18.11"),
        ("isync 1.4.4\n", "1.4.4"),
        ("2.3.19.1 (9b53102964)", "2.3.19.1"),
        ("strace -- version 6.1", "6.1"),
        ("", ""),
    ],
)
def test_versions_are_found_in_what_programs_say(said: str, version: str) -> None:
    assert version_in(said) == version
