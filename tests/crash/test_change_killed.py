"""Killed at each step of saving a changed account: the old configuration or the new one, whole, with its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.config import load
from migrator.config.new_account import account_text
from migrator.config.vault import vault_of
from tests.crash.changing import PASSWORD
from tests.crash.killed_process import died_at

OLD, NEW = ("old.example.org", "open-sesame"), ("new.example.org", PASSWORD)
_MOST_STEPS = 60
_NEVER = 1_000_000


def written(folder: Path) -> None:
    (folder / "config.toml").write_text('state_dir = "state"\n')
    (folder / "accounts.d").mkdir()
    file = folder / "accounts.d" / "alice.toml"
    source = {"host": OLD[0], "username": "alice", "password": {"vault": "alice/source-1"}}
    places = [{"type": "mbox", "path": str(folder / "mail")}]
    file.write_text(account_text({"name": "alice", "source": source, "destinations": places}))
    vault_of(load(folder / "config.toml")).keep("alice/source-1", OLD[1], 1.0, "ann")


def killed_at(folder: Path, step: int) -> bool:
    """Change the account and die at a step; False where there was no such step any more."""
    return died_at("tests.crash.changing", folder, step)


def stands(folder: Path) -> tuple[str, str]:
    """What a worker that starts now works by: the server, and the password that it logs in with there."""
    [account] = load(folder / "config.toml").accounts
    return account.source.host, account.source.password.reveal()


@pytest.mark.slow
def test_the_configuration_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    outcomes = []
    for step in range(1, _MOST_STEPS):
        folder = tmp_path / str(step)
        folder.mkdir()
        written(folder)
        was_killed = killed_at(folder, step)
        outcomes.append(stands(folder))
        assert outcomes[-1] in {OLD, NEW}
        if outcomes[-1] == OLD:
            assert not killed_at(folder, _NEVER), "what was left over is in nobody's way"
            assert stands(folder) == NEW
        content = vault_of(load(folder / "config.toml")).content()
        assert content is not None
        if not was_killed:
            assert len(content.entries) == 1, "the old password is forgotten"
            break
    assert outcomes[0] == OLD
    assert outcomes[-1] == NEW, "it came to its end"
    assert len(outcomes) > 8
    first = outcomes.index(NEW)
    assert set(outcomes[:first]) == {OLD}
    assert set(outcomes[first:]) == {NEW}, "once it is there it stays"
