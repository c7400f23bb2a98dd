"""A ledger that a newer program has written is refused by every command, with the one cure that helps; it is not touched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from migrator.ledger.sqlite.connection import VERSION
from tests.command_line import Ferry, alice
from tests.servers.pop3 import Pop3Server

CURE = "install the newer mailferry again"
COMMANDS = [
    ["migrate"],
    ["migrate", "--dry-run"],
    ["migrate", "alice"],
    ["verify"],
    ["quarantine"],
    ["quarantine", "--retry", "1"],
    ["receipts"],
    ["search", "letter"],
    ["show", "abcdef"],
    ["export", "--to", "out", "--format", "eml"],
    ["restore", "--to", "maildir:out"],
    ["import", "alice", "."],
    ["doctor"],
    ["status"],
    ["reindex"],
    ["rebuild-ledger"],
    ["moved", "old", "new"],
    ["pause", "alice"],
    ["resume", "alice"],
    ["repair"],
    ["backup-state", "out.tar.gz"],
    ["run"],
]


@pytest.fixture
def newer(ferry: Ferry, server: Pop3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of the program that comes after today's."""
    monkeypatch.setenv("PASSWORD", server.password)
    config = tmp_path / "config.toml"
    config.write_text(alice(server.port))
    config.chmod(0o600)
    assert ferry("migrate").code == 0
    ledger = tmp_path / "state" / "ledger.sqlite3"
    with closing(sqlite3.connect(ledger)) as sql:
        sql.execute(f"pragma user_version = {VERSION + 1}")
    return ledger


def test_every_command_refuses_it_with_the_cure(ferry: Ferry, newer: Path) -> None:
    before = newer.read_bytes()
    said = {}
    for words in COMMANDS:
        done = ferry(*words)
        if done.code != 1 or CURE not in " ".join((done.out + done.err).split()) or newer.read_bytes() != before:
            said[" ".join(words)] = done
    assert said == {}


def test_it_says_where_the_ledger_is_kept_that_this_program_knew(ferry: Ferry, newer: Path) -> None:
    kept = newer.with_name(f"ledger-before-version-{VERSION + 1}.sqlite3")
    assert str(kept) not in ferry("verify").err
    kept.touch()
    assert str(kept) in ferry("verify").err
    [finding] = [one for one in ferry("doctor", "--json").document["findings"] if one["id"] == "ledger-newer"]
    assert str(kept) in finding["text"]
