"""A sheet of accounts through the commands: the good rows are worked, the bad ones are named."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest

from tests.command_line import MESSAGES, Ferry
from tests.servers.pop3 import Pop3Server


@pytest.fixture
def sheet(server: Pop3Server, tmp_path: Path) -> Path:
    rows = [
        "name,host,port,tls,username,password",
        f"alice,127.0.0.1,{server.port},none,alice,{server.password}",
        "bob,,,,=bob,p",
        f"carol,127.0.0.1,{server.port},none,carol,wrong",
    ]
    (tmp_path / "config.toml").write_text('accounts_file = "accounts.csv"\n')
    path = tmp_path / "accounts.csv"
    path.write_text("\n".join(rows) + "\n")
    path.chmod(0o600)
    return path


def test_good_rows_are_worked_while_bad_ones_wait(ferry: Ferry, sheet: Path, tmp_path: Path) -> None:
    done = ferry("migrate", "--json")
    assert done.code == 1
    assert {one["name"]: one["status"] for one in done.reports} == {"alice": "ok", "carol": "failed"}
    assert 'accounts.csv, line 3: [source] of "bob": host: is missing' in done.err
    assert list((tmp_path / "archive" / "alice").glob("*.mbox"))
    assert ferry("migrate", "alice").code == 0, "who is named is worked, and no other row matters"
    named = ferry("migrate", "bob")
    assert named.code == 2
    assert "line 3" in named.err
    assert sheet.exists()


def test_a_bad_row_alone_makes_the_exit_code_1_and_is_a_finding(ferry: Ferry, sheet: Path) -> None:
    sheet.write_text("\n".join(sheet.read_text().splitlines()[:3]) + "\n")
    assert ferry("migrate").code == 1
    for command in ("check", "status", "doctor"):
        found = ferry(command, "--json").document["findings"]
        assert [one["severity"] for one in found if one["id"] == "account-row"] == ["broken"], command


def test_the_report_says_row_by_row_how_it_stands(
    ferry: Ferry, sheet: Path, server: Pop3Server, tmp_path: Path
) -> None:
    done = ferry("check", "--report", "report.csv")
    assert done.code == 1
    path = tmp_path / "report.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rows = {row["name"]: row for row in csv.DictReader(path.read_text().splitlines())}
    alice, bob, carol = rows["alice"], rows["bob"], rows["carol"]
    assert (alice["status"], alice["messages"], alice["octets"]) == ("ok", "12", str(sum(map(len, MESSAGES))))
    assert (alice["host"], alice["port"], alice["destination_status"]) == ("127.0.0.1", str(server.port), "ok")
    assert (carol["status"], carol["kind"]) == ("failed", "auth")
    assert (bob["status"], bob["kind"]) == ("failed", "account-row")
    assert "host: is missing" in bob["message"]
    assert "wrong" not in path.read_text()
    assert server.password not in path.read_text()


def test_the_report_names_the_address_that_the_sheet_has(
    ferry: Ferry, sheet: Path, server: Pop3Server, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(
        f'accounts_file = "accounts.csv"\n[defaults.source]\nhost = "127.0.0.1"\nport = {server.port}\ntls = "none"\n'
    )
    sheet.write_bytes(f"EmailAddress\tUserName\tPassword\na@b.example\tann\t{server.password}\n".encode("utf-16"))
    assert ferry("check", "--report", "report.csv").code == 0
    [row] = csv.DictReader((tmp_path / "report.csv").read_text().splitlines())
    assert (row["name"], row["address"], row["messages"]) == ("a@b.example", "a@b.example", "12")
    assert server.logins[-1].user == "ann"


def test_only_a_file_that_holds_a_password_is_exposed(ferry: Ferry, sheet: Path, server: Pop3Server) -> None:
    def exposed() -> list[str]:
        found = ferry("status", "--json").document["findings"]
        return [one["cure"]["command"][-1] for one in found if one["id"] == "config-exposed"]

    config = sheet.parent / "config.toml"
    config.chmod(0o644)
    assert exposed() == []
    sheet.chmod(0o644)
    assert [Path(path).name for path in exposed()] == ["accounts.csv"]
    sheet.write_text(f"name,host,port,tls,username\nalice,127.0.0.1,{server.port},none,alice\n")
    config.write_text(f'accounts_file = "accounts.csv"\n[defaults.source]\npassword = "{server.password}"\n')
    assert {Path(path).name for path in exposed()} >= {"config.toml"}


def test_a_password_that_is_not_there_fails_its_own_row_only(ferry: Ferry, sheet: Path, server: Pop3Server) -> None:
    sheet.write_text(
        "name,host,port,tls,username,password,password_env\n"
        f"alice,127.0.0.1,{server.port},none,alice,{server.password},\n"
        f"dave,127.0.0.1,{server.port},none,dave,,NO_SUCH_VARIABLE\n"
    )
    done = ferry("migrate", "--json")
    assert done.code == 1
    assert {one["name"]: one["status"] for one in done.reports} == {"alice": "ok", "dave": "failed"}
