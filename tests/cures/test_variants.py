"""The same findings, come about in other ways: another form of archive, another end of the account, another disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.command_line import MESSAGES, account, alice, maildir, mbox, source
from tests.cures.bench import Bench
from tests.cures.test_mailboxes import installed
from tests.faults import fill_disk, flip_bit, small_disk
from tests.mail import letter
from tests.servers.imap import ImapServer, Refuses
from tests.servers.mailboxes import Mailboxes
from tests.servers.maildrop import canonical
from tests.servers.pop3 import Pop3Server


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with ImapServer(Mailboxes()) as running:
        yield running


def test_one_of_two_files_is_missing(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    [first] = (bench.folder / "archive" / "alice").glob("*.mbox")
    first.write_bytes(first.read_bytes() + b"torn")  # which closes the file: what comes later stands in another one
    bench.ferry("repair", "alice")
    server.maildrop.add(letter(13))
    bench.migrate()
    files = sorted((bench.folder / "archive" / "alice").glob("*.mbox"))
    assert len(files) == 2, files
    kept = files[-1].read_bytes()
    files[-1].unlink()
    found = bench.finds("archive-changed", destination="mbox", says=f"{files[-1].name} is missing")
    with bench.as_before():
        files[-1].write_bytes(kept)
        bench.is_well()
    bench.runs(found)
    bench.is_well()
    bench.migrates()
    bench.is_well()


def test_a_damaged_maildir(bench: Bench, server: Pop3Server) -> None:
    bench.writes(account("alice", source(server.port), maildir("archive")))
    bench.migrates()
    one = next((bench.folder / "archive" / "new").iterdir())
    flip_bit(one, 40)
    assert bench.ferry("verify").code == 1
    bench.runs(bench.finds("archive-damaged", destination="maildir", says="1 copy in"))
    bench.is_well()
    bench.migrates()
    assert set(MESSAGES) <= set(bench.site.maildir("archive"))


def test_an_emptied_maildir(bench: Bench, server: Pop3Server) -> None:
    bench.writes(account("alice", source(server.port), maildir("archive")))
    bench.migrates()
    (bench.folder / "archive" / "new").rename(bench.folder / "kept")
    (bench.folder / "archive" / "new").mkdir()
    bench.finds("archive-missing", destination="maildir", says="12 messages are known to be in it")
    (bench.folder / "archive" / "new").rmdir()
    (bench.folder / "kept").rename(bench.folder / "archive" / "new")
    bench.is_well()
    bench.migrates()
    assert Counter(bench.site.maildir("archive")) == Counter(MESSAGES)


def test_a_shared_archive_that_is_away(bench: Bench, server: Pop3Server) -> None:
    names = ("alice", "bob")
    bench.writes(*(account(name, source(server.port, user=name), mbox("archive")) for name in names))
    bench.migrates()
    (bench.folder / "archive").rename(bench.folder / "unmounted")
    bench.finds("archive-missing", accounts=names, destination="mbox", says="12 messages are known to be in it")
    (bench.folder / "unmounted").rename(bench.folder / "archive")
    bench.is_well()


def test_a_mailbox_whose_password_is_refused(bench: Bench, server: Pop3Server, imap: ImapServer) -> None:
    installed(bench, server, imap, archive="archive")
    (bench.folder / "imap-password").write_text("mistyped")
    assert bench.migrate().code == 1
    bench.finds("auth-refused", destination="INBOX")
    (bench.folder / "imap-password").write_text(imap.password)
    assert [one["id"] for one in bench.found_by("doctor")] == ["not-everywhere"]
    bench.migrates()
    bench.is_well()
    assert Counter(map(canonical, imap.mailboxes.contents())) == Counter(MESSAGES)


def test_a_mailbox_whose_server_is_dead(bench: Bench, server: Pop3Server, imap: ImapServer) -> None:
    installed(bench, server, imap, archive="archive")
    imap.stop()
    assert bench.migrate().code == 1
    bench.finds("host-unreachable", destination="INBOX")
    with ImapServer(imap.mailboxes, password=imap.password, port=imap.port):
        assert [one["id"] for one in bench.found_by("doctor")] == ["not-everywhere"]
        bench.migrates()
        bench.is_well()
    assert Counter(map(canonical, imap.mailboxes.contents())) == Counter(MESSAGES)


def test_a_mailbox_where_nothing_is_encrypted(bench: Bench, server: Pop3Server, imap: ImapServer) -> None:
    installed(bench, server, imap)
    path = bench.folder / "config.toml"
    before, _, behind = path.read_text().rpartition('tls = "none"')
    path.write_text(f'{before}tls = "starttls"{behind}')
    assert bench.migrate().code == 1
    bench.sets(bench.finds("wrong-tls", destination="INBOX"))
    bench.migrates()
    bench.is_well()
    assert Counter(map(canonical, imap.mailboxes.contents())) == Counter(MESSAGES)


def test_a_message_that_a_mailbox_refuses(bench: Bench, server: Pop3Server, imap: ImapServer) -> None:
    installed(bench, server, imap)
    imap.faults = (Refuses(b"<3@example.org>", b"NO it has a virus"),)
    for _ in range(2):
        assert bench.migrate().code == 1
    found = bench.finds("message-refused", destination="INBOX", says="1 message is set aside")
    bench.runs(found)
    bench.is_well()
    bench.migrates()
    bench.is_well()
    assert len(imap.mailboxes.contents()) == len(MESSAGES) - 1


def test_a_full_disk_under_the_state(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.site.state.mkdir(mode=0o700)
    with small_disk(bench.site.state, 30_000_000):
        apart = bench.in_processes()
        apart.migrates()
        bench.site.state.chmod(0o700)
        filler = fill_disk(bench.site.state)
        server.maildrop.add(letter(13))
        assert apart.migrate().code == 1
        apart.finds("disk-full")
        filler.unlink()
        apart.is_well("doctor")
        apart.migrates()
        apart.is_well()
    assert Counter(bench.site.stored()) == Counter([*MESSAGES, letter(13)])
