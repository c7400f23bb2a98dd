"""Killed at each step of saving whom to tell: the old settings or the new ones, whole, with their password."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.config import load
from tests.crash.killed_process import died_at

OLD, NEW = ("old.example.org", "open-sesame"), ("new.example.org", "open-barley")
CONFIG = """\
state_dir = "state"
[[accounts]]
name = "ann"
[accounts.source]
host = "pop.example.org"
username = "ann"
password = "x"
[[accounts.destinations]]
type = "mbox"
path = "archive"
"""
_MOST_STEPS = 60
_NEVER = 1_000_000


def killed_at(folder: Path, step: int, host: str, password: str) -> bool:
    """Change whom to tell and die at a step; False where there was no such step any more."""
    return died_at("tests.crash.telling", folder, step, host, password)


def stands(folder: Path) -> tuple[str, str]:
    """What a worker that starts now works by: the mail server, and the password that it logs in with there."""
    notify = load(folder / "config.toml").notify
    assert notify is not None
    assert notify.smtp is not None
    assert notify.smtp.password is not None
    return notify.smtp.host, notify.smtp.password.reveal()


@pytest.mark.slow
def test_the_settings_are_the_old_ones_or_the_new_ones(tmp_path: Path) -> None:
    outcomes = []
    for step in range(1, _MOST_STEPS):
        folder = tmp_path / str(step)
        folder.mkdir()
        (folder / "config.toml").write_text(CONFIG)
        assert not killed_at(folder, _NEVER, *OLD)
        was_killed = killed_at(folder, step, *NEW)
        outcomes.append(stands(folder))
        if not was_killed:
            break
        assert not killed_at(folder, _NEVER, *NEW)
        assert stands(folder) == NEW
    assert set(outcomes) == {OLD, NEW}
    assert outcomes == sorted(outcomes, key=[OLD, NEW].index)
    assert outcomes[-1] == NEW
