"""``mailferry demo`` from end to end, as a newcomer starts it: another process, another working directory."""

from __future__ import annotations

import json
import mailbox
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest

import migrator
from migrator.cli.parser import parser
from migrator.demo.place import Place
from migrator.demo.story import Story
from migrator.ui.console import Console
from tests.browser import Browser

ROOT = Path(migrator.__file__).parents[1]


def demo(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # No HOME, no configuration, nothing but a path to the program.
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **variables}
    command = [sys.executable, "-m", "migrator", "demo", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_demo_adds_up_and_leaves_an_archive_that_others_can_read(tmp_path: Path) -> None:
    done = demo(tmp_path, "--dir", "demo", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    first, second, restored = told["runs"]
    assert (first["listed"], first["copied"], first["duplicates"], first["deleted"]) == (300, 299, 1, 300)
    assert (second["listed"], second["copied"]) == (0, 0)
    assert (restored["listed"], restored["copied"], restored["deleted"]) == (300, 0, 300)
    assert told["verified"] == 299
    assert (told["equal"], told["missing"], told["doubled"], told["others"]) == (299, 0, 0, 0)
    assert told["problems"] == []
    [volume] = (tmp_path / "demo" / "archive").iterdir()
    with closing(mailbox.mbox(volume, create=False)) as archive:
        assert len(archive) == 299
        assert any("marmalade" in message.as_string() for message in archive)
    assert Path(told["archive"]) == volume.parent


def test_a_second_demo_in_the_folder_recognises_all_of_it(tmp_path: Path) -> None:
    demo(tmp_path, "--dir", "demo", "--quiet")
    [volume] = (tmp_path / "demo" / "archive").iterdir()
    before = volume.read_bytes()
    done = demo(tmp_path, "--dir", "demo", "--json")
    assert done.returncode == 0, done.stderr
    assert [run["copied"] for run in json.loads(done.stdout)["runs"]] == [0, 0, 0]
    assert "The archive of an earlier demo is here (299 messages)" in done.stderr
    assert volume.read_bytes() == before


def test_a_damaged_archive_ends_in_plain_words_and_deletes_nothing_unproven(tmp_path: Path) -> None:
    demo(tmp_path, "--dir", "demo", "--quiet")
    [volume] = (tmp_path / "demo" / "archive").iterdir()
    content = bytearray(volume.read_bytes())
    content[content.index(b"marmalade")] ^= 1
    volume.write_bytes(content)
    done = demo(tmp_path, "--dir", "demo", "--quiet")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "[mismatch]" in done.stderr
    assert "299 were deleted and 1 are left on the server" in done.stderr
    assert "Traceback" not in done.stderr
    assert volume.read_bytes() == content


def test_what_is_told_fits_a_terminal_and_has_no_colour_in_a_file(tmp_path: Path) -> None:
    done = demo(tmp_path, "--dir", "demo", PATH=path_with_the_program(tmp_path))
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert done.stderr == ""
    assert max(map(len, lines)) <= 78
    assert "\x1b" not in done.stdout
    assert "   300 new = 299 copied + 1 duplicate (stored already)" in lines
    assert "   299 copies read again = 299 as the ledger knows them + 0 damaged" in lines
    assert "   299 different = 299 in the archive, equal byte for byte + 0 missing" in lines


def path_with_the_program(folder: Path) -> str:
    """A PATH on which there is a ``mailferry``, as once it is installed."""
    program = folder / "bin" / "mailferry"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


@pytest.mark.parametrize("is_installed", [True, False])
def test_every_command_it_names_can_be_pasted(tmp_path: Path, *, is_installed: bool) -> None:
    folder = tmp_path / "a folder's name"
    path = path_with_the_program(tmp_path) if is_installed else os.environ["PATH"]
    program = ["mailferry"] if is_installed else [sys.executable, "-m", "migrator"]
    said = demo(tmp_path, "--dir", str(folder), PATH=path).stdout.replace("\\\n", " ")
    pasted = [line for line in said.splitlines() if line.startswith(f"     {program[0]} ")]
    lines = [shlex.split(line) for line in pasted]
    assert {tuple(line[: len(program)]) for line in lines} == {tuple(program)}
    named = [parser().parse_args(line[len(program) :]) for line in lines]
    assert [arguments.command for arguments in named] == ["status", "verify", "search", "migrate"]
    assert {arguments.config for arguments in named[:3]} == {folder / "config.toml"}


def test_an_environment_that_only_this_run_has_on_its_path_is_named_in_full(tmp_path: Path) -> None:
    """uvx puts its own in front of PATH; what a person types afterwards is looked for without it."""
    path = f"{sys.prefix}/bin:{os.environ['PATH']}"
    first = ["     " + shlex.join([sys.executable, "-m", "migrator", "status"]), "     mailferry status"]
    assert first[0] in demo(tmp_path, "--dir", "demo", PATH=path).stdout
    assert first[1] in demo(tmp_path, "--dir", "demo", PATH=path, VIRTUAL_ENV=sys.prefix).stdout


def test_after_the_demo_nothing_needs_a_person(tmp_path: Path) -> None:
    demo(tmp_path, "--dir", "demo", "--quiet")
    doctor = [sys.executable, "-m", "migrator", "doctor", "-c", "demo/config.toml", "--json"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    done = subprocess.run(doctor, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "paused" in [finding["id"] for finding in json.loads(done.stdout)["findings"]]


def test_the_password_is_shown_nowhere(tmp_path: Path) -> None:
    done = demo(tmp_path, "--dir", "demo", "-vv")
    [line] = [line for line in (tmp_path / "demo" / "config.toml").read_text().splitlines() if "password =" in line]
    assert line.split('"')[1] not in done.stdout + done.stderr


def test_without_a_folder_it_makes_one_for_temporary_files(tmp_path: Path) -> None:
    done = demo(Path("/"), TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    [folder] = tmp_path.iterdir()
    assert str(folder) in done.stdout
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_not_its_own_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("mine")
    done = demo(tmp_path, "--dir", ".")
    assert done.returncode == 2
    assert "holds config.toml already" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.parametrize("is_quiet", [False, True])
def test_an_end_that_somebody_wants_is_no_problem(tmp_path: Path, *, is_quiet: bool) -> None:
    stop, out = threading.Event(), StringIO()
    stop.set()
    story = Story(Place.at(tmp_path), Console(is_quiet=is_quiet, out=out), stop)
    story.play()
    assert story.outcome.is_interrupted
    assert story.outcome.problems == []
    assert ("2. First run" in out.getvalue()) is not is_quiet
    assert "3. Second run" not in out.getvalue()
    assert "read back" not in out.getvalue()


@pytest.mark.slow
def test_a_demo_serves_its_page_until_ctrl_c(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "migrator", "demo", "--dir", "demo", "--serve", "--quiet"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        found = re.fullmatch(r"The page: http://127\.0\.0\.1:(\d+)/ .*is (\S+); Ctrl-C ends it\)\n", told)
        assert found is not None, told
        browser = Browser(int(found[1]))
        while not browser.is_answered():
            assert process.poll() is None
        assert browser.send(browser.get("/sign-in").form("/sign-in"), name="demo", password=found[2]).status == 303
        assert "office" in browser.get("/").text
        assert len(json.loads(browser.get("/receipts.json").body)["receipts"]) == 600
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
