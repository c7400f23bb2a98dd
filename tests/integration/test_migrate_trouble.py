"""From outside: servers that are down, silent, busy or slow, runs side by side, and an end in the middle."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.command_line import Site, account, alice, maildir, mbox, source
from tests.mail import letter, letters
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Command, Fault, Pop3Server
from tests.servers.pop3_faults import (
    Answers,
    ConnectionsRefused,
    ExclusiveAccess,
    LoginDelay,
    LoginRefused,
    PasswordEchoed,
    Stall,
)
from tests.servers.pop3_session import Session
from tests.servers.pop3_wire import Wire

PASSWORD = "open-sesame"


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(letters(6))) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, {"PASSWORD": PASSWORD})


class HoldBack(Fault):
    """Answers the third RETR only when it is let go."""

    def __init__(self) -> None:
        self.is_asked = Event()
        self.may_go = Event()
        self._asked = 0

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if command.verb == "RETR":
            self._asked += 1
            if self._asked == 3:
                self.is_asked.set()
                self.may_go.wait(60)
        return wire


@pytest.fixture
def holding() -> Iterator[tuple[Pop3Server, HoldBack]]:
    fault = HoldBack()
    with Pop3Server(Maildrop(letters(6)), faults=[fault]) as server:
        yield server, fault
        fault.may_go.set()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (LoginRefused("[AUTH] no"), "auth"),
        (LoginRefused("[IN-USE] locked"), "in-use"),
        (LoginRefused("[SYS/TEMP] later"), "temporary"),
        (LoginRefused("[SYS/PERM] never"), "refused"),
        (ConnectionsRefused(0), "connect"),
        (Stall("GREETING"), "timeout"),
        (Stall("LIST"), "timeout"),
        (Answers("UIDL", words="+OK\r\nrubbish here\r\n."), "protocol"),
    ],
)
def test_an_account_that_cannot_be_worked_is_failed_with_one_kind(site: Site, fault: Fault, kind: str) -> None:
    with Pop3Server(Maildrop(letters(2)), faults=[fault]) as server:
        site.writes(alice(server.port, leave_on_server=False, timeout="1 second"))
        began = time.monotonic()
        done = site.migrate()
        assert time.monotonic() - began < 60
        assert (done.code, done.report["status"], done.report["listed"]) == (1, "failed", 0)
        assert [(error["kind"], error["uidl"]) for error in done.report["errors"]] == [(kind, None)]
        assert len(server.logins) <= 3
        assert server.maildrop.left() == letters(2)
        assert "Traceback" not in done.err


def test_one_account_that_is_dead_or_silent_delays_no_other(server: Pop3Server, site: Site) -> None:
    with Pop3Server(Maildrop(letters(2)), faults=[Stall("LIST")]) as silent:
        people = [
            account("dead", source(1), mbox("archive/dead")),
            account("silent", source(silent.port, timeout="20 seconds"), mbox("archive/silent")),
            account("alice", source(server.port, leave_on_server=False), mbox()),
        ]
        site.writes(*people)
        with site.start("migrate", "--json") as process:
            deadline = time.monotonic() + 15
            while server.maildrop.left() and time.monotonic() < deadline:
                assert process.poll() is None
                Event().wait(0.02)
            assert server.maildrop.left() == []
            silent.stop()
            process.communicate()
        assert process.returncode == 1


def test_a_short_login_delay_is_waited_out(site: Site) -> None:
    with Pop3Server(Maildrop(letters(2)), faults=[LoginDelay(2)]) as server:
        site.writes(alice(server.port))
        assert site.migrate().report["status"] == "ok"
        done = site.migrate()
        assert (done.code, done.report["known"]) == (0, 2), done.report


def test_a_long_login_delay_is_reported_at_once(site: Site) -> None:
    with Pop3Server(Maildrop(letters(2)), faults=[LoginDelay(3600)]) as server:
        site.writes(alice(server.port))
        assert site.migrate().report["status"] == "ok"
        server.maildrop.add(letter(3))
        began = time.monotonic()
        done = site.migrate()
        assert time.monotonic() - began < 30
        assert (done.code, done.report["status"]) == (1, "failed")
        assert [error["kind"] for error in done.report["errors"]] == ["login-delay"]
        assert site.stored() == letters(2)


def test_an_account_that_another_process_works_is_locked(holding: tuple[Pop3Server, HoldBack], site: Site) -> None:
    server, fault = holding
    site.writes(alice(server.port, leave_on_server=False))
    with site.start("migrate", "--json") as first:
        assert fault.is_asked.wait(60)
        second = site.migrate()
        assert (second.code, second.report["status"]) == (1, "failed")
        assert [error["kind"] for error in second.report["errors"]] == ["locked"]
        fault.may_go.set()
        first.communicate()
    assert first.returncode == 0
    assert site.stored() == letters(6)
    assert server.maildrop.left() == []


def test_accounts_of_one_user_take_turns(site: Site) -> None:
    with Pop3Server(Maildrop(letters(6)), faults=[ExclusiveAccess()]) as server:
        site.writes(*[account(name, source(server.port), mbox(f"archive/{name}")) for name in ("one", "two", "three")])
        done = site.migrate()
        assert done.code == 0, done.out
        assert [report["copied"] for report in done.reports] == [6, 6, 6]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_in_the_middle_is_130_with_a_report_that_adds_up(
    holding: tuple[Pop3Server, HoldBack], site: Site, number: signal.Signals
) -> None:
    server, fault = holding
    site.writes(alice(server.port, leave_on_server=False))
    with site.start("migrate", "--json") as process:
        assert fault.is_asked.wait(60)
        process.send_signal(number)
        assert process.stderr is not None
        while "stopping" not in process.stderr.readline():
            assert process.poll() is None
        fault.may_go.set()
        out, _ = process.communicate()
    assert process.returncode == 130
    from tests.command_line import Answer

    report = Answer(130, out, "").report
    assert report["status"] == "partial"
    assert report["remaining"] > 0
    assert Counter(site.stored() + server.maildrop.left()) >= Counter(letters(6))
    assert site.migrate().code == 0
    assert (site.stored(), server.maildrop.left()) == (letters(6), [])
    assert site.call("verify").code == 0


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_whatever_the_umask_files_are_0600_and_folders_0700(server: Pop3Server, site: Site, umask: int) -> None:
    server.maildrop.add(letter(7, octets=4_200_000))
    site.writes(
        'state_dir = "far/off/state"',
        account("alice", source(server.port), mbox("deep/er/archive"), maildir("deep/copy")),
    )
    before = set(site.folder.rglob("*"))
    assert site.migrate(umask=umask).code == 0
    made = set(site.folder.rglob("*")) - before
    assert {path for path in made if path.suffix == ".mbox"}
    for path in made:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_password_appears_nowhere(site: Site) -> None:
    seen = site.folder / "environment"
    command = site.folder / "password"
    command.write_text(f"#!/bin/sh\nenv > {seen}; ps -ef >> {seen}\necho {PASSWORD}\n")
    command.chmod(0o700)
    with Pop3Server(Maildrop(letters(2)), faults=[PasswordEchoed()]) as server:
        sources = {
            "env": '{ env = "PASSWORD" }',
            "text": f'"{PASSWORD}"',
            "file": '{ file = "secret" }',
            "command": f'{{ command = "{command}" }}',
        }
        (site.folder / "secret").write_text(f"{PASSWORD}\n")
        people = [
            account(name, source(server.port, user=name, password=given), mbox(f"archive/{name}"))
            for name, given in sources.items()
        ]
        site.writes(*people)
        for arguments in (["migrate", "--json"], ["migrate", "-v"], ["check", "--json"], ["check", "-v"], ["status"]):
            done = site.call(*arguments)
            assert PASSWORD not in done.out + done.err, arguments
            assert "Traceback" not in done.err
    for path in site.state.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path
    assert PASSWORD not in seen.read_text()


def test_no_process_shows_the_password(holding: tuple[Pop3Server, HoldBack], site: Site) -> None:
    server, fault = holding
    (site.folder / "secret").write_text(f"{PASSWORD}\n")
    url = f"pop3://alice@127.0.0.1:{server.port}?tls=none"
    with site.start("migrate", "--from", url, "--to", "mbox:a", "--from-password-file", "secret") as process:
        assert fault.is_asked.wait(60)
        for name in ("cmdline", "environ"):
            shown = Path(f"/proc/{process.pid}/{name}").read_bytes().replace(b"PASSWORD=" + PASSWORD.encode(), b"")
            assert PASSWORD.encode() not in shown
        fault.may_go.set()
        process.communicate()
    assert process.returncode == 0


def test_a_wrong_password_changes_nothing(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port, password='"hunter2"', leave_on_server=False))
    done = site.migrate()
    assert (done.code, done.report["status"], done.report["errors"][0]["kind"]) == (1, "failed", "auth")
    assert "hunter2" not in done.out + done.err
    assert server.counts()["RETR"] == 0
    text = site.call("migrate")
    assert text.out.startswith("alice: FAILED")
    assert text.code == 1


def test_a_corrupted_ledger_is_one_clear_line_and_nothing_is_touched(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    ledger = site.state / "ledger.sqlite3"
    for other in site.state.glob("ledger.sqlite3-*"):
        other.unlink()
    ledger.write_bytes(b"\0" * 4096 + ledger.read_bytes()[4096:])
    archive = site.stored()
    site.writes(alice(server.port, leave_on_server=False))
    done = site.migrate()
    assert (done.code, done.report["status"], server.counts()["DELE"]) == (1, "failed", 0)
    assert "ledger.sqlite3" in done.report["errors"][0]["message"]
    assert "Traceback" not in done.err
    assert site.stored() == archive
    ledger.unlink()
    again = site.migrate()
    assert (again.code, again.report["copied"], again.report["deleted"]) == (0, 0, 6)
    assert site.stored() == archive


def test_a_ledger_of_a_newer_program_is_left_alone(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    with sqlite3.connect(site.state / "ledger.sqlite3") as ledger:
        ledger.execute("pragma user_version = 99")
    ledger.close()
    done = site.migrate()
    assert (done.code, done.report["status"]) == (1, "failed")
    assert "newer mailferry" in done.report["errors"][0]["message"]


def test_the_installed_command_and_the_module_are_one(site: Site) -> None:
    module = site.call("--version")
    script = Path(sys.executable).with_name("mailferry")
    installed = subprocess.run([script, "--version"], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert module.code == 0
    assert module.out == installed.stdout
