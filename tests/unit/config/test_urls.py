from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from migrator.config import Config, ImapDestination, MboxDestination
from migrator.config.secrets import Secret, TextSecret
from migrator.config.urls import End, config_from_urls, destination_from_url
from migrator.errors import ConfigError
from migrator.model import Proof
from migrator.net.tls import TlsMode
from migrator.policy import DeleteAfter, DeleteWhenVerified, Keep, WhenCopyIsGone


def password_of(end: End) -> Secret:
    return TextSecret(f"{end.option} {end.number}")


def read(source: str, *destinations: str, leave_on_server: str = "true") -> Config:
    return config_from_urls(source, destinations, passwords=password_of, leave_on_server=leave_on_server)


def test_an_account_is_named_by_user_and_host() -> None:
    [account] = read("pop3s://alice%40example.org@pop.example.org", "mbox:archive").accounts
    assert account.name == "alice@example.org@pop.example.org"
    assert (account.source.username, account.source.port, account.source.tls) == (
        "alice@example.org",
        995,
        TlsMode.IMPLICIT,
    )
    [archive] = account.destinations
    assert isinstance(archive, MboxDestination)
    assert archive.path == Path.cwd() / "archive"


def test_pop3_without_s_starts_tls_unless_told_otherwise() -> None:
    assert read("pop3://a@h", "mbox:x").accounts[0].source.tls is TlsMode.STARTTLS
    source = read("pop3://a@127.0.0.1:1110?tls=none", "mbox:x").accounts[0].source
    assert (source.tls, source.port) == (TlsMode.NONE, 1110)


def test_plaintext_over_a_network_needs_its_permission_in_the_url_too() -> None:
    with pytest.raises(ConfigError, match="allow_plaintext"):
        read("pop3://a@h?tls=none", "mbox:x")
    assert read("pop3://a@h?tls=none&allow_plaintext=true", "mbox:x").accounts[0].source.allow_plaintext


def test_a_mailbox_has_folder_port_pin_and_an_ipv6_address() -> None:
    pin = "AB:" * 31 + "AB"
    [account] = read("pop3s://a@h", f"imap://b@[::1]:1143/Archiv/2024%20alt?fingerprint={pin}&tls=starttls").accounts
    [mailbox] = account.destinations
    assert isinstance(mailbox, ImapDestination)
    assert (mailbox.host, mailbox.port, mailbox.folder) == ("::1", 1143, "Archiv/2024 alt")
    assert mailbox.fingerprint == "ab" * 32
    assert mailbox.tls_settings.mode is TlsMode.STARTTLS


def test_without_a_folder_mail_goes_to_the_inbox() -> None:
    for url in ("imaps://b@i", "imaps://b@i/"):
        [mailbox] = read("pop3s://a@h", url).accounts[0].destinations
        assert isinstance(mailbox, ImapDestination)
        assert mailbox.folder == "INBOX"


def test_each_server_is_asked_its_own_password_in_order() -> None:
    account = read("pop3s://a@h", "imaps://b@i", "mbox:x", "imaps://c@j").accounts[0]
    secrets = [account.source.password] + [
        end.password for end in account.destinations if isinstance(end, ImapDestination)
    ]
    assert [secret.reveal() for secret in secrets] == ["--from 1", "--to 1", "--to 2"]


@pytest.mark.parametrize(
    ("written", "policy"),
    [("true", Keep()), ("False", DeleteWhenVerified()), ("30 days", DeleteAfter(timedelta(days=30)))],
)
def test_leave_on_server_is_read(written: str, policy: object) -> None:
    assert read("pop3s://a@h", "mbox:x", leave_on_server=written).accounts[0].source.leave_on_server == policy


