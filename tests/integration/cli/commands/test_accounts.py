from __future__ import annotations

from pathlib import Path

from tests.command_line import Ferry, archived_account
from tests.servers.pop3 import Pop3Server


def own_file(folder: Path, name: str, port: int) -> Path:
    (folder / "accounts.d").mkdir(exist_ok=True)
    path = folder / "accounts.d" / f"{name}.toml"
    path.write_text(archived_account(name, port))
    return path


def test_the_accounts_are_listed_with_the_file_that_each_stands_in(ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", 1110))
    bob = own_file(tmp_path, "bob", 1110)
    alice, listed = ferry("accounts", "--json").document["accounts"]
    assert alice["file"] == "config.toml"
    assert listed == {
        "name": "bob",
        "host": "127.0.0.1",
        "port": 1110,
        "username": "bob",
        "destinations": [f"mbox {tmp_path}/archive/bob"],
        "paused": False,
        "parked": False,
        "file": str(bob),
    }
    lines = ferry("accounts").out.splitlines()
    assert [line.split()[0] for line in lines] == ["ACCOUNT", "alice", "bob"]
    assert lines[0].endswith(" TO")  # what is longest is what the edge of a screen may break
    assert lines[1].endswith(f"  mbox {tmp_path}/archive/alice")
    assert not (tmp_path / "state").exists()


def test_a_paused_account_is_worked_only_when_it_is_named(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port) + archived_account("bob", server.port))
    assert ferry("pause", "alice").code == 0
    done = ferry("migrate")
    assert (done.code, "alice: paused, so left out" in done.err) == (0, True)
    assert "alice:" not in done.out
    assert [account["paused"] for account in ferry("accounts", "--json").document["accounts"]] == [True, False]
    assert [finding["id"] for finding in ferry("status", "--json").document["findings"]].count("paused") == 1
    assert ferry("migrate", "alice").out.startswith("alice: ")
    assert ferry("resume", "alice").out == "alice: is worked again\n"
    assert ferry("resume", "alice").out == "alice: was not paused\n"
    assert "alice: " in ferry("migrate").out
    assert "paused" not in [finding["id"] for finding in ferry("status", "--json").document["findings"]]
    assert ferry("pause", "alcie").code == 2
    assert url


def test_an_account_is_removed_and_its_mail_stays(ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    path = own_file(tmp_path, "bob", server.port)
    secret = tmp_path / "secrets" / "bob"
    secret.parent.mkdir()
    secret.write_text(server.password)
    path.write_text(archived_account("bob", server.port, password='{ file = "secrets/bob" }'))
    assert ferry("migrate", "bob").code == 0
    done = ferry("remove", "bob")
    assert (done.code, path.exists(), secret.exists()) == (0, False, False)
    assert f"its mail stays in mbox {tmp_path}/archive/bob" in done.out
    assert list((tmp_path / "archive" / "bob").glob("*.mbox"))
    assert [account["name"] for account in ferry("accounts", "--json").document["accounts"]] == ["alice"]
    refused = ferry("remove", "alice")
    assert refused.code == 2
    assert 'account "alice" stands in config.toml, line ' in refused.err
    assert url
