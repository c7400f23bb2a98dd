from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from migrator.ui import sanitize as harmless


@pytest.mark.parametrize(
    ("offered", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\Windows\\system32", "C__Windows_system32"),
        ("/etc/shadow", "_etc_shadow"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("zero\u200bwidth.txt", "zerowidth.txt"),
        ("a\x00b\x1b[2Jc\r\n.txt", "ab[2Jc.txt"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1.log", "_com1.log"),
        ("console.txt", "console.txt"),
        ("-rf", "rf"),
        (".bashrc", "bashrc"),
        ("name.", "name"),
        ("name ", "name"),
        ("", "attachment-3"),
        ("..", "attachment-3"),
        ("////", "attachment-3"),
        ("\u2215\uff0f", "attachment-3"),
        ("Übersicht 2024.xlsx", "Übersicht 2024.xlsx"),
        ("会議資料.docx", "会議資料.docx"),
    ],
)
def test_a_file_name_is_safe_and_as_like_the_one_offered_as_can_be(offered: str, safe: str) -> None:
    assert harmless.file_name(offered, instead="attachment-3") == safe


def test_a_long_name_keeps_its_ending() -> None:
    name = harmless.file_name("ü" * 500 + ".pdf", instead="x")
    assert name.endswith("ü.pdf")
    assert len(name.encode()) <= harmless.LONGEST_NAME


@given(st.text())
def test_no_name_leaves_its_folder(offered: str) -> None:
    name = harmless.file_name(offered, instead="none")
    assert "/" not in name
    assert "\\" not in name
    assert not name.startswith((".", "-"))
    assert name.strip(" .")
    assert len(name.encode()) <= harmless.LONGEST_NAME + 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", name)


@given(st.text())
def test_nothing_shown_steers_a_terminal(written: str) -> None:
    assert not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", harmless.text(written)
    )
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", harmless.line(written))


def test_lines_and_tabs_of_a_text_stay() -> None:
    assert harmless.text("one\r\ntwo\tthree\rfour \x1b[31mred\x9b0m") == "one\ntwo\tthree\nfour [31mred0m"


@pytest.mark.parametrize(
    ("written", "cell"),
    [
        ("lunch", "lunch"),
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("\t =1", "'=1"),
        ("+49 30", "'+49 30"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\uff1d1", "'\uff1d1"),
        ("\u202e=1", "'=1"),
        ("a\r\nb", "a b"),
        ("", ""),
    ],
)
def test_a_cell_is_one_line_and_no_formula(written: str, cell: str) -> None:
    assert harmless.spreadsheet_cell(written) == cell
