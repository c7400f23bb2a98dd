from __future__ import annotations

from pathlib import Path

from migrator.ui.text import size
from tests.command_line import MESSAGES, Ferry, archived_account
from tests.servers.pop3 import Pop3Server


def test_every_end_says_what_it_offers_and_nothing_changes(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    done = ferry("check", "--json")
    [alice] = done.document["accounts"]
    assert (done.code, alice["name"], alice["status"]) == (0, "alice", "ok")
    assert alice["source"]["messages"] == 12
    assert alice["source"]["bytes"] == sum(map(len, MESSAGES))
    assert "UIDL" in alice["source"]["capabilities"]
    [archive] = alice["destinations"]
    assert archive["status"] == "ok"
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]
    assert not {"RETR", "DELE", "TOP"} & set(server.verbs())
    assert url


def test_a_person_reads_it_in_words(ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    lines = ferry("check").out.splitlines()
    octets = size(sum(map(len, MESSAGES)))
    assert lines[1] == f"  alice at 127.0.0.1: 12 messages, {octets} in all"
    assert lines[2].startswith(f"  mbox {tmp_path}/archive/alice: will be made, can be written, ")
    assert "True" not in lines[2]
    assert lines[3] == "  policy: everything stays on the server"
    assert f"{lines[1]}, offers " in ferry("check", "-v").out
    assert url


def test_an_end_that_does_not_answer_is_exit_code_1_and_a_line(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    text = archived_account("alice", server.port) + archived_account("eve", server.port, password='"hunter2"')
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "config.toml").chmod(0o600)
    done = ferry("check")
    assert done.code == 1
    assert "alice: ok\n" in done.out
    assert "eve: FAILED\n  eve at 127.0.0.1: [auth] " in done.out
    assert "hunter2" not in done.out
    quiet = ferry("check", "-q")
    assert "alice" not in quiet.out
    assert "eve: FAILED" in quiet.out
    assert url


def test_a_dead_server_is_one_line(ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    server.stop()
    done = ferry("check", "--json")
    [alice] = done.document["accounts"]
    assert (done.code, alice["source"]["kind"]) == (1, "connect")
    assert url


def test_an_archive_that_is_away_is_no_folder_that_will_be_made(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    assert ferry("migrate").code == 0
    (tmp_path / "archive").rename(tmp_path / "unmounted")
    done = ferry("check")
    assert (done.code, "will be made" in done.out) == (1, False)
    assert done.out.count("is not there") == 1
    assert done.out.startswith("alice: FAILED\n")
    [alice] = ferry("check", "--json").document["accounts"]
    assert (alice["status"], alice["destinations"][0]["kind"]) == ("failed", "archive")
    (tmp_path / "unmounted").rename(tmp_path / "archive")
    assert ferry("check").code == 0
    assert url


def test_of_many_accounts_each_that_answers_is_one_line(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    names = [f"user{number}" for number in range(12)]
    (tmp_path / "config.toml").write_text("".join(archived_account(name, server.port) for name in names))
    lines = [line for line in ferry("check").out.splitlines() if line.startswith("user")]
    octets = size(sum(map(len, MESSAGES)))
    words = f"ok, 12 messages, {octets} in all; policy: everything stays on the server"
    assert lines == [f"{name}: {words}" for name in names]
    assert "will be made" in ferry("check", "-v").out
    assert not [line for line in ferry("check", "-q").out.splitlines() if line.startswith("user")]
    assert url
