"""Every command that asks the ledger, with the ledger in PostgreSQL."""

from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from tests.command_line import MESSAGES, Ferry, alice
from tests.servers.pop3 import Pop3Server


@pytest.fixture
def written(ferry: Ferry, server: Pop3Server, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Ferry:
    """A command line in a folder whose configuration names a fresh database."""
    monkeypatch.setenv("PASSWORD", server.password)
    path = tmp_path / "config.toml"
    path.write_text(f'ledger = "{database}"\n{alice(server.port)}')
    path.chmod(0o600)
    return ferry


def test_a_dry_run_makes_nothing_and_a_run_copies_each_message_once(
    written: Ferry, database: str, tmp_path: Path
) -> None:
    dry = written("migrate", "--dry-run", "--json")
    assert (dry.code, dry.report["new"]) == (0, len(MESSAGES))
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)
    first, again = written("migrate", "--json"), written("migrate", "--json")
    assert (first.code, first.report["verified"]) == (0, len(MESSAGES))
    assert (again.code, again.report["copied"], again.report["known"]) == (0, 0, len(MESSAGES))
    assert not list(tmp_path.rglob("ledger.sqlite3*"))


def test_what_reads_and_mends_answers_from_the_database(written: Ferry, tmp_path: Path) -> None:
    assert written("migrate").code == 0
    [account] = written("status", "--json").document["accounts"]
    assert [place["messages"] for place in account["archived"]] == [len(MESSAGES)]
    assert written("verify", "--json").document["ok"] == len(MESSAGES)
    for command in (["receipts", "--json"], ["quarantine", "--json"], ["reindex"], ["repair"], ["accounts", "--json"]):
        assert written(*command).code == 0, command
    [volume] = (tmp_path / "archive" / "alice").glob("*.mbox")
    before = Counter(volume.read_bytes().splitlines())
    rebuilt = written("rebuild-ledger")
    assert rebuilt.code == 0, rebuilt
    assert Counter(volume.read_bytes().splitlines()) == before
    moved = tmp_path / "elsewhere"
    (tmp_path / "archive" / "alice").rename(moved)
    assert written("moved", "archive/alice", str(moved)).code == 0


def test_a_backup_says_what_it_does_not_hold(written: Ferry, tmp_path: Path) -> None:
    assert written("backup-state", tmp_path / "none.tar.gz").code == 2  # there is no ledger yet, and none is made
    assert written("migrate").code == 0
    done = written("backup-state", tmp_path / "backup.tar.gz")
    assert done.code == 0
    assert "pg_dump" in done.err
    with tarfile.open(tmp_path / "backup.tar.gz") as tar:
        assert "config.toml" in tar.getnames()
        assert not any(name.startswith("ledger") for name in tar.getnames())
