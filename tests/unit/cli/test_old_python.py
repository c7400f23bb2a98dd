"""Started with a Python that is too old, the program says so in one line, whatever that Python cannot read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import ROOT

FAKED = "import sys; sys.version_info = (3, 10, 13); from migrator.cli.main import main; sys.exit(main(sys.argv[1:]))"
SAID = "mailferry: it needs Python 3.11 or newer, and this is 3.10\n"


def said_by(*command: str) -> tuple[int, str, str]:
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("words", [["status"], ["--version"], ["migrate", "--nonsense"]])
def test_an_old_python_is_named_with_what_is_needed(words: list[str]) -> None:
    assert said_by(sys.executable, "-c", FAKED, *words) == (2, "", SAID)


def test_a_real_one_says_the_same() -> None:
    """Where this machine has one, that is: it reads no further than it can."""
    real = [*Path.home().glob(".pyenv/versions/3.10.*/bin/python"), *filter(None, [shutil.which("python3.10")])]
    answers = [said_by(str(one), "-m", "migrator", "status") for one in real]
    assert all(answer == (2, "", SAID) for answer in answers if "not installed" not in answer[2] and answer[0] != 127)
