"""What the private Cyrus and Courier of the tests claim to do."""

from __future__ import annotations

import imaplib

import pytest

from tests.conftest import PrivateImap
from tests.servers.certificates import authority
from tests.servers.courier import Courier
from tests.servers.cyrus import Cyrus
from tests.servers.process import answers

MESSAGES = [b"Subject: one\r\n\r\nfirst\r\n", b"Subject: two\r\n\r\n.\r\nFrom me\r\n"]


def log_in(server: PrivateImap, user: str) -> imaplib.IMAP4:
    session = imaplib.IMAP4(server.host, server.imap_port)
    session.login(user, server.password)
    return session


def test_stores_for_any_user(private_imap: PrivateImap) -> None:
    for user in ("ann", "bob"):
        with log_in(private_imap, user) as session:
            for message in MESSAGES:
                assert session.append("INBOX", "", "", message)[0] == "OK"
    assert private_imap.messages("ann") == private_imap.messages("bob") == MESSAGES
    assert private_imap.count("ann") == 2
    assert private_imap.count("eve") == 0


def test_keeps_folders_apart(private_imap: PrivateImap) -> None:
    with log_in(private_imap, "ann") as session:
        name = "INBOX.Archive" if isinstance(private_imap, Courier) else "INBOX/Archive"
        assert session.create(name)[0] == "OK"
        session.append(name, "", "", MESSAGES[0])
    assert private_imap.messages("ann", name) == MESSAGES[:1]
    assert private_imap.messages("ann") == []


def test_refuses_a_wrong_password(private_imap: PrivateImap) -> None:
    with (
        imaplib.IMAP4(private_imap.host, private_imap.imap_port) as session,
        pytest.raises(imaplib.IMAP4.error),
    ):
        session.login("ann", "wrong")


def test_speaks_tls_from_the_start(private_imap: PrivateImap) -> None:
    trusting = authority().client_context()
    with imaplib.IMAP4_SSL(private_imap.host, private_imap.imaps_port, ssl_context=trusting) as session:
        session.login("ann", private_imap.password)


def test_cyrus_speaks_tls_when_asked(cyrus: Cyrus) -> None:
    with imaplib.IMAP4(cyrus.host, cyrus.imap_port) as session:
        session.starttls(authority().client_context())
        session.login("ann", cyrus.password)


def test_cyrus_takes_a_batch(cyrus: Cyrus) -> None:
    cyrus.count("ann")  # the first log-in makes the INBOX
    cyrus.mailbox("ann").append(MESSAGES)
    assert cyrus.messages("ann") == MESSAGES


def test_leaves_neither_files_nor_ports(private_imap: PrivateImap) -> None:
    ports = private_imap.imap_port, private_imap.imaps_port
    folder = private_imap.ca_file.parent
    assert all(answers(port) for port in ports)
    private_imap.stop()
    assert not any(answers(port) for port in ports)
    assert not folder.exists()
