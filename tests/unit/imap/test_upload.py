"""What an APPEND says of a message beside its bytes: its date and its flags."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.destinations.imap import ImapDestination, ImapSettings
from migrator.net.tls import TlsMode, TlsSettings
from tests.contract.support import Memory, store
from tests.mail import message_of
from tests.servers.imap import ImapServer
from tests.servers.mailboxes import INBOX, AppendItem, Mailboxes

STOOD = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC).timestamp()


@pytest.fixture
def mailboxes() -> Mailboxes:
    return Mailboxes()


def appended(mailboxes: Mailboxes, content: bytes, state_dir: Path, *flags: str) -> AppendItem:
    with ImapServer(mailboxes) as server:
        settings = ImapSettings(server.host, server.port, "ann", tls=TlsSettings(TlsMode.NONE))
        destination = ImapDestination(
            settings, lambda: server.password, state_dir=state_dir, wall_clock=lambda: 1_795_435_200.0
        )
        with closing(destination):
            store(destination, Memory(), [message_of(content)._replace(fallback_date=STOOD, flags=flags)])
    folder = mailboxes.folder(INBOX)
    assert folder is not None
    return folder.messages[-1].letter


@pytest.mark.parametrize(
    ("header", "date"),
    [
        (b"Received: by mx; Mon, 2 Feb 2015 03:04:05 +0100\r\n", b" 2-Feb-2015 03:04:05 +0100"),
        (b"Date: 2013-01-01T10:00:00-05:30\r\n", b" 1-Jan-2013 10:00:00 -0530"),
        ("Date: Di, 1. März 2022 09:59:60 MEZ\r\n".encode(), b" 1-Mar-2022 10:00:00 +0100"),
        (b"Date: 05/03/2024 09:59\r\n", b" 9-Sep-2001 01:46:40 +0000"),
        (b"Subject: none\r\n", b" 9-Sep-2001 01:46:40 +0000"),
    ],
)
def test_internal_date_is_when_the_message_arrived(
    header: bytes, date: bytes, mailboxes: Mailboxes, tmp_path: Path
) -> None:
    assert appended(mailboxes, header + b"\r\ntext\r\n", tmp_path).date == date


def test_a_message_keeps_its_own_flags_where_the_folder_does(mailboxes: Mailboxes, tmp_path: Path) -> None:
    kept = appended(mailboxes, b"Subject: x\r\n\r\ntext\r\n", tmp_path, "\\Seen", "\\Unheard")
    assert kept.flags == (b"\\Seen",)
