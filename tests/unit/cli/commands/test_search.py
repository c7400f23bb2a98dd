"""What a person sees of a search; what is found is the matter of tests/unit/archive."""

from __future__ import annotations

import io
import re
from argparse import Namespace
from pathlib import Path

import pytest

from migrator.cli.commands import search
from migrator.cli.parser import parser
from migrator.ui.console import Console
from migrator.ui.text import columns
from tests.mail import mail
from tests.unit.archive.office import Office


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    date = "Mon, 15 Jan 2024 12:00:00 +0000"
    long = mail("夏休みの予定について" * 9, sender="山田花子 <hanako@example.org>", Date=date)
    office.copy([long, mail("short", sender="Bob Builder <bob@example.org>", Date=date), mail("undated")])
    return office


def shown(office: Office, monkeypatch: pytest.MonkeyPatch, width: int, out: io.StringIO) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    arguments = Namespace(query=["*"], config=office.config_path, limit=None)
    assert search.run(arguments, Console(out=out, err=io.StringIO(), has_color=False)) == 0
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 59, 60, 80, 99, 100, 200])
def test_hits_fit_the_terminal_and_show_the_subject(
    office: Office, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    lines = shown(office, monkeypatch, width, Terminal())
    assert all(columns(line) <= width for line in lines)
    assert any("夏休み" in line for line in lines)
    starts = {columns(line[: re.search("夏休み|short|undated", line).start()]) for line in lines}  # type: ignore[union-attr]  # each has one
    assert len(starts) == 1


def test_a_script_gets_whole_lines(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(office, monkeypatch, 40, io.StringIO())
    assert any("夏休みの予定について" * 9 in line for line in lines)


@pytest.mark.parametrize(
    ("words", "query"),
    [
        (["bread", "-from:bob"], "bread not from:bob"),
        (["-cc:bob", "--limit", "2", "bread"], "not cc:bob bread"),
        (["-v", "bread", "-has:attachment"], "bread not has:attachment"),
    ],
)
def test_a_minus_before_a_prefix_is_no_option(words: list[str], query: str) -> None:
    arguments = parser().parse_args(["search", *words])
    assert " ".join(arguments.query) == query
    assert arguments.config is None
