from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from migrator.cli.commands.migrate import _waits_for
from migrator.report import Storing
from tests.command_line import MESSAGES, ROOT, Ferry, archived_account
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Command, Fault, Pop3Server
from tests.servers.pop3_session import Session
from tests.servers.pop3_wire import Wire

FROM = ("--from-password-env", "PASSWORD")


def archived(folder: Path) -> int:
    return sum(volume.read_bytes().count(b"\nMessage-ID: ") for volume in folder.glob("*.mbox"))


def test_mail_comes_home_without_a_configuration_file(ferry: Ferry, url: str, tmp_path: Path) -> None:
    done = ferry("migrate", "--from", url, "--to", "mbox:archive", *FROM)
    assert done.code == 0
    assert done.out.startswith(
        "alice@127.0.0.1: done: 12 on the server = 0 already safe + 12 new; 12 new = 12 copied + 0 duplicates"
    )
    assert archived(tmp_path / "archive") == 12
    assert (tmp_path / "xdg-state/mailferry/ledger.sqlite3").exists()


def test_with_json_stdout_holds_one_document(ferry: Ferry, url: str, server: Pop3Server) -> None:
    done = ferry("migrate", "--json", "--from", url, "--to", "mbox:a", *FROM, "--leave-on-server", "false")
    [report] = done.document["accounts"]
    assert (done.code, report["status"], report["copied"], report["deleted"]) == (0, "ok", 12, 12)
    assert "12 copied" in done.err
    assert server.maildrop.left() == []


def test_a_dry_run_changes_nothing_anywhere(ferry: Ferry, url: str, server: Pop3Server, tmp_path: Path) -> None:
    done = ferry("migrate", "--from", url, "--to", "mbox:a", *FROM, "--leave-on-server", "false", "--dry-run", "--json")
    [report] = done.document["accounts"]
    assert (done.code, report["new"], report["remaining"]) == (0, 12, 12)
    assert list(tmp_path.rglob("*")) == []
    assert server.counts()["RETR"] == 0
    assert server.maildrop.left() == list(MESSAGES)


def test_quiet_says_nothing_when_all_is_well(ferry: Ferry, url: str) -> None:
    done = ferry("migrate", "-q", "--from", url, "--to", "mbox:archive", *FROM)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_the_limit_is_no_failure(ferry: Ferry, url: str) -> None:
    done = ferry("migrate", "--json", "--from", url, "--to", "mbox:archive", *FROM, "--limit", "5")
    [report] = done.document["accounts"]
    assert (done.code, report["copied"], report["remaining"]) == (0, 5, 7)


def test_a_file_works_all_accounts_or_those_named(ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port) + archived_account("bob", server.port))
    done = ferry("migrate", "--json", "bob")
    assert [report["name"] for report in done.document["accounts"]] == ["bob"]
    done = ferry("migrate")
    assert done.code == 0
    assert "alice: done: 12 on the server" in done.out
    assert "bob: done: 12 on the server = 12 already safe + 0 new" in done.out
    assert "2 accounts: 2 done; 12 copied, 0 deleted in all" in done.out
    assert url


