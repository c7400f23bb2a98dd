"""Archives and state folders that cannot be written: what only looks works, what would write says so and does nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import pytest

from migrator.ledger import FILE_NAME
from tests.command_line import Site, account, alice, maildir, mbox, source
from tests.faults import read_only
from tests.mail import letter, letters
from tests.servers.pop3 import Pop3Server

LOOKING = [
    ("status", "--json"),
    ("verify", "--json"),
    ("search", "*", "--json"),
    ("quarantine", "--json"),
    ("receipts", "--json"),
    ("accounts", "--json"),
]


def exported(site: Site, to: Path) -> list[bytes]:
    done = site.call("export", "--to", to, "--format", "eml", "--json")
    assert done.code == 0, done
    return sorted(path.read_bytes() for path in to.glob("*.eml"))


def all_that_looks_works(site: Site, out: Path, count: int) -> None:
    for arguments in LOOKING:
        done = site.call(*arguments)
        assert done.code == 0, (arguments, done)
    assert site.call("verify", "--json").document["ok"] == count
    found = site.call("search", "*", "--json").document
    assert found["total"] == count
    raw = site.call("show", found["hits"][0]["id"], "--raw")
    assert (raw.code, bool(raw.out)) == (0, True)
    assert len(exported(site, out)) == count


@contextmanager
def with_a_log(state: Path) -> Iterator[None]:
    """Leave the ledger's log beside it, as under a running worker or in a snapshot."""
    with closing(sqlite3.connect(state / FILE_NAME)) as sql:
        sql.execute("pragma wal_autocheckpoint = 0")
        sql.execute("create table somebody_elses (number integer)")
        sql.commit()
        yield


@pytest.mark.parametrize("has_index", [True, False])
@pytest.mark.parametrize("kind", ["mbox", "maildir"])
def test_a_mounted_backup_is_searched_shown_verified_and_exported(
    server: Pop3Server, site: Site, tmp_path_factory: pytest.TempPathFactory, has_index: bool, kind: str
) -> None:
    """The original still stands at its old place, and goes on."""
    place = mbox() if kind == "mbox" else maildir("archive/alice")
    site.writes(account("alice", source(server.port), place))
    assert site.migrate().code == 0
    if has_index:
        assert site.call("search", "*").code == 0
    backup = Site(tmp_path_factory.mktemp("backup"), site.environment)
    shutil.copytree(site.folder, backup.folder, dirs_exist_ok=True)
    server.maildrop.add(letter(7))
    assert site.migrate().code == 0
    before = backup.tree()
    with read_only(backup.folder):
        all_that_looks_works(backup, tmp_path_factory.mktemp("out"), 6)
    assert backup.tree() == before


def test_a_snapshot_with_the_ledger_s_log_has_what_was_committed_last(
    server: Pop3Server, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    backup = Site(tmp_path_factory.mktemp("snapshot"), site.environment)
    with with_a_log(site.state):
        assert (site.state / f"{FILE_NAME}-wal").stat().st_size
        server.maildrop.add(letter(7))
        assert site.migrate().code == 0
        shutil.copytree(site.folder, backup.folder, dirs_exist_ok=True)
    (backup.state / f"{FILE_NAME}-shm").unlink()
    with read_only(backup.folder):
        all_that_looks_works(backup, tmp_path_factory.mktemp("out"), 7)


def test_a_folder_that_a_worker_writes_elsewhere_is_read_where_it_is_mounted_read_only(
    server: Pop3Server, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    with with_a_log(site.state), read_only(site.folder):
        all_that_looks_works(site, tmp_path_factory.mktemp("out"), 6)


def test_what_would_write_says_that_the_state_is_read_only_and_does_nothing(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    assert site.call("reindex").code == 0
    server.maildrop.add(letter(7))
    before = site.tree()
    with read_only(site.folder):
        for arguments in (
            ("migrate",),
            ("restore", "--to", f"maildir:{site.folder}/x"),
            ("repair",),
            ("reindex",),
            ("run",),
            ("quarantine", "--accept", "--all"),
        ):
            done = site.call(*arguments)
            assert done.code == 1, (arguments, done)
            assert "damaged" not in done.out + done.err, (arguments, done)
            assert "internal error" not in done.out + done.err, (arguments, done)
            assert "read-only" in (done.out + done.err).lower(), (arguments, done)
        found = site.call("doctor").out
        assert "state cannot be written" in found
        assert "rebuild-ledger" not in found
        assert "search index" not in found
    assert site.tree() == before
    assert server.maildrop.left() == letters(7)


@pytest.mark.parametrize("has_log", [True, False])
def test_a_dry_run_needs_nothing_that_can_be_written(server: Pop3Server, site: Site, has_log: bool) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    assert site.migrate("--limit", "4").code == 0
    before = site.tree()
    with with_a_log(site.state) if has_log else nullcontext(), read_only(site.folder):
        done = site.migrate("--dry-run")
    assert (done.code, done.report["known"], done.report["new"]) == (0, 0, 2), done
    assert (site.tree() == before) is not has_log


def test_a_read_only_archive_is_looked_at_and_a_run_names_it(
    server: Pop3Server, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    assert site.migrate().code == 0
    server.maildrop.add(letter(7))
    with read_only(site.folder / "archive"):
        all_that_looks_works(site, tmp_path_factory.mktemp("out"), 6)
        found = site.call("doctor")
        assert (found.code, "cannot be written" in found.out) == (1, True), found
        done = site.migrate()
        assert done.code == 1
        assert {error["kind"] for error in done.report["errors"]} == {"archive"}
    assert server.maildrop.left() == [letter(7)]
    assert site.migrate().code == 0


def test_a_ledger_of_a_newer_release_has_one_cure(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    with closing(sqlite3.connect(site.state / FILE_NAME)) as sql:
        sql.execute("pragma user_version = 99")
    found = site.call("doctor")
    assert found.code == 1
    assert "install the newer mailferry again" in found.out
    assert "rebuild-ledger" not in found.out
    assert site.call("rebuild-ledger").code == 1
    assert not list(site.state.glob("*.damaged-*"))
