"""Disks that are full and folders that may not be written: a clear line, nothing deleted, nothing lost, and then all of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command_line import ROOT, Answer, Site, account, alice, maildir, source
from tests.faults import fill_disk, small_disk
from tests.mail import letter, letters
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

LARGE = [letter(number, octets=30_000) for number in range(1, 21)]
"""Twenty letters of some 30 kB."""


def completes(site: Site, server: Pop3Server, messages: list[bytes], stored: list[bytes]) -> None:
    """What was left is done by the next run, nothing twice, and a third has nothing to do."""
    done = site.migrate()
    assert (done.code, done.report["status"]) == (0, "ok"), done
    assert server.maildrop.left() == []
    assert len(stored) == 0 or set(stored) <= set(messages)
    again = site.migrate()
    assert (again.code, again.report["copied"], again.report["deleted"]) == (0, 0, 0)


def refused_for_room(done: Answer) -> None:
    """A migration that had no room says so, in JSON and in words with the cure."""
    assert done.code == 1, done
    assert "disk-full" in {error["kind"] for error in done.report["errors"]}, done.report
    assert "room" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
def test_a_full_archive_disk_loses_nothing_and_goes_on_once_there_is_room(site: Site, kind: str) -> None:
    with Pop3Server(Maildrop(LARGE)) as server:
        table = source(server.port, leave_on_server=False)
        tables = (
            [alice(server.port, leave_on_server=False)]
            if kind == "mbox"
            else [account("alice", table, maildir("archive/alice"))]
        )
        site.writes(*tables)
        (site.folder / "archive").mkdir()
        with small_disk(site.folder / "archive", 2_000_000):
            filler = fill_disk(site.folder / "archive", leave=200_000)
            refused_for_room(site.migrate())
            left = server.maildrop.left()
            stored = site.stored() if kind == "mbox" else site.maildir("archive/alice")
            assert set(LARGE) == set(left) | set(stored)
            filler.unlink()
            completes(site, server, LARGE, stored)
            stored = site.stored() if kind == "mbox" else site.maildir("archive/alice")
            assert sorted(stored) == sorted(LARGE)


def test_an_archive_that_fills_up_while_a_large_message_comes_loses_nothing(site: Site) -> None:
    messages = [letter(1), letter(2, octets=34_000_000), letter(3)]
    with Pop3Server(Maildrop(messages)) as server:
        site.writes(alice(server.port, leave_on_server=False))
        (site.folder / "archive").mkdir()
        with small_disk((site.folder / "archive"), 45_000_000):
            filler = fill_disk((site.folder / "archive"), leave=25_000_000)
            refused_for_room(site.migrate())
            assert set(messages) == set(server.maildrop.left()) | set(site.stored())
            filler.unlink()
            completes(site, server, messages, site.stored())
            assert sorted(site.stored()) == sorted(messages)


@pytest.mark.parametrize("leave", [0, 40_000, 150_000, 250_000])
def test_a_full_disk_under_ledger_and_spool_loses_nothing_and_goes_on_once_there_is_room(
    site: Site, leave: int
) -> None:
    with Pop3Server(Maildrop(LARGE)) as server:
        site.writes(alice(server.port, leave_on_server=False))
        site.state.mkdir()
        with small_disk(site.state, 4_000_000):
            filler = fill_disk(site.state, leave=leave)
            done = site.migrate()
            if done.code:
                refused_for_room(done)
            assert set(LARGE) == set(server.maildrop.left()) | set(site.stored())
            filler.unlink()
            completes(site, server, LARGE, site.stored())
            assert sorted(site.stored()) == sorted(LARGE)


# ------------------------------------------------------------------------------------------ no right to write


@contextmanager
def closed_to_writing(path: Path) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(before & ~0o222)
    try:
        yield
    finally:
        path.chmod(before)


def as_anybody(site: Site, *arguments: str) -> Answer:
    """Call the command without root's right to pass over permissions."""
    command = [sys.executable, "-m", "migrator", *arguments]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | site.environment
    done = subprocess.run(command, cwd=site.folder, env=environment, capture_output=True, text=True, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def test_an_archive_that_may_not_be_written_is_a_line_with_its_cure(site: Site, server: Pop3Server) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    (site.folder / "archive").mkdir()
    with closed_to_writing(site.folder / "archive"):
        done = as_anybody(site, "migrate", "--json")
    assert (done.code, done.report["deleted"]) == (1, 0)
    assert {error["kind"] for error in done.report["errors"]} == {"archive"}
    assert "the right to read and write" in done.err
    assert server.maildrop.left() == letters(6)
    completes(site, server, letters(6), site.stored())


def test_a_volume_that_may_not_be_written_keeps_its_mail_and_stops_none(site: Site, server: Pop3Server) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    server.maildrop.add(letter(7))
    site.writes(alice(server.port, leave_on_server=False))
    [volume] = (site.folder / "archive/alice").glob("*.mbox")
    with closed_to_writing(volume):
        done = as_anybody(site, "migrate", "--json")
        assert "Traceback" not in done.err
        assert set(letters(7)) == set(server.maildrop.left()) | set(site.stored())
    completes(site, server, letters(7), site.stored())
    assert site.stored() == letters(7)


@pytest.mark.parametrize("command", ["migrate", "status", "verify"])
def test_a_state_folder_that_may_not_be_written_is_a_line(site: Site, server: Pop3Server, command: str) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    site.state.mkdir()
    with closed_to_writing(site.state):
        done = as_anybody(site, command)
    said = done.out + done.err
    assert "Traceback" not in said
    assert "internal error" not in said
    assert command != "migrate" or (done.code in {1, 2} and str(site.state) in said), said
    assert server.maildrop.left() == letters(6)


@pytest.mark.parametrize("command", ["migrate", "status", "verify"])
def test_a_ledger_that_may_not_be_written_is_a_line(site: Site, server: Pop3Server, command: str) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    site.writes(alice(server.port, leave_on_server=False))
    with closed_to_writing(site.state / "ledger.sqlite3"), closed_to_writing(site.state):
        done = as_anybody(site, command)
    said = done.out + done.err
    assert "Traceback" not in said
    assert "internal error" not in said
    assert command != "migrate" or (done.code == 1 and str(site.state) in said and "let the user" in said), said
    assert server.maildrop.left() == letters(6)


def test_a_ledger_that_is_a_folder_is_a_line(site: Site, server: Pop3Server) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    (site.state / "ledger.sqlite3").mkdir(parents=True)
    done = site.call("migrate")
    assert done.code == 1
    assert "check that it is a file" in done.out
    assert server.maildrop.left() == letters(6)
