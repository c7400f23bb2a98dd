from __future__ import annotations

import io
import re

import pytest

from migrator.ui.progress import LineProgress, live_progress

_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_line_is_said_at_most_every_half_minute() -> None:
    said: list[str] = []
    clock = Clock()
    progress = LineProgress(said.append, clock)
    progress.planned("alice", 100, 1_000_000)
    for _ in range(6):
        clock.now += 10
        progress.advanced("alice", 10, 100_000)
    assert said == [
        "alice: 100 messages to fetch (1.0 MB)",
        "alice: 30 of 100 messages, 300 kB of 1.0 MB, 10 kB/s, about 1 min left",
        "alice: 60 of 100 messages, 600 kB of 1.0 MB, 10 kB/s, about 40 s left",
    ]


def test_a_further_session_plans_what_is_left() -> None:
    said: list[str] = []
    clock = Clock()
    progress = LineProgress(said.append, clock)
    progress.planned("alice", 100, 1000)
    progress.advanced("alice", 60, 600)
    progress.planned("alice", 40, 400)
    clock.now += 30
    progress.advanced("alice", 40, 400)
    assert said[-1] == "alice: 100 of 100 messages, 1.0 kB of 1.0 kB, 33 bytes/s"


def test_nothing_to_do_is_nothing_to_say() -> None:
    said: list[str] = []
    LineProgress(said.append).planned("alice", 0, 0)
    assert said == []


def test_at_eighty_columns_no_number_is_broken_in_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    name = "alice@example.org@mail.of-a-long-name.example.org"
    screen = Terminal()
    with live_progress(screen, has_color=False) as progress:
        progress.planned(name, 5100, 116_000_000)
        progress.advanced(name, 240, 38_700_000)
    lines = [_STEERING.sub("", line) for line in re.split(r"[\r\n]+", screen.getvalue())]
    full = [line for line in lines if "240 of 5,100 messages 38.7/116.0 MB" in line]
    assert full
    assert all(line.startswith("alice@") and len(line) <= 80 for line in full)
