from __future__ import annotations

import gc
import json
import os
import shlex
import signal
import subprocess
import sys
import tomllib
from argparse import Namespace
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from migrator.cli.main import answered, main, module_of
from migrator.cli.parser import COMMANDS, parser
from migrator.errors import ConfigError, FerryError, Kind
from migrator.ui.console import Console

ROOT = Path(__file__).parents[3]
HEAVY = ("pydantic", "sqlite3", "imapclient", "rich", "apscheduler", "ssl", "logging")


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def answer(command: Callable[[], int], *, is_json: bool = False, verbosity: int = 0) -> int:
    def run(_arguments: Namespace, _screen: Console) -> int:
        return command()

    return answered(run, Namespace(command="migrate"), Console(is_json=is_json, verbosity=verbosity))


def failing(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["migrate", "--help"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom migrator.cli.main import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as end: assert not end.code\n"
        f"print('heavy:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("heavy: []\n")


def test_the_version_is_the_projects() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "migrator", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    from migrator import __version__

    assert done.stdout == f"mailferry {__version__}\n"
    assert (
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["version"]["path"]
        == "migrator/__init__.py"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert "--config" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["migrate", "-c", "F", "alice", "--json", "bob", "-v"],
        ["-c", "F", "-v", "migrate", "alice", "bob", "--json"],
        ["migrate", "alice", "bob", "--json", "-vc", "F"],
    ],
)
def test_options_may_stand_anywhere(arguments: list[str]) -> None:
    read = parser().parse_args(arguments)
    assert (read.config, read.accounts, read.json, read.verbose) == (Path("F"), ["alice", "bob"], True, 1)
    assert (read.quiet, read.no_color, read.dry_run) == (False, False, False)


def test_the_options_of_migrate_are_read() -> None:
    line = (
        "migrate --from pop3s://a@h --to mbox:x --to imaps://b@i --to-password-env B --to-password-file C "
        "--from-password-command pass --limit 3 --max-delete 0 --dry-run --state-dir s --leave-on-server '30 days'"
    )
    read = parser().parse_args(shlex.split(line))
    assert (read.source, read.destinations) == ("pop3s://a@h", ["mbox:x", "imaps://b@i"])
    assert read.from_passwords == [{"command": "pass"}]
    assert read.to_passwords == [{"env": "B"}, {"file": "C"}]
    assert (read.limit, read.max_delete, read.dry_run) == (3, 0, True)
    assert (read.leave_on_server, read.state_dir) == ("30 days", Path("s"))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["migrat"],
        ["migrate", "--limit", "-1"],
        ["migrate", "--limit", "many"],
        ["migrate", "--dry"],
        ["quarantine", "--retry", "1", "--accept", "2"],
        ["export", "--format", "mbox"],
        ["show"],
        ["notify"],
        ["--completion", "powershell"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: mailferry" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--completion", shell])
    assert end.value.code == 0
    assert "quarantine" in capsys.readouterr().out


def test_a_command_runs_with_the_collector_on(tmp_path: Path) -> None:
    assert main(["status", "-c", str(tmp_path / "missing.toml")]) == 2
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_module(command: str) -> None:
    assert find_spec(module_of(command)) is not None


def test_each_problem_of_a_configuration_is_a_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(failing(ConfigError(["one", "two"]))) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "one\ntwo\n")


def test_a_script_gets_a_document_whatever_fails(capsys: pytest.CaptureFixture[str]) -> None:
    for error, code, kind in [
        (ConfigError(["one"]), 2, "configuration"),
        (FerryError(Kind.ARCHIVE, "the ledger is damaged"), 1, "archive"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("x"), 1, "internal"),
    ]:
        assert answer(failing(error), is_json=True) == code
        [document] = json.loads(capsys.readouterr().out)["errors"]
        assert document["kind"] == kind


def test_our_own_error_is_one_line_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(failing(ValueError("hunter2"))) == 1
    captured = capsys.readouterr()
    assert captured.err == "internal error (ValueError); run again with -v to see more, and please report it\n"


def test_with_v_our_own_error_shows_its_traceback_without_known_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    def run(_arguments: Namespace, screen: Console) -> int:
        screen.mask(["hunter2"])
        raise ValueError("hunter2")

    assert answered(run, Namespace(command="migrate"), Console(verbosity=1)) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "ValueError: ***" in err
    assert 'hunter2")' not in err.replace('keep_secret(["hunter2"])', "")


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom argparse import Namespace\nfrom migrator.cli.main import answered\n"
        "from migrator.ui.console import Console\n"
        "def run(a, screen):\n    sys.stdin.readline()\n    for n in range(100000): screen.result('x' * 100)\n    return 0\n"
        "sys.exit(answered(run, Namespace(command='search'), Console()))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(b"go\n")
        process.stdin.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (1, b"")


def test_what_the_encoding_lacks_is_written_out() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "migrator", "migrate", "--from", "pop3s://a\u00fc@h", "--to", "mbox:x"],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert r"no password for a\xfc at h" in done.stderr


def test_after_two_dashes_everything_is_a_word() -> None:
    assert parser().parse_args(["search", "--json", "--", "-from:bob", "x"]).query == ["-from:bob", "x"]


def test_closed_streams_are_no_error_and_no_file_of_ours_takes_their_place(tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m migrator status -c {shlex.quote(str(tmp_path / 'no.toml'))}"
    done = subprocess.run(["sh", "-c", f"{command} <&- >&- 2>&-"], cwd=ROOT, check=False)
    assert done.returncode == 2
