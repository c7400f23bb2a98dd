"""What ``migrate --from … --to …`` archived is looked at by ``--state-dir``."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.cli.parser import parser
from tests.command_line import MESSAGES, Ferry
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

FROM = ("--from-password-env", "PASSWORD")


@pytest.fixture
def archived(ferry: Ferry, url: str, tmp_path: Path) -> str:
    """Twelve messages, fetched without a configuration; returns the account's name."""
    done = ferry(
        "migrate", "--from", url, "--to", "mbox:a", "--leave-on-server", "false", *FROM, "--state-dir", "my st"
    )
    assert done.code == 0
    assert done.err.endswith("Look at it later: mailferry status --state-dir 'my st'\n")
    assert (tmp_path / "my st" / "config.toml").is_file()
    return "alice@127.0.0.1"


def test_every_command_that_reads_takes_the_state_folder(
    ferry: Ferry, archived: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    at = ("--state-dir", tmp_path / "my st")
    [account] = ferry("status", *at, "--json").document["accounts"]
    assert (account["name"], account["deleted"]) == (archived, 12)
    assert [held["messages"] for held in account["archived"]] == [12]
    assert ferry("verify", *at, "--json").document["ok"] == 12
    hits = ferry("search", "letter", *at, "--json").document["hits"]
    assert len(hits) == 12
    assert ferry("show", hits[0]["id"], *at).code == 0
    assert ferry("export", *at, "--to", "out", "--format", "eml", "--json").document["written"] == 12
    assert ferry("restore", *at, "--to", "maildir:back", "--json").document["restored"] == 12
    assert len(ferry("receipts", archived, *at, "--json").document["receipts"]) == 12
    assert ferry("quarantine", *at, "--json").document == {"messages": []}
    assert ferry("check", *at).code == 0
    assert ferry("doctor", *at).code == 0
    for command in ("repair", "reindex", "rebuild-ledger"):
        assert ferry(command, *at).code == 0


def test_the_state_folder_stands_in_place_of_a_file(ferry: Ferry, archived: str) -> None:
    both = ferry("status", "-c", "my st/config.toml", "--state-dir", "my st")
    assert (both.code, both.err) == (2, "--state-dir: goes in place of -c, not with it\n")
    assert ferry("status", "-c", "my st/config.toml", "--json").document["accounts"][0]["name"] == archived
    assert ferry("run", "--state-dir", "my st").code == 2


def test_a_cure_names_the_state_folder(ferry: Ferry, archived: str, tmp_path: Path) -> None:
    [volume] = (tmp_path / "a").glob("*.mbox")
    volume.write_bytes(volume.read_bytes().replace(b"letter 3", b"latter 3"))
    assert f"  mailferry repair --state-dir 'my st' {archived}\n" in ferry("verify", "--state-dir", "my st").out


def test_the_cure_of_a_finding_can_be_run_as_it_stands(ferry: Ferry, archived: str, tmp_path: Path) -> None:
    [volume] = (tmp_path / "a").glob("*.mbox")
    volume.write_bytes(volume.read_bytes().replace(b"letter 3", b"latter 3"))
    assert ferry("verify", "--state-dir", "my st").code == 1
    found = ferry("status", "--state-dir", "my st", "--json").document["findings"]
    commands = [finding["cure"]["command"] for finding in found if finding["cure"]["command"]]
    assert commands
    for program, *words in commands:
        assert (program, words[:2]) == ("mailferry", ["-c", "my st/config.toml"])
        assert parser().parse_args(words).command
    assert archived


def test_two_runs_are_seen_together(ferry: Ferry, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pop3Server(Maildrop(MESSAGES[:3])) as other:
        monkeypatch.setenv("OTHER", other.password)
        bob = f"pop3://bob@127.0.0.1:{other.port}?tls=none"
        assert ferry("migrate", "--from", url, "--to", "mbox:a", *FROM, "--state-dir", "st").code == 0
        assert ferry("migrate", "--from", url, "--to", "maildir:b", *FROM, "--state-dir", "st").code == 0
        arguments = ("--from-password-env", "OTHER", "--state-dir", "st", "--json")
        assert ferry("migrate", "--from", bob, "--to", "mbox:c", *arguments).code == 0
    alice, second = ferry("status", "--state-dir", "st", "--json").document["accounts"]
    assert [held["messages"] for held in alice["archived"]] == [12, 12]
    assert [held["messages"] for held in second["archived"]] == [3]
    again = ferry("migrate", "--from", url, "--to", "mbox:a", *FROM, "--state-dir", "st", "--json")
    assert again.report["known"] == 12


def test_without_a_state_folder_the_usual_one_is_named(ferry: Ferry, url: str, tmp_path: Path) -> None:
    done = ferry("migrate", "--from", url, "--to", "mbox:a", *FROM)
    usual = tmp_path / "xdg-state" / "mailferry"
    assert done.err.endswith(f"Look at it later: mailferry status --state-dir {usual}\n")
    assert f"what that has archived is seen with --state-dir {usual}" in ferry("status").err


def test_a_dry_run_leaves_nothing(ferry: Ferry, url: str, tmp_path: Path) -> None:
    done = ferry("migrate", "--dry-run", "--from", url, "--to", "mbox:a", *FROM, "--state-dir", "st")
    assert "Look at it later" not in done.err
    assert not (tmp_path / "st").exists()


def test_a_password_from_a_file_stays_a_reference(ferry: Ferry, url: str, server: Pop3Server, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(server.password)
    arguments = ("--from-password-file", "pw", "--state-dir", "st")
    assert ferry("migrate", "--from", url, "--to", "mbox:a", *arguments).code == 0
    text = (tmp_path / "st" / "config.toml").read_text()
    assert f'password = {{file = "{tmp_path}/pw"}}' in text
    assert server.password not in text


def test_what_was_never_archived_is_told(ferry: Ferry) -> None:
    done = ferry("status", "--state-dir", "no")
    assert (done.code, done.err) == (2, "--state-dir no: nothing was archived with this state folder\n")


def test_a_user_with_other_characters_is_known_by_its_own_name(ferry: Ferry, server: Pop3Server, url: str) -> None:
    odd = url.replace("alice@", "alice%2Bnews@")
    assert ferry("migrate", "--from", odd, "--to", "mbox:a", *FROM, "--state-dir", "st").code == 0
    [account] = ferry("status", "--state-dir", "st", "--json").document["accounts"]
    assert account["name"] == "alice+news@127.0.0.1"
    assert server.port


def test_a_password_that_was_typed_is_missed_by_check_alone(ferry: Ferry, archived: str, tmp_path: Path) -> None:
    config = tmp_path / "my st" / "config.toml"
    variable = "MAILFERRY_PASSWORD_ALICE_127_0_0_1"
    config.write_text(config.read_text().replace('env = "PASSWORD"', f'env = "{variable}"'))
    check = ferry("check", "--state-dir", "my st")
    assert (check.code, check.err) == (2, f'account "{archived}": the environment variable {variable} is not set\n')
    assert ferry("doctor", "--state-dir", "my st").code == 0
    found = ferry("status", "--state-dir", "my st", "--json").document["findings"]
    assert {finding["severity"] for finding in found} == {"hint"}


def test_nothing_is_to_be_looked_at_where_no_mailbox_was_seen(
    ferry: Ferry, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "wrong")
    done = ferry("migrate", "--from", url, "--to", "mbox:a", *FROM, "--state-dir", "st")
    assert (done.code, "Look at it later" in done.err) == (1, False)
    [account] = ferry("status", "--state-dir", "st", "--json").document["accounts"]
    assert account["on_server"] is None


def test_a_moved_archive_is_known_at_once_and_the_line_to_edit_is_named(
    ferry: Ferry, archived: str, tmp_path: Path
) -> None:
    at = ("--state-dir", "my st")
    (tmp_path / "a").rename(tmp_path / "b")
    done = ferry("moved", "a", "b", *at)
    config = tmp_path / "my st" / "config.toml"
    [line] = [one for one in done.out.splitlines() if "config.toml:" in one]
    assert (done.code, f'path = "{tmp_path}/a"' in line) == (0, True)
    config.write_text(config.read_text().replace(f'"{tmp_path}/a"', f'"{tmp_path}/b"'))
    assert ferry("verify", *at, "--json").document["ok"] == 12
    assert ferry("doctor", *at).code == 0
    assert archived
