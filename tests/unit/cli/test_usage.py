from __future__ import annotations

import pytest

from migrator.cli.usage import (
    first_option,
    misplaced,
    nearest,
    unknown_choice,
    unknown_command,
    unknown_words,
    wants_json,
)

KNOWN = ("migrate", "search", "show", "status", "--json", "--limit", "--dry-run")


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("migrat", "migrate"),
        ("mig", "migrate"),
        ("MIGRATE", "migrate"),
        ("stauts", "status"),
        ("--jsn", "--json"),
        ("--dry", "--dry-run"),
        ("-", ""),
        ("", ""),
        ("xyzzy", ""),
    ],
)
def test_the_nearest_word_begins_like_it_or_is_most_like_it(written: str, near: str) -> None:
    assert nearest(written, KNOWN) == near


def test_each_slip_is_one_sentence() -> None:
    assert unknown_command("serch", KNOWN) == 'there is no command "serch"; did you mean search?'
    assert unknown_words("mailferry show", ["--jsn=1"], KNOWN) == 'there is no option "--jsn"; did you mean --json?'
    assert unknown_words("mailferry show", ["a", "b"], KNOWN) == '"a", "b": more than this command takes'
    assert unknown_choice("zip", ["mbox", "eml"]) == '"zip" is not one of mbox, eml'


def test_an_option_of_the_command_is_misplaced_before_it() -> None:
    assert misplaced(["--json"], "status", KNOWN) == "--json goes after the command: mailferry status --json"
    assert misplaced(["--jsn"], "status", KNOWN) == ""
    assert misplaced([], "status", KNOWN) == ""


def test_an_option_begins_with_a_hyphen_and_is_no_hyphen_alone() -> None:
    assert first_option(["a", "-", "--b=c", "-d"]) == "--b"
    assert first_option(["a", "-"]) == ""


@pytest.mark.parametrize(
    ("given", "wanted"), [(["a", "--json"], True), (["--", "--json"], False), (["--json", "--"], True), ([], False)]
)
def test_json_is_wanted_where_it_is_an_option(given: list[str], wanted: bool) -> None:  # a table's column
    assert wants_json(given) == wanted
