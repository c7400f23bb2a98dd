from __future__ import annotations

import io
import json

import pytest

from migrator.ui.console import Console, Style


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_results_go_to_stdout_and_all_else_to_stderr() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = Console(out=out, err=err)
    screen.result("result")
    screen.note("note")
    screen.problem("problem")
    assert out.getvalue() == "result\n"
    assert err.getvalue() == "note\nproblem\n"


def test_with_json_stdout_gets_one_document_and_nothing_else() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = Console(is_json=True, out=out, err=err)
    screen.result("result")
    screen.document({"a": ["ü"]})
    assert json.loads(out.getvalue()) == {"a": ["ü"]}
    assert err.getvalue() == "result\n"


def test_a_failure_gives_a_script_its_document_once() -> None:
    out = io.StringIO()
    screen = Console(is_json=True, out=out, err=io.StringIO())
    screen.failure("archive", ["one", "two"])
    screen.failure("internal", ["three"])
    assert json.loads(out.getvalue()) == {
        "errors": [{"kind": "archive", "message": "one"}, {"kind": "archive", "message": "two"}]
    }


def test_quiet_leaves_out_notes_only() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = Console(is_quiet=True, out=out, err=err)
    screen.note("note")
    screen.problem("problem")
    screen.result("result")
    assert (out.getvalue(), err.getvalue()) == ("result\n", "problem\n")


@pytest.mark.parametrize(
    ("stream", "variables", "wish", "has_color"),
    [
        (Terminal(), {}, None, True),
        (io.StringIO(), {}, None, False),
        (Terminal(), {"NO_COLOR": "1"}, None, False),
        (Terminal(), {"NO_COLOR": ""}, None, True),
        (Terminal(), {"TERM": "dumb"}, None, False),
        (Terminal(), {}, False, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    stream: io.StringIO, variables: dict[str, str], wish: bool | None, has_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    text = Console(out=stream, err=io.StringIO(), has_color=wish).styled("x", Style.BAD)
    assert text == ("\x1b[31mx\x1b[0m" if has_color else "x")


def test_a_secret_is_starred_in_lines_and_messages_but_not_in_names() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = Console(is_json=True, out=out, err=err)
    screen.mask(["name", "ab"])
    screen.problem("the server said name, ab")
    screen.document({"accounts": [{"name": "name", "message": "the name"}]})
    assert err.getvalue() == "the server said ***, ab\n"
    assert json.loads(out.getvalue()) == {"accounts": [{"name": "name", "message": "the ***"}]}


def test_progress_is_silent_when_quiet_and_line_wise_without_a_terminal() -> None:
    err = io.StringIO()
    with Console(is_quiet=True, out=io.StringIO(), err=err).progress() as progress:
        progress.planned("alice", 3, 3000)
    assert err.getvalue() == ""
    with Console(out=io.StringIO(), err=err).progress() as progress:
        progress.planned("alice", 3, 3000)
        progress.advanced("alice", 3, 3000)
    assert err.getvalue() == "alice: 3 messages to fetch (3.0 kB)\n"


def test_progress_is_live_on_a_terminal_and_leaves_nothing_behind() -> None:
    err = Terminal()
    with Console(out=io.StringIO(), err=err).progress() as progress:
        progress.planned("[bold]alice", 20, 3000)
        progress.advanced("[bold]alice", 5, 1000)
        progress.planned("[bold]alice", 15, 2000)
        progress.advanced("bob", 1, 10)
    assert "[bold]alice" in err.getvalue()
    assert "5 of 20 messages" in err.getvalue()
    assert err.getvalue().endswith("\x1b[2K")
