"""What the scripted IMAP server claims to do, seen by imapclient and imaplib."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest
from imapclient import IMAPClient  # type: ignore[import-untyped]  # it ships no types

from tests.servers.imap import Answers, DropBefore, DropInside, DropUnanswered, ImapFault, ImapServer
from tests.servers.mailboxes import INBOX, AppendItem, Mailboxes, without_bare_returns

LETTER = b"Subject: one\r\nMessage-ID: <1@example.org>\r\n\r\nhello\r\n"


@contextmanager
def logged_in(server: ImapServer) -> Iterator[IMAPClient]:
    client = IMAPClient(server.host, server.port, ssl=False, timeout=20)
    client.login("ann", server.password)
    try:
        yield client
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            client.logout()
        with suppress(OSError):
            client.shutdown()


def test_what_is_appended_is_fetched_and_stands_in_the_mailbox() -> None:
    with ImapServer(Mailboxes()) as server, logged_in(server) as client:
        assert b"[APPENDUID 1001 1]" in client.append("INBOX", LETTER, flags=[b"\\Seen"])
        shown = client.select_folder("inbox", readonly=True)
        assert (shown[b"EXISTS"], shown[b"UIDVALIDITY"], shown[b"UIDNEXT"]) == (1, 1001, 2)
        [(uid, items)] = client.fetch(client.search(), ["BODY.PEEK[]", "RFC822.SIZE", "FLAGS"]).items()
        assert (uid, items[b"BODY[]"], items[b"RFC822.SIZE"], items[b"FLAGS"]) == (1, LETTER, len(LETTER), (b"\\Seen",))
        fields = client.fetch([1], ["BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"])[1]
        assert fields[b"BODY[HEADER.FIELDS (MESSAGE-ID)]"] == b"Message-ID: <1@example.org>\r\n\r\n"
        assert server.mailboxes.contents() == [LETTER]
    assert server.counts()["APPEND"] == 1


def test_folders_are_listed_made_and_told_apart() -> None:
    with ImapServer(Mailboxes()) as server, logged_in(server) as client:
        client.create_folder("Archive/2026")
        assert sorted(name for _, _, name in client.list_folders()) == ["Archive/2026", "INBOX"]
        assert client.list_folders("", "Archive") == []
        assert client.folder_status("Archive/2026", ["MESSAGES", "UIDNEXT"]) == {b"MESSAGES": 0, b"UIDNEXT": 1}
        with pytest.raises(imaplib.IMAP4.error, match="NONEXISTENT"):
            client.select_folder("Nothing")


def test_a_wrong_password_is_refused_by_login_and_by_authenticate() -> None:
    with ImapServer(Mailboxes()) as server:
        client = IMAPClient(server.host, server.port, ssl=False, timeout=20)
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.login("ann", "wrong")
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.plain_login("ann", "wrong")
        client.plain_login("ann", server.password)
        client.logout()


def test_people_act_on_the_mailboxes_while_the_server_runs() -> None:
    mailboxes = Mailboxes()
    mailboxes.append(INBOX, [AppendItem(LETTER), AppendItem(b"two\r\n"), AppendItem(b"three\r\n")])
    kept = mailboxes.kept()
    mailboxes.expunge(INBOX, 1)
    mailboxes.move(INBOX, 2, b"Filed")
    mailboxes.renew()
    with ImapServer(mailboxes) as server, logged_in(server) as client:
        assert client.select_folder("INBOX")[b"UIDVALIDITY"] > 1001
        assert list(client.fetch(client.search(), ["RFC822.SIZE"])) == [1]
        assert (mailboxes.contents(), mailboxes.contents(b"Filed")) == ([b"three\r\n"], [b"two\r\n"])
        mailboxes.put_back(kept)
        assert client.select_folder("INBOX")[b"EXISTS"] == 3


def test_what_the_server_alters_is_altered_for_everybody() -> None:
    mailboxes = Mailboxes(alters=without_bare_returns)
    mailboxes.append(INBOX, [AppendItem(LETTER + b"a bare \r return\r\n")])
    assert mailboxes.contents() == [LETTER + b"a bare  return\r\n"]


def test_a_selected_folder_that_is_made_anew_ends_the_connection() -> None:
    with ImapServer(Mailboxes()) as server, logged_in(server) as client:
        client.select_folder("INBOX")
        server.mailboxes.renew()
        with pytest.raises((OSError, imaplib.IMAP4.error)):
            client.fetch([1], ["RFC822.SIZE"])


@pytest.mark.parametrize(
    ("faults", "is_stored"),
    [
        ([DropBefore("APPEND")], False),
        ([DropInside("APPEND", after=10)], False),
        ([DropUnanswered("APPEND")], True),
        ([Answers("APPEND", words=b"NO [OVERQUOTA] full")], False),
    ],
)
def test_an_append_that_goes_wrong_is_stored_or_not(faults: Sequence[ImapFault], *, is_stored: bool) -> None:
    with ImapServer(Mailboxes(), faults=faults) as server, logged_in(server) as client:
        with pytest.raises((OSError, imaplib.IMAP4.error)):
            client.append("INBOX", LETTER)
        assert server.mailboxes.contents() == [LETTER] * is_stored


def test_a_server_that_was_down_is_up_again_on_the_same_port() -> None:
    mailboxes = Mailboxes()
    with ImapServer(mailboxes) as server:
        port = server.port
    with pytest.raises(OSError, match="refused"):
        IMAPClient(server.host, port, ssl=False, timeout=20)
    with ImapServer(mailboxes, port=port) as server, logged_in(server) as client:
        client.append("INBOX", LETTER)
    assert mailboxes.contents() == [LETTER]
