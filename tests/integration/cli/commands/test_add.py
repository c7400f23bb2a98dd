"""``add`` with a server that is named: the log-ins, what is written, where passwords go, and the questions."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import MESSAGES, ROOT, Ferry, Site, archived_account
from tests.servers.dovecot import Dovecot
from tests.servers.imap import ImapServer
from tests.servers.mailboxes import Mailboxes
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.servers.pop3_faults.line import Stall
from tests.terminal import Talk, talk

ADDRESS = "alice@example.org"
LEFT = "the question was left without an answer; nothing was changed"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


def at(server: Pop3Server) -> list[str]:
    return ["--host", "127.0.0.1", "--port", str(server.port), "--tls", "none"]


def account_file(folder: Path, name: str = ADDRESS) -> Path:
    return folder / "xdg" / "mailferry" / "accounts.d" / f"{name}.toml"


def written(folder: Path, name: str = ADDRESS) -> dict[str, Any]:
    [account] = tomllib.loads(account_file(folder, name).read_text())["accounts"]
    return dict(account)


def left_over(folder: Path) -> list[str]:
    """What stands in the folder of the configuration and of passwords."""
    return sorted(str(path.relative_to(folder)) for path in folder.glob("xdg/**/*"))


def at_terminal(folder: Path, answers: Sequence[tuple[str, str]], *arguments: str) -> Talk:
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ} | {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "xdg"),
        "XDG_STATE_HOME": str(folder / "xdg-state"),
        "PYTHONPATH": str(ROOT),
    }
    return talk([sys.executable, "-m", "migrator", *arguments], answers, folder=folder, environment=environment)


def test_an_account_is_made_with_its_configuration(ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path) -> None:
    done = ferry("add", ADDRESS, *at(server), "--password-env", "PASSWORD", "--json")
    assert done.code == 0, done.err
    assert done.document == {
        "account": ADDRESS,
        "file": str(account_file(tmp_path)),
        "found": {
            "host": "127.0.0.1",
            "port": server.port,
            "tls": "none",
            "username": ADDRESS,
            "auth": "auto",
            "source": "given",
            "trusted": True,
        },
        "messages": len(MESSAGES),
        "octets": sum(map(len, MESSAGES)),
        "copied": 1,
        "verified": 1,
    }
    assert [login.user for login in server.logins] == [ADDRESS, ADDRESS], "one to look, one to copy"
    assert server.counts()["RETR"] == 1
    assert server.counts()["DELE"] == 0
    assert list((tmp_path / "mail-archive" / ADDRESS).glob("*.mbox"))
    assert (tmp_path / "xdg-state" / "mailferry" / "ledger.sqlite3").exists()
    assert ferry("migrate", "--json").report["copied"] == len(MESSAGES) - 1
    assert url


def test_it_shows_the_newest_subjects_and_how_to_go_on(ferry: Ferry, server: Pop3Server, url: str) -> None:
    done = ferry("add", ADDRESS, *at(server), "--password-env", "PASSWORD", "--name", "mine")
    assert [line.strip() for line in done.err.splitlines()][1:4] == ["letter 12", "letter 11", "letter 10"]
    assert "11 messages to go: mailferry migrate mine" in done.err
    assert "1 message copied and proven." in done.out
    assert url


def test_an_account_joins_a_configuration_that_is_there(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    before = archived_account("bob", server.port) + "# a remark\n"
    (tmp_path / "config.toml").write_text(before)
    done = ferry("add", ADDRESS, *at(server), "--password-env", "PASSWORD", "--to", "mail", "--name", "alice")
    assert done.code == 0, done.err
    assert (tmp_path / "config.toml").read_text() == before
    [account] = tomllib.loads((tmp_path / "accounts.d" / "alice.toml").read_text())["accounts"]
    assert account["destinations"] == [{"type": "mbox", "path": str(tmp_path / "mail")}]
    assert [one["name"] for one in ferry("accounts", "--json").document["accounts"]] == ["bob", "alice"]
    assert url


def test_a_configuration_may_be_named_that_is_not_there_yet(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    named = ("-c", "place/mail.toml")
    assert ferry("add", *named, ADDRESS, *at(server), "--password-env", "PASSWORD").code == 0
    assert (tmp_path / "place" / "accounts.d" / f"{ADDRESS}.toml").exists()
    assert ferry("migrate", *named).code == 0
    assert url


@pytest.mark.parametrize(
    ("flags", "password"),
    [
        (["--password-env", "PASSWORD"], {"env": "PASSWORD"}),
        (["--password-file", "secret"], {"file": "{folder}/secret"}),
        (["--password-command", "cat {folder}/secret"], {"command": "cat {folder}/secret"}),
    ],
)
def test_a_password_that_is_named_stays_a_reference(
    flags: list[str], password: dict[str, str], ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(server.password)
    given = [flag.format(folder=tmp_path) for flag in flags]
    assert ferry("add", ADDRESS, *at(server), *given).code == 0
    assert written(tmp_path)["source"]["password"] == {
        key: value.format(folder=tmp_path) for key, value in password.items()
    }
    assert left_over(tmp_path) == [
        "xdg/mailferry",
        "xdg/mailferry/accounts.d",
        f"xdg/mailferry/accounts.d/{ADDRESS}.toml",
        "xdg/mailferry/config.toml",
    ]
    assert url


def test_a_password_from_a_pipe_is_kept_for_there_is_nothing_to_refer_to(server: Pop3Server, tmp_path: Path) -> None:
    site = Site(tmp_path, {"HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"})
    command = f'"$0" -m migrator add {ADDRESS} {" ".join(at(server))} --password-file <(printf %s "$1")'
    done = site.run(["bash", "-c", command, sys.executable, server.password])
    assert done.code == 0, done.err
    assert written(tmp_path)["source"]["password"] == {"file": f"secrets/{ADDRESS}"}
    assert (tmp_path / "xdg" / "mailferry" / "secrets" / ADDRESS).read_text() == server.password


@pytest.mark.parametrize("wish", ["false", "30 days", "true"])
def test_a_wish_to_delete_is_written_and_not_obeyed_yet(
    wish: str, ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    done = ferry("add", ADDRESS, *at(server), "--password-env", "PASSWORD", "--leave-on-server", wish)
    assert done.code == 0, done.err
    assert server.counts()["DELE"] == 0
    assert written(tmp_path)["source"]["leave_on_server"] == {"true": True, "false": False}.get(wish, wish)
    assert url


def test_a_wrong_password_is_tried_once_and_leaves_nothing(
    ferry: Ferry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "mistyped")
    with Pop3Server(Maildrop(MESSAGES), auth=["PLAIN"]) as server:
        done = ferry("add", ADDRESS, *at(server), "--password-env", "PASSWORD", "--json")
        assert (done.code, server.counts()["AUTH"]) == (1, 1)
    [error] = done.document["errors"]
    assert (error["kind"], error["finding"]) == ("auth", "auth-refused")
    assert error["message"].startswith("the server refused the log-in")
    assert "app password" in done.err
    assert "mistyped" not in done.err + done.out
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_cannot_be_written_leaves_no_account(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    done = ferry("add", ADDRESS, *at(server), "--password-env", "PASSWORD", "--to", "taken")
    assert done.code == 1, done.err
    assert left_over(tmp_path) == []
    assert url


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["alice"], "an address is written name@domain"),
        ([ADDRESS, "--to-password-env", "X"], "--to-password-…: given more often than there are IMAP mailboxes"),
        ([ADDRESS, "--leave-on-server", "for ages"], "for ages"),
        ([ADDRESS, "--name", "a/b"], "a name is letters"),
        ([ADDRESS, "--to", "imaps://imap.example.org"], "has no user"),
        ([ADDRESS, "--password-env", "A", "--password-file", "B"], "give only one of them"),
        ([ADDRESS, "--password-env", "NOT_SET"], "the environment variable NOT_SET is not set"),
        ([ADDRESS, "--auth", "kerberos"], "kerberos"),
        ([ADDRESS], "Password of alice@example.org at 127.0.0.1 is missing; give it by --password-env VAR"),
        (["alice@icloud.com"], "Apple iCloud has no POP3"),
        (["alice@outlook.com", "--yes"], "add --oauth microsoft"),
    ],
)
def test_what_is_missing_or_wrong_is_said_at_once_and_nothing_is_asked(
    arguments: list[str], words: str, ferry: Ferry, server: Pop3Server, tmp_path: Path
) -> None:
    place = at(server) if arguments[0] in {ADDRESS, "alice"} else []
    done = ferry("add", *arguments, *place)
    assert (done.code, words in done.err) == (2, True), done.err
    assert server.connections == 0
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_refused_before_anybody_is_asked(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    assert ferry("add", ADDRESS, *at(server), "--password-env", "PASSWORD").code == 0
    before, connections = account_file(tmp_path).read_bytes(), server.connections
    done = ferry("add", ADDRESS, *at(server), "--password-env", "PASSWORD")
    assert (done.code, "is there already" in done.err) == (2, True)
    assert (account_file(tmp_path).read_bytes(), server.connections) == (before, connections)
    assert url


def test_a_maildrop_that_was_copied_before_is_added_again(ferry: Ferry, server: Pop3Server, url: str) -> None:
    given = ("add", ADDRESS, *at(server), "--password-env", "PASSWORD", "--json")
    assert ferry(*given).code == 0
    assert ferry("migrate").code == 0
    assert ferry("remove", ADDRESS).code == 0
    done = ferry(*given)
    assert (done.code, done.document["copied"]) == (0, 0), done.err
    assert url


def test_an_empty_maildrop_can_be_added(ferry: Ferry, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pop3Server(Maildrop()) as server:
        monkeypatch.setenv("PASSWORD", server.password)
        done = ferry("add", ADDRESS, *at(server), "--password-env", "PASSWORD")
    assert (done.code, "The mailbox is empty" in done.out) == (0, True), done.err


def test_a_person_is_asked_for_password_and_place(server: Pop3Server, tmp_path: Path) -> None:
    answers = [
        ("Password of alice@example.org at 127.0.0.1:", f"{server.password}\n"),
        ("Place:", "ftp://nas/mail\n"),
        ("must be imaps://user@host/Folder", ""),
        ("Place:", "maildir:box\n"),
    ]
    done = at_terminal(tmp_path, answers, "add", ADDRESS, *at(server))
    assert done.code == 0, done.said
    assert "Logged in: 12 messages" in done.said
    assert server.password not in done.said
    account = written(tmp_path)
    assert account["source"]["password"] == {"file": f"secrets/{ADDRESS}"}
    assert account["destinations"] == [{"type": "maildir", "path": str(tmp_path / "box")}]
    secret = tmp_path / "xdg" / "mailferry" / "secrets" / ADDRESS
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == (server.password, 0o600)
    assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700
    assert server.password not in account_file(tmp_path).read_text()


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([("Password of", "\n")], 2),
        ([("Password of", "\x04")], 2),
        ([("Password of", "\x03")], 130),
        ([("Password of", "{password}\n"), ("Place:", "\x04")], 2),
        ([("Password of", "{password}\n"), ("Place:", "\x03")], 130),
        ([("Password of", "{password}\n"), ("Place:", "imaps://bob@127.0.0.1/X\n"), ("Password of bob", "\x04")], 2),
        ([("Password of", "{password}\n"), ("Place:", "imaps://bob@127.0.0.1/X\n"), ("Password of bob", "\x03")], 130),
    ],
)
def test_a_person_who_leaves_has_changed_nothing(
    answers: list[tuple[str, str]], code: int, server: Pop3Server, tmp_path: Path
) -> None:
    given = [(question, answer.format(password=server.password)) for question, answer in answers]
    done = at_terminal(tmp_path, given, "add", ADDRESS, *at(server))
    assert done.code == code, done.said
    last = done.said.rstrip("\n").rpartition("\n")[2]
    assert last in {"interrupted", "no password was typed; nothing was changed", LEFT}, done.said
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_copy_adds_nothing(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(MESSAGES), faults=[Stall("RETR")]) as server:
        site = Site(tmp_path, {"PASSWORD": server.password, "HOME": str(tmp_path)})
        process = site.start("add", ADDRESS, *at(server), "--password-env", "PASSWORD")
        while "RETR" not in server.verbs():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "stopping" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert left_over(tmp_path) == []


@pytest.fixture
def mailbox() -> Iterator[ImapServer]:
    with ImapServer(Mailboxes()) as running:
        yield running


def test_mail_is_uploaded_to_a_new_mailbox(
    mailbox: ImapServer, ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEW", mailbox.password)
    place = f"imap://alice@127.0.0.1:{mailbox.port}/INBOX?tls=none"
    given = ("--password-env", "PASSWORD", "--to", "box", "--to", place, "--to-password-env", "NEW")
    done = ferry("add", ADDRESS, *at(server), *given)
    assert done.code == 0, done.err
    assert written(tmp_path)["destinations"][1]["password"] == {"env": "NEW"}
    assert url


@pytest.mark.dovecot
def test_a_real_server_whose_certificate_the_system_trusts(dovecot: Dovecot, tmp_path: Path) -> None:
    dovecot.deliver(ADDRESS, MESSAGES)
    site = Site(tmp_path, {"PASSWORD": dovecot.password, "HOME": str(tmp_path), "SSL_CERT_FILE": str(dovecot.ca_file)})
    given = ("--host", "localhost", "--port", str(dovecot.pop3s_port), "--password-env", "PASSWORD", "--json")
    done = site.call("add", ADDRESS, *given)
    assert done.code == 0, done.err
    assert (done.document["messages"], done.document["verified"]) == (len(MESSAGES), 1)
    untrusting = Site(tmp_path, {"PASSWORD": dovecot.password, "HOME": str(tmp_path)})
    refused = untrusting.call("add", "bob@example.org", *given)
    assert (refused.code, refused.document["errors"][0]["kind"]) == (1, "tls")
