from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from migrator.ui.text import cell, columns, group_by_reason, plain, plural, size, span, table, wrapped


@pytest.mark.parametrize(
    ("octets", "shown"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (81234, "81 kB"), (2.5e9, "2.5 GB"), (3e13, "30.0 TB")],
)
def test_sizes(octets: float, shown: str) -> None:
    assert size(octets) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (1.23, "1.2 s"),
        (23.3, "23 s"),
        (59.7, "1 min"),
        (61, "1 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (4 * 86400, "4 days"),
    ],
)
def test_spans(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


def test_counts() -> None:
    assert [plural(1, "copy", "copies"), plural(2, "copy", "copies"), plural(1000, "day")] == [
        "1 copy",
        "2 copies",
        "1,000 days",
    ]


def test_text_cannot_move_a_terminals_cursor() -> None:
    assert plain("a\x1b[2J\r\x9bb\tc\n    d") == "a\\x1b[2J\\x0d\\x9bb\tc\n    d"
    assert plain("a\nall is well\u202e") == "a\\x0aall is well\\u202e"


def test_tables_are_aligned() -> None:
    assert table([["a", "bb"], ["ccc", "d"]]) == ["  a    bb", "  ccc  d"]
    assert table([]) == []


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("plain", 7, "plain  "),
        ("会議室", 7, "会議室 "),
        ("会議室", 6, "会議室"),
        ("会議室", 5, "会議…"),
        ("会議室", 4, "会… "),
        ("Mu\u0308ller", 6, "Mu\u0308ller"),
        ("Mu\u0308ller and", 6, "Mu\u0308lle…"),
    ],
)
def test_a_cell_is_as_wide_as_its_column_whatever_the_script(text: str, width: int, shown: str) -> None:
    assert cell(text, width) == shown
    assert columns(cell(text, width)) == width


def test_tables_are_aligned_for_ideographs() -> None:
    assert table([["会議", "b"], ["ccc", "d"]]) == ["  会議  b", "  ccc   d"]


def test_what_befell_many_alike_is_one_line() -> None:
    befallen = [*((str(number), "no answer") for number in range(1200)), ("x", "too large")]
    assert group_by_reason(befallen) == ["0, 1, 2 and 1,197 more: no answer", "x: too large"]


@pytest.mark.parametrize(
    ("line", "width", "lines"),
    [
        ("one two three", None, ["one two three"]),
        ("one two three", 13, ["one two three"]),
        ("one two three four", 13, ["one two three", "    four"]),
        ("  [auth] no such user here", 16, ["  [auth] no such", "      user here"]),
        ("a /very/long/path/that/is/no/word here", 12, ["a", "    /very/long/path/that/is/no/word", "    here"]),
        ("/very/long/path/that/is/no/word", 12, ["/very/long/path/that/is/no/word"]),
        ("first line\nsecond line of a text", 12, ["first line\nsecond line of a text"]),
        ("\x1b[31mone two\x1b[0m", 7, ["\x1b[31mone two\x1b[0m"]),
        ("二二 二二 二二", 9, ["二二 二二", "    二二"]),
        ("", 5, [""]),
        ("      ", 3, ["      "]),
    ],
)
def test_lines_are_broken_between_words(line: str, width: int | None, lines: list[str]) -> None:
    assert wrapped(line, width) == lines


@given(st.text("ab 二\x1b", max_size=60), st.integers(1, 40))
def test_nothing_is_lost_where_a_line_is_broken(line: str, width: int) -> None:
    assert "".join(wrapped(line, width)).replace(" ", "") == line.replace(" ", "")
