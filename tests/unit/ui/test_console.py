from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import select
import struct
import termios
from typing import TextIO

import pytest

from migrator.errors import Kind
from migrator.ui.console import Console, OutputError, Style


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


def test_results_are_wrapped_at_the_width_of_a_terminal_and_nowhere_else() -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
    with open(theirs, "w", encoding="utf-8") as terminal:  # noqa: PTH123  # a descriptor
        Console(out=terminal, err=terminal).result("alice: done: 12 on the server = 12 already safe")
        seen = b""
        while seen.count(b"\n") < 2 and select.select([ours], [], [], 10)[0]:
            seen += os.read(ours, 4096)  # a terminal hands on what was written in pieces of its own
    os.close(ours)
    assert seen == b"alice: done: 12 on the server\r\n    = 12 already safe\r\n"
    out = io.StringIO()
    Console(out=out).result("alice: done: 12 on the server = 12 already safe" * 9)
    assert out.getvalue().count("\n") == 1


def test_an_end_at_once_shows_the_cursor_again() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        Console(err=stream).restore_terminal()
    assert (terminal.getvalue(), pipe.getvalue()) == ("\x1b[?25h\n", "")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_document_may_be_written_item_by_item(count: int) -> None:
    out = io.StringIO()
    screen = Console(is_json=True, out=out, err=io.StringIO())
    screen.document_of("things", ({"number": number} for number in range(count)))
    assert json.loads(out.getvalue()) == {"things": [{"number": number} for number in range(count)]}
    screen.failure("internal", ["nothing is added to a document that was written"])
    assert json.loads(out.getvalue())


def full() -> TextIO:
    return open("/dev/full", "w", encoding="utf-8")  # noqa: PTH123  # the test closes it


@pytest.mark.parametrize("is_json", [False, True])
def test_output_that_cannot_be_written_is_an_error_once(is_json: bool) -> None:  # a table's column
    with full() as out:
        screen = Console(is_json=is_json, out=out, err=io.StringIO())
        with pytest.raises(OutputError, match="cannot write the output: the disk is full") as caught:
            screen.document({}) if is_json else screen.result("result")
        assert caught.value.kind is Kind.DISK_FULL
        screen.failure("disk-full", [str(caught.value)])
        with pytest.raises(OutputError, match="the disk is full"), full() as other:
            Console(out=other).octets([b"x" * 100_000])


def test_a_reader_that_has_gone_is_known_and_costs_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        screen = Console(out=out, err=io.StringIO())
        had_reader = screen.has_reader
        screen.result("result")
        assert (had_reader, screen.has_reader) == (True, False)
        screen.result("more")
        screen.octets([b"x" * 100_000] * 3)
        screen.document({})


def test_what_stderr_does_not_take_is_lost() -> None:
    out = io.StringIO()
    with full() as err:
        screen = Console(out=out, err=err)
        screen.note("note")
        screen.problem("problem")
        screen.result("result")
    assert out.getvalue() == "result\n"
