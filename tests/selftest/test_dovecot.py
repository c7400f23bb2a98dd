"""What the Dovecot of the tests claims to do."""

from __future__ import annotations

import imaplib
import json
import os
import poplib
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from base64 import b64encode
from pathlib import Path

import pytest

from tests.conftest import StartDovecot
from tests.servers.certificates import authority
from tests.servers.dovecot import Backend, Dovecot
from tests.servers.line_client import LineClient
from tests.servers.process import answers

MESSAGES = [
    b"Subject: plain\r\n\r\nbody\r\n",
    b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n",
    b"Subject: From lines\r\n\r\n\r\nFrom me Thu Jan  1 00:00:00 2026\r\n>From you\r\n",
    b"Subject: eight bit\r\n\r\n\xe9\xff\r\n\r\n\r\n",
]
BACKENDS: tuple[Backend, ...] = ("maildir", "mbox", "mdbox")


def log_in(server: Dovecot, user: str = "ann") -> poplib.POP3:
    session = poplib.POP3(server.host, server.pop3_port)
    session.user(user)
    session.pass_(server.password)
    return session


def retrieved(session: poplib.POP3, number: int) -> bytes:
    return b"".join(line + b"\r\n" for line in session.retr(number)[1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_serves_over_pop3_exactly_what_was_delivered(start_dovecot: StartDovecot, backend: Backend) -> None:
    server = start_dovecot(backend)
    server.deliver("ann", MESSAGES[:2])
    server.deliver("ann", MESSAGES[2:])
    session = log_in(server)
    assert [retrieved(session, number) for number in range(1, 5)] == MESSAGES
    session.quit()


@pytest.mark.parametrize("backend", BACKENDS)
def test_tells_what_is_left_after_a_deletion(start_dovecot: StartDovecot, backend: Backend) -> None:
    server = start_dovecot(backend)
    server.deliver("ann", MESSAGES)
    session = log_in(server)
    session.dele(2)
    session.quit()
    assert server.messages("ann") == [MESSAGES[0], *MESSAGES[2:]]
    assert server.count("ann") == 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_user_without_mail_has_an_empty_maildrop(start_dovecot: StartDovecot, backend: Backend) -> None:
    server = start_dovecot(backend)
    assert server.messages("nobody-wrote") == []
    assert server.count("nobody-wrote") == 0
    assert server.count("nobody-wrote", "No such folder") == 0


def test_keeps_bare_carriage_returns_and_nul(dovecot: Dovecot) -> None:
    odd = b"Subject: odd\r\n\r\na\rb\r\r\nc\x00d\r\n"
    dovecot.deliver("ann", [odd])
    assert dovecot.messages("ann") == [odd]


def test_offers_tls_by_stls_and_from_the_start_on_both_protocols(dovecot: Dovecot) -> None:
    trusting = authority().client_context()
    plain = poplib.POP3(dovecot.host, dovecot.pop3_port)
    plain.stls(trusting)
    plain.quit()
    poplib.POP3_SSL(dovecot.host, dovecot.pop3s_port, context=trusting).quit()
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port) as imap:
        imap.starttls(trusting)
    with imaplib.IMAP4_SSL(dovecot.host, dovecot.imaps_port, ssl_context=trusting) as imap:
        imap.login("ann", dovecot.password)


def test_is_not_trusted_without_its_own_authority(dovecot: Dovecot) -> None:
    assert b"BEGIN CERTIFICATE" in dovecot.ca_file.read_bytes()
    with pytest.raises(ssl.SSLCertVerificationError):
        poplib.POP3_SSL(dovecot.host, dovecot.pop3s_port, context=ssl.create_default_context())


def test_refuses_a_wrong_password_without_delay(dovecot: Dovecot) -> None:
    session = poplib.POP3(dovecot.host, dovecot.pop3_port)
    session.user("ann")
    with pytest.raises(poplib.error_proto, match="AUTH"):
        session.pass_("wrong")
    session.close()


def test_offers_apop_and_challenges(dovecot: Dovecot) -> None:
    session = poplib.POP3(dovecot.host, dovecot.pop3_port)
    assert {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"} <= set(session.capa()["SASL"])
    session.apop("ann", dovecot.password)
    session.quit()


@pytest.mark.parametrize("padding", [0, 3000])
def test_takes_tokens_of_the_right_user_on_both_protocols(dovecot: Dovecot, padding: int) -> None:
    bearer = f"auth=Bearer {dovecot.token('ann', padding)}\x01\x01"
    for user, fits in (("ann", True), ("bob", False)):
        cases = {"XOAUTH2": f"user={user}\x01{bearer}", "OAUTHBEARER": f"n,a={user},\x01{bearer}"}
        for mechanism, response in cases.items():
            with LineClient(dovecot.pop3_port) as client:
                client.reply()
                client.ask(b"AUTH " + mechanism.encode())
                assert client.ask(b64encode(response.encode())).startswith(b"+OK") is fits
            with LineClient(dovecot.imap_port) as client:
                client.reply()
                client.ask(b"a AUTHENTICATE " + mechanism.encode())
                assert client.ask(b64encode(response.encode())).startswith(b"a OK") is fits


def test_serves_many_accounts_and_sessions_at_once(dovecot: Dovecot) -> None:
    sessions = []
    for number in range(60):
        dovecot.deliver(f"user{number}", MESSAGES[:1])
        sessions.append(log_in(dovecot, f"user{number}"))
    assert [session.stat()[0] for session in sessions] == [1] * 60
    for session in sessions:
        session.quit()


def test_takes_any_format_of_unique_ids(start_dovecot: StartDovecot) -> None:
    server = start_dovecot(uidl_format="%u")
    server.deliver("ann", MESSAGES)
    session = log_in(server)
    assert session.uidl()[1] == [b"1 1", b"2 2", b"3 3", b"4 4"]
    session.quit()


def test_shows_what_an_imap_client_stored_in_another_folder(dovecot: Dovecot) -> None:
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port) as imap:
        imap.login("ann", dovecot.password)
        imap.create("Archive")
    dovecot.mailbox("ann", "Archive").append(MESSAGES)
    assert dovecot.messages("ann", "Archive") == MESSAGES
    assert dovecot.count("ann", "Archive") == 4


@pytest.mark.usefixtures("start_dovecot")
def test_finds_its_mail_again_after_a_restart() -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Dovecot(folder=Path(folder)) as server:
            server.deliver("ann", MESSAGES[:2])
        with Dovecot(folder=Path(folder)) as server:
            server.deliver("ann", MESSAGES[2:])
            assert server.messages("ann") == MESSAGES


@pytest.mark.usefixtures("start_dovecot")
def test_leaves_neither_process_nor_folder_nor_port() -> None:
    with Dovecot() as server:
        session = log_in(server)
        ports = list(server.ports.values())
        assert all(answers(port) for port in ports)
    session.close()
    assert not server.folder.exists()
    assert not any(answers(port) for port in ports)


def started_as_a_process() -> tuple[subprocess.Popen[bytes], dict[str, object]]:
    command = [sys.executable, "-m", "tests.servers.dovecot", "--backend", "mbox", "--set", "login_greeting=hello"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


@pytest.mark.usefixtures("start_dovecot")
@pytest.mark.parametrize("end", ["standard input closes", "SIGTERM", "SIGKILL"])
def test_serves_as_a_process_of_its_own_until(end: str) -> None:
    process, facts = started_as_a_process()
    port = facts["pop3_port"]
    assert isinstance(port, int)
    with LineClient(port) as client:
        assert client.reply().startswith(b"+OK hello")
    with process:
        if end.startswith("SIG"):
            process.send_signal(signal.Signals[end])
    while answers(port):  # the kernel tells Dovecot that its parent died; nothing tells us
        os.sched_yield()
    shutil.rmtree(str(facts["folder"]), ignore_errors=True)  # what SIGKILL left
