from __future__ import annotations

import os
import stat
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.adopting.programs import PROGRAMS
from migrator.cli import adopting_options
from tests.command_line import ROOT, Ferry
from tests.rig import mboxrd
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.terminal import talk
from tests.unit.adopting.left_behind import FILES, MESSAGES, PASSWORD, leaves, thunderbird_profile

NAME = "alice@127.0.0.1"
NEW = b"Message-ID: <new@example.org>\r\nSubject: new\r\n\r\nnew\r\n"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(MESSAGES)) as running:
        assert running.password == PASSWORD
        yield running


def account_file(folder: Path, name: str = NAME) -> Path:
    return folder / "xdg" / "mailferry" / "accounts.d" / f"{name}.toml"


def written(folder: Path, name: str = NAME) -> dict[str, Any]:
    [account] = tomllib.loads(account_file(folder, name).read_text())["accounts"]
    return dict(account)


def archived(folder: Path, name: str = NAME) -> list[bytes]:
    volumes = sorted((folder / "mail-archive" / name).glob("*.mbox"))
    return [message for volume in volumes for message in mboxrd(volume.read_bytes())]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_grammar_names_every_program() -> None:
    assert tuple(PROGRAMS) == adopting_options.PROGRAMS


@pytest.mark.parametrize("program", list(FILES))
def test_a_program_is_taken_over_and_only_new_mail_is_fetched(
    ferry: Ferry, server: Pop3Server, program: str, tmp_path: Path
) -> None:
    leaves(program, tmp_path, server.port)
    done = ferry("adopt", program, "--json")
    assert done.code == 0, done.err
    [one] = done.document["accounts"]
    assert one == {
        "name": NAME,
        "host": "127.0.0.1",
        "username": "alice",
        "imported": 4,
        "known": 4,
        "to_fetch": 0,
        "file": str(account_file(tmp_path)),
    }
    assert done.document["program"] == program
    assert len(server.logins) == 1
    assert server.counts()["RETR"] == 0
    server.maildrop.add(NEW)
    report = ferry("migrate", "--json").report
    assert (report["status"], report["known"], report["copied"]) == ("ok", 4, 1)
    assert sorted(archived(tmp_path)) == sorted([*MESSAGES, NEW])
    assert server.counts()["RETR"] == 1
    assert server.removed == []
    assert ferry("verify").code == 0


