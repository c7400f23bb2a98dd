"""Findings about IMAP mailboxes: full, gone, emptied, altering what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.command_line import MESSAGES, account, mbox, source
from tests.cures.bench import Bench
from tests.mail import letter
from tests.servers.imap import HasRoomFor, ImapServer
from tests.servers.mailboxes import INBOX, Mailboxes, without_bare_returns
from tests.servers.maildrop import Maildrop, canonical
from tests.servers.pop3 import Pop3Server

WITH_BARE_RETURNS = [message.replace(b"\r\n\r\n", b"\r\n\r\na\rb\r\n", 1) for message in MESSAGES]


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with ImapServer(Mailboxes()) as running:
        yield running


def mailbox(imap: ImapServer, folder: str = "INBOX") -> str:
    return (
        f'[[accounts.destinations]]\ntype = "imap"\nhost = "127.0.0.1"\nport = {imap.port}\ntls = "none"\n'
        f'username = "alice"\npassword = {{ file = "imap-password" }}\nfolder = "{folder}"\n'
    )


def installed(bench: Bench, server: Pop3Server, imap: ImapServer, *, folder: str = "INBOX", archive: str = "") -> None:
    """Write a configuration with a mailbox, and an archive beside it if it is named."""
    password = bench.folder / "imap-password"
    password.touch(mode=0o600)
    password.write_text(imap.password)
    bench.writes(account("alice", source(server.port), *([mbox(archive)] if archive else []), mailbox(imap, folder)))


def holds_all_once(imap: ImapServer, name: bytes = INBOX) -> None:
    assert Counter(map(canonical, imap.mailboxes.contents(name))) == Counter(MESSAGES)


def test_quota_full(bench: Bench, server: Pop3Server, imap: ImapServer) -> None:
    installed(bench, server, imap)
    imap.faults = (HasRoomFor(5),)
    assert bench.migrate().code == 1
    bench.no_machine_can(bench.finds("quota-full", destination="INBOX"))
    imap.faults = ()
    bench.migrates()
    bench.is_well()
    holds_all_once(imap)


def test_mailbox_missing_and_brought_back(bench: Bench, server: Pop3Server, imap: ImapServer) -> None:
    installed(bench, server, imap, folder="Archive", archive="archive")
    bench.migrates()
    kept = imap.mailboxes.kept()
    imap.mailboxes.delete(b"Archive")
    bench.finds("mailbox-missing", destination="Archive", says="12 messages are known to be in it", by_looking=False)
    late = server.maildrop.add(letter(13))
    assert bench.migrate().code == 1
    bench.finds("mailbox-missing", destination="Archive")
    imap.mailboxes.put_back(kept)
    assert [one["id"] for one in bench.found_by("doctor")] == ["not-everywhere"]  # the new message
    bench.migrates()
    bench.is_well()
    assert Counter(map(canonical, imap.mailboxes.contents(b"Archive"))) == Counter([*MESSAGES, late.content])


@pytest.mark.parametrize("is_deleted", [True, False])
@pytest.mark.parametrize("archive", ["archive", ""])
def test_mailbox_missing_for_good(
    bench: Bench, server: Pop3Server, imap: ImapServer, is_deleted: bool, archive: str
) -> None:
    installed(bench, server, imap, folder="Archive", archive=archive)
    bench.migrates()
    if is_deleted:
        imap.mailboxes.delete(b"Archive")
    else:
        imap.mailboxes.expunge_all(b"Archive")
    bench.sets(bench.finds("mailbox-missing", destination="Archive", by_looking=False))
    bench.migrates()
    bench.is_well()
    holds_all_once(imap, b"Archive")
    assert Counter(bench.site.stored("archive")) == Counter(MESSAGES if archive else [])


@pytest.mark.parametrize("has_new", [True, False])
def test_mailbox_missing_whether_or_not_there_is_something_to_store(
    bench: Bench, server: Pop3Server, imap: ImapServer, has_new: bool
) -> None:
    installed(bench, server, imap, folder="Archive", archive="archive")
    bench.migrates()
    imap.mailboxes.delete(b"Archive")
    messages = [*MESSAGES, *([letter(13)] if has_new else [])]
    for new in messages[len(MESSAGES) :]:
        server.maildrop.add(new)
    assert bench.migrate().code == 1
    bench.sets(bench.finds("mailbox-missing", destination="Archive"))
    bench.migrates()
    bench.is_well()
    assert Counter(map(canonical, imap.mailboxes.contents(b"Archive"))) == Counter(messages)
    assert Counter(bench.site.stored("archive")) == Counter(messages)


@pytest.mark.parametrize("by", ["command", "settings"])
def test_copies_gone(bench: Bench, server: Pop3Server, imap: ImapServer, by: str) -> None:
    installed(bench, server, imap, archive="archive")
    bench.migrates()
    for uid in (2, 5):
        imap.mailboxes.expunge(INBOX, uid)
    bench.migrate()
    assert bench.ferry("verify").code in {0, 1}
    found = bench.finds("copies-gone", destination="INBOX", says="2 messages are gone from")
    if by == "command":
        bench.runs(found)
    else:
        bench.sets(found)
    bench.is_well()
    bench.migrates()
    bench.is_well()
    assert len(imap.mailboxes.contents()) == len(MESSAGES) - 2
    assert Counter(bench.site.stored("archive")) == Counter(MESSAGES)


@pytest.mark.parametrize("by", ["command", "settings"])
def test_unproven_copies(bench: Bench, by: str) -> None:
    mailboxes = Mailboxes(alters=without_bare_returns)
    with Pop3Server(Maildrop(WITH_BARE_RETURNS)) as server, ImapServer(mailboxes) as imap:
        bench.site.environment["PASSWORD"] = server.password
        installed(bench, server, imap)
        assert bench.migrate().code == 1
        found = bench.finds("unproven-copies", destination="INBOX", says="12 messages in")
        if by == "command":
            bench.runs(found)
        else:
            bench.sets(found)
        bench.is_well()
        bench.migrates()
        bench.is_well()
        assert len(imap.mailboxes.contents()) == len(MESSAGES)
        assert len(server.maildrop.left()) == len(MESSAGES)
