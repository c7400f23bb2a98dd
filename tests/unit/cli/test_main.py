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

from migrator.cli.main import answered, main, module_of, unsupported
from migrator.cli.parser import COMMANDS, parser, read_line
from migrator.errors import ConfigError, FerryError, Kind
from migrator.ui.console import Console
from tests.mail import mail
from tests.unit.archive.office import Office

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


@pytest.mark.parametrize(
    "line",
    [
        "status",
        "-c status migrate status --json",
        "migrate alice --json bob -v carl",
        "-v search --limit 3 -from:bob hello -c F",
        "search -- --json -x",
        "quarantine --retry 3 alice --json",
        "users add --role reader ann --account a --account b",
        "import alice a --flags b",
    ],
)
def test_the_grammar_of_one_command_reads_what_that_of_all_does(line: str) -> None:
    assert read_line(shlex.split(line)) == parser().parse_args(shlex.split(line))


@pytest.mark.parametrize("line", ["-h status", "-vh status", "--help", "-v --help status"])
def test_help_names_all_commands_whatever_follows(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(line.split())
    shown = capsys.readouterr().out
    assert [command for command in COMMANDS if f" {command} " not in shown] == []


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


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh", "fish"])
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


def test_a_reader_that_goes_away_changes_nothing(tmp_path: Path) -> None:
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
    assert (process.returncode, err) == (0, b"")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    office = Office(tmp_path_factory.mktemp("office"))
    office.copy([mail("one", "x\n" * 40_000), mail("two")])
    return office


def spoken(office: Office | None, line: str, out: str, unbuffered: str = "") -> tuple[int, str]:
    """Run a command line in a shell; returns its exit code and what it said on stderr."""
    config = "" if office is None else f"-c {shlex.quote(str(office.config_path))}"
    command = f"{shlex.quote(sys.executable)} -m migrator {line} {config}"
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered, "PYTHONPATH": str(ROOT)}
    shell = ["bash", "-c", f"{command} {out}"]
    done = subprocess.run(shell, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


PRINTING = [
    "status",
    "status --json",
    "search '*'",
    "search '*' --json",
    "show ID",
    "show ID --raw",
    "verify",
]


@pytest.mark.parametrize("line", PRINTING)
def test_output_that_cannot_be_written_is_one_sentence(office: Office, line: str) -> None:
    [*_, digest] = office.copy([mail("one", "x\n" * 40_000)])
    code, said = spoken(office, line.replace("ID", digest.hex()), ">/dev/full")
    assert code == 1
    assert said.splitlines()[-1].endswith("cannot write the output: the disk is full")
    assert said.count("cannot write the output") == 1
    assert "internal" not in said


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("line", ["--help", "--version", "status --help", "--completion bash"])
def test_help_that_cannot_be_written_is_one_sentence(line: str, unbuffered: str) -> None:
    assert spoken(None, line, ">/dev/full", unbuffered) == (1, "mailferry: cannot write the output: the disk is full\n")
    assert spoken(None, line, "| true; exit ${PIPESTATUS[0]}", unbuffered) == (0, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_is_cut_is_no_success(tmp_path: Path, unbuffered: str) -> None:
    """A write that a nearly full disk takes half of is an error for Python only where there is a buffer."""
    limited = f"ulimit -f 8; {shlex.quote(sys.executable)} -m migrator --completion bash > {tmp_path / 'cut'}"
    done = subprocess.run(
        ["bash", "-c", limited],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "mailferry: cannot write the output: File too large\n")


@pytest.mark.parametrize("line", PRINTING)
def test_a_pipe_that_is_closed_early_ends_quietly_with_the_codes_of_ever(office: Office, line: str) -> None:
    [*_, digest] = office.copy([mail("one", "x\n" * 40_000)])
    line = line.replace("ID", digest.hex())
    code, said = spoken(office, line, ">/dev/null")
    assert spoken(office, line, "| true; exit ${PIPESTATUS[0]}")[0] == code
    assert "Error" not in said


def test_stderr_that_takes_nothing_costs_nothing(office: Office) -> None:
    code, _ = spoken(office, "search '*'", "2>/dev/full >/dev/null")
    assert code == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("migrat", 'mailferry: there is no command "migrat"; did you mean migrate?'),
        ("serch --json", 'mailferry: there is no command "serch"; did you mean search?'),
        ("xyzzy", 'mailferry: there is no command "xyzzy"; `mailferry --help` lists what there is'),
        ("", "mailferry: a command is missing; `mailferry --help` lists what there is"),
        ("status --jsn", 'mailferry status: there is no option "--jsn"; did you mean --json?'),
        ("migrate --dry", 'mailferry migrate: there is no option "--dry"; did you mean --dry-run?'),
        ("migrate a --limt=3 b", 'mailferry migrate: there is no option "--limt"; did you mean --limit?'),
        ("show --xyzzy", 'mailferry show: there is no option "--xyzzy"; `mailferry show --help` lists what there is'),
        ("--json status", "mailferry: --json goes after the command: mailferry status --json"),
        ("--verbos status", 'mailferry: there is no option "--verbos"; did you mean --verbose?'),
        ("export --to x --formt mbox", 'mailferry export: there is no option "--formt"; did you mean --format?'),
        ("show a b", 'mailferry show: "b": more than this command takes'),
        ("show", "mailferry show: the following arguments are required: ID"),
        (
            "export --to x --format mbx",
            'mailferry export: --format: "mbx" is not one of mbox, maildir, eml; did you mean mbox?',
        ),
        ("--completion fsh", 'mailferry: --completion: "fsh" is not one of bash, zsh, tcsh, fish; did you mean fish?'),
        ("migrate --limit many", "mailferry migrate: --limit: 'many' must be a whole number, 0 or more"),
    ],
)
def test_a_word_that_there_is_none_of_is_named_with_the_nearest(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(line.split())
    assert end.value.code == 2
    captured = capsys.readouterr()
    *usage, last = captured.err.splitlines()
    assert last == said
    assert usage[0].startswith(f"usage: {said.partition(':')[0]} ")
    if "--json" in line:
        document = {"errors": [{"kind": "usage", "message": said.partition(": ")[2]}]}
        assert json.loads(captured.out) == document
    else:
        assert captured.out == ""


def test_after_two_dashes_nothing_asks_for_json(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["show", "a", "b", "--", "--json"])
    assert capsys.readouterr().out == ""


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


def test_a_system_without_what_the_promises_stand_on_is_refused_in_words() -> None:
    assert unsupported(os.name) is None
    assert "WSL 2" in (unsupported("nt") or "")
    pretended = "import os, sys; from migrator.cli.main import main; os.name = 'nt'; sys.exit(main(['status']))"
    ended = subprocess.run([sys.executable, "-c", pretended], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("mailferry: it keeps its promises by what POSIX systems have")