def test_an_account_that_fails_is_named_and_delays_none(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(
        archived_account("eve", server.port, password='"hunter2"') + archived_account("bob", server.port)
    )
    done = ferry("migrate", "--json")
    eve, bob = done.document["accounts"]
    assert (done.code, eve["status"], bob["status"], bob["copied"]) == (1, "failed", "ok", 12)
    assert eve["errors"][0]["kind"] == "auth"
    assert "eve: FAILED, nothing was changed\n  [auth] " in done.err
    assert "hunter2" not in done.out + done.err
    assert url


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--to", "mbox:a"], "--from: is missing; say where the mail is"),
        (["--from", "pop3s://a@h"], "--to: is missing; say where the mail goes"),
        (["--from", "pop3s://a@h", "--to", "mbox:a", "alice"], "stand alone, without -c and names"),
        (["--from", "pop3s://a@h", "--to", "mbox:a", "-c", "x"], "stand alone, without -c and names"),
        (["--state-dir", "s"], "--state-dir: goes with --from and --to only"),
        (["--from-password-env", "P"], "--from-password-...: goes with --from and --to only"),
        (["--from", "pop3s://a:hunter2@h", "--to", "mbox:a"], "a password must not stand in a URL"),
        (
            ["--from", "pop3s://a@h", "--to", "mbox:a"],
            "--from: no password for a at h; give one by --from-password-env VAR",
        ),
        (
            ["--from", "pop3s://a@h", "--to", "mbox:a", "--from-password-env", "NO"],
            "the environment variable NO is not set",
        ),
        (["--from", "pop3s://a@h", "--to", "mbox:a", "--from-password-file", "no"], "no cannot be read: No such file"),
        (["--from", "pop3s://a@h", "--to", "mbox:a", "--from-password-command", "'x"], "cannot be split into words"),
        (
            ["--from", "pop3s://a@h", "--to", "mbox:a", *FROM, "--to-password-env", "PASSWORD"],
            "--to-password-...: given more often than there are servers",
        ),
        ([], "no configuration found"),
        (["-c", "no.toml"], "no.toml: there is no such file"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_touched(
    ferry: Ferry, arguments: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "hunter2")
    monkeypatch.delenv("NO", raising=False)
    done = ferry("migrate", *arguments)
    assert (done.code, done.out) == (2, "")
    assert line in done.err
    assert "hunter2" not in done.err
    assert list(tmp_path.rglob("*")) == []


def test_an_unknown_account_and_a_missing_password_source_are_wrong_usage(
    ferry: Ferry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PASSWORD", raising=False)
    (tmp_path / "config.toml").write_text(archived_account("alice", 1110))
    done = ferry("migrate", "--json", "alcie")
    assert done.code == 2
    assert done.document["errors"][0]["message"] == 'there is no account "alcie"; did you mean "alice"?'
    done = ferry("migrate")
    assert (done.code, done.err) == (2, 'account "alice": the environment variable PASSWORD is not set\n')
    assert not (tmp_path / "state").exists()


def test_a_password_comes_from_a_file_that_may_be_a_pipe(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{server.password}\n".encode())
    os.close(writing)
    done = ferry("migrate", "--from", url, "--to", "mbox:a", "--from-password-file", f"/dev/fd/{reading}")
    os.close(reading)
    assert done.code == 0
    assert archived(tmp_path / "a") == 12


def test_a_password_comes_from_a_command(ferry: Ferry, server: Pop3Server, url: str) -> None:
    command = f"{sys.executable} -c 'print(\"{server.password}\")'"
    assert ferry("migrate", "--from", url, "--to", "mbox:a", "--from-password-command", command).code == 0


def test_a_damaged_ledger_fails_every_account_with_its_document(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    (tmp_path / "state").mkdir()
    (tmp_path / "state/ledger.sqlite3").write_bytes(b"no database " * 1000)
    done = ferry("migrate", "--json")
    [report] = done.document["accounts"]
    assert (done.code, report["name"], report["status"]) == (1, "alice", "failed")
    assert "ledger.sqlite3" in report["errors"][0]["message"]
    assert server.connections == 0
    assert url


def test_a_state_folder_that_cannot_be_used_is_a_line(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = ferry("migrate", "--from", url, "--to", "mbox:a", *FROM, "--state-dir", "file")
    assert done.code == 2
    assert "state_dir" in done.err
    assert "cannot be used" in done.err
    assert server.connections == 0


class HoldBack(Fault):
    """Answers the fifth RETR only when it is let go."""

    def __init__(self) -> None:
        self.is_asked = Event()
        self.may_go = Event()

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if command.verb == "RETR" and session.server.counts()["RETR"] == 5:  # type: ignore[attr-defined]  # a Pop3Server
            self.is_asked.set()
            self.may_go.wait(60)
        return wire


@pytest.fixture
def holding() -> Iterator[tuple[Pop3Server, HoldBack]]:
    fault = HoldBack()
    with Pop3Server(Maildrop(MESSAGES), faults=[fault]) as server:
        yield server, fault
        fault.may_go.set()


def started(server: Pop3Server, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "migrator", "migrate", *arguments, "--from-password-env", "PASSWORD"]
    command += ["--from", f"pop3://alice@127.0.0.1:{server.port}?tls=none", "--to", f"mbox:{folder}/archive"]
    return subprocess.Popen(
        [*command, "--state-dir", f"{folder}/state", "--leave-on-server", "false"],
        cwd=ROOT,
        env={**os.environ, "PASSWORD": server.password},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_with_130_and_the_next_completes_it(
    holding: tuple[Pop3Server, HoldBack], tmp_path: Path, number: signal.Signals
) -> None:
    server, fault = holding
    with started(server, tmp_path, "--json") as process:
        assert fault.is_asked.wait(60)
        process.send_signal(number)
        assert process.stderr is not None
        while "stopping" not in process.stderr.readline():
            assert process.poll() is None
        fault.may_go.set()
        out, err = process.communicate()
    assert process.returncode == 130, err
    [report] = json.loads(out)["accounts"]
    assert report["listed"] == 12
    assert len(server.maildrop.left()) + report["deleted"] == 12
    with started(server, tmp_path) as process:
        process.communicate()
    assert process.returncode == 0
    assert server.maildrop.left() == []
    assert archived(tmp_path / "archive") == 12


def test_a_second_ctrl_c_ends_at_once_and_loses_nothing(holding: tuple[Pop3Server, HoldBack], tmp_path: Path) -> None:
    server, fault = holding
    with started(server, tmp_path) as process:
        assert fault.is_asked.wait(60)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "stopping" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert said == "stopped at once; nothing is lost; run again to go on\n"
    fault.may_go.set()
    with started(server, tmp_path) as process:
        process.communicate()
    assert process.returncode == 0
    assert archived(tmp_path / "archive") == 12


def test_on_a_terminal_the_password_is_asked_for_without_echo(server: Pop3Server, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "migrator", "migrate", "--from", f"pop3://alice@127.0.0.1:{server.port}?tls=none"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*command, "--to", f"mbox:{tmp_path}/archive", "--state-dir", f"{tmp_path}/state", "--no-color"],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        seen = b""
        while b"Password of alice at 127.0.0.1: " not in seen:
            seen += os.read(ours, 4096)
        os.write(ours, f"{server.password}\n".encode())
        while chunk := _read(ours):
            seen += chunk
    os.close(ours)
    assert process.returncode == 0
    assert b"12 copied" in seen
    assert server.password.encode() not in seen


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so when the other side has closed
        return b""


def test_thirty_accounts_that_are_well_are_thirty_lines(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    names = [f"user{number}" for number in range(30)]
    (tmp_path / "config.toml").write_text("".join(archived_account(name, server.port) for name in names))
    done = ferry("migrate")
    lines = done.out.splitlines()
    assert (done.code, len(lines)) == (0, 31)
    assert all(line.startswith(f"{name}: done: 12 ") for line, name in zip(lines, names, strict=False))
    assert lines[-1] == f"30 accounts: 30 done; {sum(copied_of(line) for line in lines[:-1])} copied, 0 deleted in all"
    assert url


def copied_of(line: str) -> int:
    words = line.replace(",", "").split()
    return int(words[words.index("copied") - 1]) if "copied" in words else 0


def test_a_dry_run_says_of_what_is_archived_what_it_is(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    assert ferry("migrate", "--from", url, "--to", "mbox:a", *FROM, "--limit", "4").code == 0
    done = ferry("migrate", "--from", url, "--to", "mbox:a", *FROM, "--leave-on-server", "false", "--dry-run")
    told = [line for line in done.out.splitlines() if line.startswith("  would delete")]
    assert len(told) == 12
    assert sum("@example.org" in line for line in told) == 4
    assert done.out.splitlines()[-1].startswith("dry run, nothing was changed: would copy 8 (")
    assert done.out.endswith("delete 12\n")
    assert server.counts()["RETR"] == 4


def test_a_worker_has_no_document_to_give(ferry: Ferry) -> None:
    assert ferry("run", "--json").code == 2


def test_what_an_end_waits_for_is_said_with_the_time_it_takes() -> None:
    storing = Storing(iter([10.0, 12.0, 13.0]).__next__)
    assert _waits_for(storing) == ""
    storing.begun(27_000_000)
    assert _waits_for(storing) == "27 MB are being stored"
    storing.ended(9_000_000)
    assert _waits_for(storing) == "18 MB are being stored, about 6 s"
