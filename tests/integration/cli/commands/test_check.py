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
    assert lines[1].startswith(f"  alice at 127.0.0.1: 12 messages, {octets} in all, offers ")
    assert lines[2].startswith(f"  mbox {tmp_path}/archive/alice: will be made, can be written, ")
    assert "True" not in lines[2]
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