def test_thunderbird_is_taken_over_with_a_password_that_is_named(
    ferry: Ferry, server: Pop3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thunderbird_profile(tmp_path / ".thunderbird" / "x.default", server.port, MESSAGES)
    missing = ferry("adopt", "thunderbird")
    assert missing.code == 2
    assert "Password of alice at 127.0.0.1 is missing; give it by --password-env VAR" in missing.err
    assert not account_file(tmp_path).exists()
    monkeypatch.setenv("PASSWORD", server.password)
    done = ferry("adopt", "thunderbird", "--password-env", "PASSWORD", "--json")
    assert done.code == 0, done.err
    assert "imap.example.org: left out: it is imap, not pop3" in done.err
    assert written(tmp_path)["source"]["password"] == {"env": "PASSWORD"}
    [one] = done.document["accounts"]
    assert (one["imported"], one["known"], one["to_fetch"]) == (4, 4, 0)


def test_a_password_of_the_other_program_is_kept_apart_and_said_nowhere(
    ferry: Ferry, server: Pop3Server, tmp_path: Path
) -> None:
    leaves("mpop", tmp_path, server.port)
    done = ferry("adopt", "mpop", "-v")
    assert server.password not in done.out + done.err
    assert server.password not in account_file(tmp_path).read_text()
    source = written(tmp_path)["source"]
    assert "leave_on_server" not in source
    if "file" in source["password"]:
        secret = account_file(tmp_path).parent.parent / source["password"]["file"]
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert secret.read_text() == server.password


def test_a_dry_run_changes_nothing_and_says_the_same(ferry: Ferry, server: Pop3Server, tmp_path: Path) -> None:
    leaves("getmail", tmp_path, server.port)
    before = files(tmp_path)
    done = ferry("adopt", "getmail", "--dry-run", "--json")
    assert done.code == 0, done.err
    [one] = done.document["accounts"]
    assert (one["imported"], one["known"], one["to_fetch"]) == (4, 4, 0)
    assert files(tmp_path) == before


def test_a_second_call_goes_on_where_the_first_one_stopped(ferry: Ferry, server: Pop3Server, tmp_path: Path) -> None:
    leaves("fdm", tmp_path, server.port)
    assert ferry("adopt", "fdm").code == 0
    before = account_file(tmp_path).read_text()
    server.maildrop.add(NEW)
    again = ferry("adopt", "fdm", "--json")
    assert again.code == 0, again.err
    [one] = again.document["accounts"]
    assert (one["name"], one["imported"], one["known"], one["to_fetch"]) == (NAME, 0, 4, 1)
    assert account_file(tmp_path).read_text() == before
    assert [path.name for path in account_file(tmp_path).parent.iterdir()] == [f"{NAME}.toml"]


def test_a_refused_log_in_leaves_the_account_out_and_takes_the_others(
    ferry: Ferry, server: Pop3Server, tmp_path: Path
) -> None:
    leaves("fetchmail", tmp_path, server.port)
    rc = tmp_path / ".fetchmailrc"
    rc.write_text(rc.read_text() + "  user eve there with password wrong is eve here keep\n")
    done = ferry("adopt", "fetchmail", "--json")
    assert done.code == 1
    assert [one["name"] for one in done.document["accounts"]] == [NAME]
    assert [(one["name"], one["kind"]) for one in done.document["failed"]] == [("eve@127.0.0.1", "auth")]
    assert not account_file(tmp_path, "eve@127.0.0.1").exists()
    assert "wrong" not in done.out + done.err


def test_without_anything_to_take_over_nothing_is_touched(ferry: Ferry, tmp_path: Path) -> None:
    done = ferry("adopt", "mpop")
    assert done.code == 2
    assert "no configuration of mpop was found" in done.err
    (tmp_path / ".fetchmailrc").write_text("poll imap.example.org proto imap user alice\n")
    assert ferry("adopt", "fetchmail").code == 2
    assert ferry("adopt", "getmaill").code == 2
    assert not (tmp_path / "xdg").exists()


def test_mail_that_two_accounts_put_into_one_place_goes_where_its_server_shows_it(ferry: Ferry, tmp_path: Path) -> None:
    drops = {"alice": Maildrop(MESSAGES[:2]), "bob": Maildrop(MESSAGES[2:])}
    with Pop3Server(drops) as server:
        leaves("mpop", tmp_path, server.port)
        rc = tmp_path / ".mpoprc"
        rc.write_text(f"{rc.read_text()}\naccount bob : work\nuser bob\n")
        uidls = tmp_path / ".mpop_uidls" / "bob_at_127.0.0.1"
        uidls.write_text(" 2 127.0.0.1 bob\nuid-00000001\nuid-00000002\n")
        done = ferry("adopt", "mpop", "--json")
        assert done.code == 0, done.err
        found = {one["name"]: (one["imported"], one["known"], one["to_fetch"]) for one in done.document["accounts"]}
        assert found == {NAME: (2, 2, 0), "bob@127.0.0.1": (2, 2, 0)}
        assert archived(tmp_path) == MESSAGES[:2]
        assert archived(tmp_path, "bob@127.0.0.1") == MESSAGES[2:]
        assert ferry("migrate", "--json").code == 0
        assert server.counts()["RETR"] == 0


def test_on_a_terminal_each_account_is_asked_about(server: Pop3Server, tmp_path: Path) -> None:
    leaves("mpop", tmp_path, server.port)
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ} | {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "xdg"),
        "XDG_STATE_HOME": str(tmp_path / "xdg-state"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "migrator", "adopt", "mpop"]
    question = "Take over alice at 127.0.0.1, with 4 messages noted as fetched?"
    declined = talk(command, [(question, "n\n")], folder=tmp_path, environment=environment)
    assert "Nothing was taken over." in declined.said
    assert not account_file(tmp_path).exists()
    talk(command, [(question, "\n")], folder=tmp_path, environment=environment)
    assert account_file(tmp_path).exists()
