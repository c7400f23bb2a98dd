from __future__ import annotations

import builtins
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from migrator.config import load, sheet
from migrator.config.sheet import decoded, encoding_of, lines_of, separator_of
from migrator.errors import ConfigError


def saved(path: Path, *rows: list[object]) -> Path:
    book = Workbook()
    page = book.active
    for row in rows:
        page.append(row)
    book.save(path)
    path.chmod(0o600)
    return path


def test_an_xlsx_sheet_is_read_as_text(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "a.xlsx",
        ["name", "port", "leave_on_server", "password", None],
        [" alice\xa0", 995.0, True, "007", None],
        [None, None],
        ["bob", 1110, False, 12345678],
    )
    assert [line.cells for line in lines_of(path)] == [
        ("name", "port", "leave_on_server", "password"),
        (" alice\xa0", "995", "true", "007"),
        (),
        ("bob", "1110", "false", "12345678"),
    ]


def test_a_cell_that_a_spreadsheet_has_changed_is_a_problem_of_its_row(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "a.xlsx", ["name", "password"], ["a", "=1+1"], ["b", date(2026, 1, 2)], ["c", 1.5], ["d", "x"]
    )
    problems = [line.problem for line in lines_of(path)]
    assert problems[0] == problems[4] == ""
    assert problems[1].startswith("B2 is a formula")
    assert problems[2].startswith("B3 is a date or a time")
    assert problems[3].startswith("B4 is a number with a fraction")


def test_only_the_first_sheet_that_is_shown_is_read(tmp_path: Path) -> None:
    book = Workbook()
    hidden = book.active
    hidden.append(["hidden"])
    hidden.sheet_state = "hidden"
    book.create_sheet("shown").append(["shown"])
    book.create_sheet("other").append(["other"])
    book.save(tmp_path / "a.xlsx")
    assert [line.cells for line in lines_of(tmp_path / "a.xlsx")] == [("shown",)]


def test_accounts_are_read_from_xlsx(tmp_path: Path) -> None:
    head: list[object] = ["Name", "Host", "User Name", "Password", "Port", "mbox"]
    saved(tmp_path / "a.xlsx", head, ["alice", "h", "u", "p", 1995.0, "x"], ["bob", "h", "u", "=A1", 995, "y"])
    (tmp_path / "config.toml").write_text('accounts_file = "a.xlsx"\n')
    config = load(tmp_path / "config.toml")
    assert [(one.name, one.source.port) for one in config.accounts] == [("alice", 1995)]
    assert "line 3: D3 is a formula" in config.bad_rows[0].problem


def test_the_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.xlsx", ["name"])
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("openpyxl"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'mailferry\[xlsx\]'"):
        lines_of(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04nonsense", "this is not an XLSX file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel file"),
        (b"\xff\xfe\x00", "neither UTF-8, UTF-16 nor cp1252"),
        (b"name\n\x81\x8d\n", "neither UTF-8, UTF-16 nor cp1252"),
        (b'name\n"x\n', "line 2: this is not CSV"),
    ],
)
def test_what_is_no_sheet_is_said(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        lines_of(tmp_path / "a")


def test_text_is_told_by_its_octets() -> None:
    assert decoded("ä".encode()) == decoded("ä".encode("cp1252")) == decoded("ä".encode("utf-16")) == "ä"
    assert decoded(b"") == ""
    assert separator_of("a;b,c;d\n,,,,") == ";"
    assert sheet._letters(0) == "A"  # noqa: SLF001  # the one helper with arithmetic
    assert sheet._letters(27) == "AB"  # noqa: SLF001  # as above


def test_a_nul_in_a_cell_makes_no_other_encoding_of_the_sheet() -> None:
    assert encoding_of(b"name,host\na\0nn,pop.example\n") == "utf-8-sig"
    assert encoding_of("name,host\n".encode("utf-16-le")) == "utf-16-le"
    assert encoding_of("name,host\n".encode("utf-16-be")) == "utf-16-be"
