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
    heads, *lines = shown(office, monkeypatch, width, Terminal())
    assert all(columns(line) <= width for line in (heads, *lines))
    assert heads.split() == [head for head in ("id", "date", "from", "size", "subject") if head in heads]
    assert ("from" in heads, "size" in heads) == (width >= 60, width >= 100)
    assert any("夏休み" in line for line in lines)
    starts = {columns(line[: re.search("夏休み|short|undated", line).start()]) for line in lines}  # type: ignore[union-attr]  # each has one
    assert starts == {columns(heads[: heads.index("subject")])}


def test_a_script_gets_whole_values_and_no_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(tmp_path)
    sender = f"{'Hanako Yamada ' * 30}<{'hanako.' * 20}office@example.org>"
    office.copy([mail("word " * 200 + "end", sender=sender)])
    [line] = shown(office, monkeypatch, 40, io.StringIO())
    assert sender in line
    assert line.endswith("word end")


def test_an_id_is_the_same_in_a_pipe_and_on_a_terminal(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    _heads, *on_terminal = shown(office, monkeypatch, 80, Terminal())
    in_pipe = shown(office, monkeypatch, 80, io.StringIO())
    assert [line.split()[0] for line in on_terminal] == [line.split()[0] for line in in_pipe]


def test_where_nothing_is_found_there_are_no_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(tmp_path)
    office.copy([])
    assert shown(office, monkeypatch, 80, Terminal()) == []


@pytest.mark.parametrize(
    ("words", "query"),
    [
        (["bread", "-from:bob"], "bread not from:bob"),
        (["-cc:bob", "--limit", "2", "bread"], "not cc:bob bread"),
        (["-v", "bread", "-has:attachment"], "bread not has:attachment"),
        (["bread", "-frm:bob"], "bread not frm:bob"),
        (["bread", "-butter", "-a", "-über"], "bread not butter not a not über"),
        (["bread", "-holiday", "-very", "-q"], "bread not holiday not very"),
        (["bread", "-vq", "--limit", "2"], "bread"),
    ],
)
def test_a_minus_before_a_prefix_is_no_option(words: list[str], query: str) -> None:
    arguments = parser().parse_args(["search", *words])
    assert " ".join(arguments.query) == query
    assert arguments.config is None
