"""Killed at each step of writing a new account: there is nothing of it, or all of it with its password."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from migrator.config import load
from tests.command_line import ROOT
from tests.crash.adding import DIED, PASSWORD

_MOST_STEPS = 60
_NEVER = 1_000_000
_ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}


def killed_at(folder: Path, step: int) -> bool:
    """Add an account and die at a step; False where there was no such step any more."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.adding", str(folder), str(step)],
        env=os.environ | _ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, DIED}, done.stderr
    return done.returncode == DIED


def is_complete(folder: Path) -> bool:
    """Whether the account is there; if so its password can be had."""
    if not (folder / "config.toml").exists():
        return False
    if not list(folder.glob("accounts.d/[!.]*.toml")):
        return False
    accounts = load(folder / "config.toml").accounts
    assert [one.source.password.reveal() for one in accounts] == [PASSWORD]
    return True


@pytest.mark.slow
@pytest.mark.parametrize("is_there", [False, True])
def test_an_account_is_there_as_a_whole_or_not_at_all(is_there: bool, tmp_path: Path) -> None:
    outcomes = []
    for step in range(1, _MOST_STEPS):
        folder = tmp_path / str(step)
        folder.mkdir()
        if is_there:
            (folder / "config.toml").write_text('state_dir = "state"\n')
        was_killed = killed_at(folder, step)
        outcomes.append(is_complete(folder))
        if not outcomes[-1]:
            assert not killed_at(folder, _NEVER), "what was left over is in nobody's way"
            assert is_complete(folder)
        if not was_killed:
            break
    assert outcomes[-1], "it came to its end"
    assert len(outcomes) > 6
    assert outcomes == sorted(outcomes), "once it is there it stays"
