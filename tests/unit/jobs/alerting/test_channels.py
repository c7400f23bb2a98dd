from __future__ import annotations

import email
import email.policy
import platform
from pathlib import Path

import pytest

from jobs.alerting.channels import AppriseChannel, SmtpChannel, channels, send_everywhere
from jobs.alerting.notification import Notification
from migrator.config import Notify, Smtp
from migrator.config.secrets import TextSecret
from migrator.config.table import Context
from migrator.config.worker_tables import SmtpTable
from migrator.errors import FerryError, Kind
from tests.servers.certificates import Certificate, authority, identity
from tests.servers.smtp import SmtpServer

NOTE = Notification("pop.example.org is in trouble", "Two accounts wait for it.\n")


def smtp(port: int, folder: Path, **more: object) -> Smtp:
    table = {"host": "localhost", "port": port, "tls": "none", "sender": "ferry@example.org", "to": ["ann@example.org"]}
    return SmtpTable.model_validate(table | more, context=Context(folder)).value()


def test_a_note_is_mailed_with_what_a_person_needs(tmp_path: Path) -> None:
    with SmtpServer() as server:
        SmtpChannel(smtp(server.port, tmp_path, to=["ann@example.org", "bob@example.org"])).send(NOTE)
    [taken] = server.taken
    assert len(taken.recipients) == 2
    mail = email.message_from_bytes(taken.content, policy=email.policy.default)
    assert mail["Subject"] == f"[mailferry on {platform.node()}] pop.example.org is in trouble"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().splitlines() == ["Two accounts wait for it."]


def test_it_logs_in_over_verified_tls(tmp_path: Path) -> None:
    certificate = identity(Certificate.GOOD)
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority().certificate)
    with SmtpServer(password="geheim", tls=certificate.server_context()) as server:
        settings = smtp(
            server.port, tmp_path, tls="starttls", username="ferry", password="geheim", ca_file=str(ca_file)
        )
        SmtpChannel(settings).send(NOTE)
    [taken] = server.taken
    assert taken.was_encrypted
    assert taken.login == "ferry"


def test_a_server_that_nobody_vouches_for_gets_no_password(tmp_path: Path) -> None:
    with SmtpServer(password="geheim", tls=identity(Certificate.GOOD).server_context()) as server:
        settings = smtp(server.port, tmp_path, tls="starttls", username="ferry", password="geheim")
        with pytest.raises(FerryError) as caught:
            SmtpChannel(settings).send(NOTE)
    assert (caught.value.kind, caught.value.finding) == (Kind.TLS, "certificate")
    assert not server.taken


def test_a_refusal_has_the_servers_words(tmp_path: Path) -> None:
    with SmtpServer(refusal="550 not here") as server, pytest.raises(FerryError) as caught:
        SmtpChannel(smtp(server.port, tmp_path)).send(NOTE)
    assert caught.value.kind is Kind.REFUSED
    assert "550 not here" in str(caught.value)


def test_a_wrong_password_is_not_repeated_even_when_the_server_does(tmp_path: Path) -> None:
    with SmtpServer(password="right") as server, pytest.raises(FerryError) as caught:
        SmtpChannel(smtp(server.port, tmp_path, username="ferry", password="hunter2")).send(NOTE)
    assert caught.value.kind is Kind.AUTH
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)


def test_a_dead_server_is_told(tmp_path: Path) -> None:
    with pytest.raises(FerryError) as caught:
        SmtpChannel(smtp(1, tmp_path)).send(NOTE)
    assert caught.value.kind is Kind.CONNECT


def test_a_title_cannot_smuggle_a_header(tmp_path: Path) -> None:
    with SmtpServer() as server:
        SmtpChannel(smtp(server.port, tmp_path)).send(Notification("over\r\nBcc: eve@example.org", "x\n"))
    assert email.message_from_bytes(server.taken[0].content)["Bcc"] is None


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's, before Python 3.13
def test_apprise_takes_its_urls_and_never_shows_them() -> None:
    channel = AppriseChannel("apprise-1", TextSecret("json://user:hunter2@127.0.0.1:1/"))
    with pytest.raises(FerryError) as caught:
        channel.send(NOTE)
    assert caught.value.kind is Kind.REFUSED
    assert "hunter2" not in f"{caught.value}{channel!r}"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's, before Python 3.13
def test_one_channel_that_fails_hinders_no_other(tmp_path: Path) -> None:
    with SmtpServer() as server:
        settings = Notify(apprise=(TextSecret("no url at all"),), smtp=smtp(server.port, tmp_path))
        results = send_everywhere(channels(settings)[::-1], NOTE)
    assert [error is None for _, error in results] == [False, True]
    assert len(server.taken) == 1


def test_a_password_that_is_not_ascii_logs_in_too(tmp_path: Path) -> None:
    with SmtpServer(password="geheím") as server:
        SmtpChannel(smtp(server.port, tmp_path, username="ferry", password="geheím")).send(NOTE)
    assert server.taken[0].login == "ferry"
    with SmtpServer(password="right") as server, pytest.raises(FerryError) as caught:
        SmtpChannel(smtp(server.port, tmp_path, username="ferry", password="geheím")).send(NOTE)
    assert caught.value.kind is Kind.AUTH
    assert "geheím" not in str(caught.value)