@pytest.mark.parametrize(
    ("source", "destination", "line"),
    [
        ("http://a@h", "mbox:x", "--from: must be pop3s://user@host or pop3://user@host?tls=starttls"),
        ("imaps://a@h", "mbox:x", "--from: must be pop3s://user@host"),
        ("mbox:x", "mbox:x", "--from: must be pop3s://user@host"),
        ("a@example.org", "mbox:x", "--from: must be pop3s://user@host or pop3://user@host?tls=starttls; did you mean pop3s://a%40example.org@pop.ex"),
        ("pop3s://a@h", "pop3s://a@h", "--to: must be imaps://user@host/Folder"),
        ("pop3s://a@h", "archive", "--to: must be imaps://user@host/Folder"),
        ("pop3s://a@h", "mbox:", '--to: path: "" must be a path'),
        ("pop3s://a@h", "mbox://x", "--to: the path follows mbox: directly, without //"),
        ("pop3s://h", "mbox:x", "--from: has no user; write pop3s://user@host"),
        ("pop3s://a@", "mbox:x", '--from: host: "" is not a host name'),
        ("pop3s://a@h:0x", "mbox:x", "--from: host and port cannot be made out"),
        ("pop3s://a@[::1", "mbox:x", "--from: host and port cannot be made out"),
        ("pop3s://a%0d%0ab@h", "mbox:x", r'--from: username: "a\x0d\x0ab" must be text'),
        ("pop3s://a@h/INBOX", "mbox:x", "--from: a POP3 mailbox has no folders"),
        ("pop3s://a@h?tls=none", "mbox:x", "--from: tls: pop3:// and imap:// take starttls or none"),
        ("pop3://a@h?tls=implicit", "mbox:x", "--from: tls: pop3:// and imap:// take starttls or none"),
        ("pop3s://a@h?ca=x", "mbox:x", '--from: unknown key "ca"'),
        ("pop3s://a@h?password=x", "mbox:x", '--from: unknown key "password"'),
        ("pop3s://a@h?ca_file=no.pem", "mbox:x", "--from: ca_file: the file"),
        ("pop3s://a@h?fingerprint=12", "mbox:x", '--from: fingerprint: "12" is not a fingerprint'),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_option(source: str, destination: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(source, destination)
    assert any(problem.startswith(line) for problem in caught.value.problems), caught.value.problems


def test_mistakes_of_both_ends_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read("pop3s://h", "mbox:", "imaps://i")
    assert len(caught.value.problems) == 3


def test_without_destination_or_with_a_strange_policy_there_is_no_run() -> None:
    with pytest.raises(ConfigError, match="--to: is missing"):
        read("pop3s://a@h")
    with pytest.raises(ConfigError, match='--leave-on-server: "perhaps" must be true, false or a duration'):
        read("pop3s://a@h", "mbox:x", leave_on_server="perhaps")


@pytest.mark.parametrize(
    "url",
    ["pop3s://a:hunter2@h", "pop3s://a:hun?ter2@h", "pop3s://a:hun/ter2@h", "pop3s://a:99hunter2@h", "pop3s://a:hunter2@[h"],
)  # fmt: skip
def test_a_password_in_a_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(url, "mbox:x")
    assert "ter2" not in str(caught.value)


def test_the_state_folder_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert read("pop3s://a@h", "mbox:x").state_dir == tmp_path / "mailferry"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert read("pop3s://a@h", "mbox:x").state_dir == Path.home() / ".local/state/mailferry"


def test_a_single_destination_is_read_with_its_password() -> None:
    mailbox = destination_from_url("imaps://b@i/Archiv", passwords=password_of)
    assert isinstance(mailbox, ImapDestination)
    assert (mailbox.folder, mailbox.password.reveal()) == ("Archiv", "--to 1")
    with pytest.raises(ConfigError, match="--to: has no user"):
        destination_from_url("imaps://i/Archiv", passwords=password_of)


def test_a_mailbox_takes_what_its_table_takes_behind_a_question_mark() -> None:
    [account] = read("pop3s://a@h", "imaps://b@i/Old?proof=canonical&when_copy_is_gone=restore").accounts
    [mailbox] = account.destinations
    assert isinstance(mailbox, ImapDestination)
    assert (mailbox.proof, mailbox.when_copy_is_gone) == (Proof.CANONICAL, WhenCopyIsGone.RESTORE)
    assert mailbox.setting_place() == "(in --to: ?KEY=VALUE)"
    with pytest.raises(ConfigError, match="when_copy_is_gone"):
        read("pop3s://a@h", "imaps://b@i/Old?when_copy_is_gone=never")


@pytest.mark.parametrize(
    ("source", "to", "problem"),
    [
        ("pop3://bob%acme.org@h", "mbox:x", "--from: the user has bytes"),
        ("pop3://bob%xy.org@h", "mbox:x", "--from: the user has a "),
        ("pop3://bob%@h", "mbox:x", "--from: the user has a "),
        ("pop3s://gr%FCn@h", "mbox:x", "--from: the user has bytes"),
        ("pop3s://a@h", "imaps://b@i/Alte%Post", "--to: the folder has a "),
        ("pop3s://a@h", "imaps://b@i/%E4", "--to: the folder has bytes"),
        ("pop3s://a@h?ca_file=%zz", "mbox:x", "--from: ca_file has a "),
    ],
)
def test_a_percent_sign_that_encodes_nothing_is_refused(source: str, to: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(source, to)
    assert problem in str(caught.value)
    assert 'write "%25" for a "%" itself' in str(caught.value)
    assert "acme" not in str(caught.value)


def test_a_percent_sign_can_be_written() -> None:
    assert read("pop3s://bob%25acme.org@h", "mbox:x").accounts[0].source.username == "bob%acme.org"
