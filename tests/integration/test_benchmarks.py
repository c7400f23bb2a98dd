"""The benchmark as `make bench` starts it, on a few messages: it runs to its end, and ends early without leaving anything."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.programs import FETCHMAIL, GETMAIL, MPOP, POPLIB
from benchmarks.results import load
from tests.servers.dovecot import why_missing

ROOT = Path(__file__).parents[2]
PATIENCE = 270.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.dovecot,
    pytest.mark.skipif(why_missing() is not None, reason=str(why_missing())),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where Dovecot, as nobody, finds its mail; pytest's own folders are closed to it."""
    made = Path(tempfile.mkdtemp(prefix="mailferry-test-bench-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def bench(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks", "--dir", str(folder), "--json", str(folder / "results.json"), *words]
    with (folder / "said").open("w") as said:
        return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said, text=True, start_new_session=True)


@pytest.mark.parametrize(
    ("delay", "cases"),
    [(0, ["start", "small", "first", "disk-10ms", "delete", "poll"]), (5, ["small", "relay"])],
)
def test_it_runs_from_start_to_end(folder: Path, delay: int, cases: list[str]) -> None:
    process = bench(folder, "--cases", *cases, "--share", "0.002", "--repeats", "1", "--delays", str(delay))
    code = process.wait(PATIENCE)
    said = (folder / "said").read_text()
    assert code == 0, said
    results = load(folder / "results.json")
    measured = {(row.case, row.program) for row in results.rows}
    others = {("small", program.name) for program in (MPOP, POPLIB, FETCHMAIL, GETMAIL) if program.is_there}
    assert others <= measured
    ours = {case for case, program in measured if program == "mailferry"}
    assert ours == {*cases, *(["tiny"] if "poll" in cases else [])} - {"start"}
    assert "start" not in cases or ("start", "status") in measured
    assert {row.milliseconds for row in results.rows} == {delay}
    assert "beside mpop" in said or delay or not MPOP.is_there
    assert_nothing_is_left(folder)


def test_ctrl_c_leaves_nothing_behind_and_keeps_what_there_is(folder: Path) -> None:
    process = bench(folder, "--cases", "start", "small", "--share", "0.05", "--repeats", "1", "--delays", "0")
    until(lambda: "start   0" in (folder / "said").read_text() and is_measuring(folder), process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    said = (folder / "said").read_text()
    assert "left out: the rest: it was ended early" in said
    assert "Traceback" not in said
    assert {row["case"] for row in json.loads((folder / "results.json").read_text())["rows"]} >= {"start"}
    assert_nothing_is_left(folder)


def until(is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)


def is_measuring(folder: Path) -> bool:
    return any("config.toml" in words or "mpoprc" in words for words in commands_in(folder))


def assert_nothing_is_left(folder: Path) -> None:
    end = time.monotonic() + 20
    while (left := commands_in(folder)) and time.monotonic() < end:
        time.sleep(0.1)  # a process that was killed is gone in a moment
    assert left == []
    assert {path.name for path in folder.iterdir()} == {"results.json", "said"}


def commands_in(folder: Path) -> list[str]:
    """What runs on files in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{folder}/mailferry-bench-" in words:
            found.append(words)
    return found
