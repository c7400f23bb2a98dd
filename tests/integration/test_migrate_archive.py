"""From outside: what becomes of an archive that is shared, added to, changed, broken, or cannot be written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import Site, account, alice, maildir, mbox, source
from tests.faults import cut_tail, flip_bit, read_only, remove
from tests.mail import letter, letters
from tests.servers.dovecot import Dovecot
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(letters(6))) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, {"PASSWORD": "open-sesame"})


def record(message: bytes) -> bytes:
    """A message as another program appends it to an mbox: in mboxrd, with a From_ line and a blank line."""
    lines = message.replace(b"\r\n", b"\n").splitlines(keepends=True)
    quoted = b"".join(b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines)
    return b"From other@example.org Mon Nov 23 00:00:00 2026\n" + quoted + b"\n"


def volume(site: Site) -> Path:
    [path] = (site.folder / "archive/alice").glob("*.mbox")
    return path


def test_a_destination_added_later_is_filled(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    for gone in server.maildrop.stored()[:2]:
        server.maildrop.remove(gone)
    site.writes(account("alice", source(server.port), mbox(), maildir("copy")))
    done = site.migrate()
    report = done.report
    assert (done.code, report["listed"], report["known"], report["copied"]) == (0, 4, 0, 4)
    assert Counter(site.maildir("copy")) == Counter(letters(6))
    assert server.counts()["RETR"] == 6
    assert site.migrate().report["known"] == 4


def test_nothing_is_deleted_before_an_added_destination_has_it(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    (site.folder / "copy").write_text("a file where a Maildir should be")
    site.writes(account("alice", source(server.port, leave_on_server=False), mbox(), maildir("copy")))
    done = site.migrate()
    assert (done.code, done.report["deleted"]) == (1, 0)
    assert any("copy" in str(error["destination"]) for error in done.report["errors"]), done.report
    assert server.maildrop.left() == letters(6)
    (site.folder / "copy").unlink()
    done = site.migrate()
    assert (done.code, done.report["deleted"]) == (0, 6), done.report
    assert Counter(site.maildir("copy")) == Counter(site.stored()) == Counter(letters(6))


def test_a_dead_mailbox_holds_up_deletion_and_not_the_archive(server: Pop3Server, site: Site) -> None:
    imap = '[[accounts.destinations]]\ntype = "imap"\nhost = "127.0.0.1"\nport = 1\ntls = "none"\nusername = "u"\npassword = "p"\n'
    site.writes(account("alice", source(server.port, leave_on_server=False), mbox(), imap))
    done = site.migrate()
    report = done.report
    assert (done.code, report["status"], report["failed"], report["copied"], report["deleted"]) == (
        1,
        "partial",
        6,
        0,
        0,
    )
    assert "connect" in {error["kind"] for error in report["errors"]}
    assert site.stored() == letters(6)
    assert server.maildrop.left() == letters(6)
    site.writes(alice(server.port, leave_on_server=False))
    assert site.migrate().report["deleted"] == 6
    assert site.stored() == letters(6)


def test_mail_that_someone_else_appended_is_part_of_the_archive(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    foreign = letter(7)
    with volume(site).open("ab") as file:
        file.write(record(foreign))
    server.maildrop.add(foreign)
    server.maildrop.add(letter(8))
    done = site.migrate()
    assert (done.code, done.report["copied"], done.report["duplicates"]) == (0, 1, 1), done.report
    assert site.stored() == letters(8)
    verified = site.call("verify", "--json").document
    assert (verified["checked"], verified["ok"]) == (8, 8)


def test_a_volume_that_shrank_is_told_and_never_written_to(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    damaged = volume(site)
    cut_tail(damaged, 150)
    before = damaged.read_bytes()
    server.maildrop.add(letter(7))
    site.writes(alice(server.port, leave_on_server=False))
    for _ in range(2):
        done = site.migrate()
        assert done.code == 1
        assert "archive" in {error["kind"] for error in done.report["errors"]}
        assert damaged.read_bytes() == before
    assert letter(6) in server.maildrop.left()
    verified = site.call("verify", "--json")
    assert verified.code == 1
    assert {damage["uidl"] for damage in verified.document["damaged"]} >= {"uid-00000006"}


def test_a_missing_volume_is_told_and_its_mail_stays_at_the_source(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    remove(volume(site))
    site.writes(alice(server.port, leave_on_server=False))
    done = site.migrate()
    assert (done.code, done.report["deleted"]) == (1, 0)
    assert "archive" in {error["kind"] for error in done.report["errors"]}
    assert server.maildrop.left() == letters(6)
    verified = site.call("verify", "--json")
    assert (verified.code, verified.document["checked"], verified.document["damaged"]) == (1, 0, [])
    assert [error["kind"] for error in verified.document["errors"]] == ["archive"]  # it is away, which is no damage


def test_a_flipped_bit_keeps_that_message_at_the_source(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    place = volume(site).read_bytes().index(b"word 4")
    flip_bit(volume(site), place)
    site.writes(alice(server.port, leave_on_server=False))
    assert site.migrate().code == 1
    done = site.migrate()
    assert done.code == 1
    assert letter(4) in server.maildrop.left()
    assert {"mismatch", "archive"} & {error["kind"] for error in done.report["errors"]}
    assert "uid-00000004" in {error["uidl"] for error in done.report["errors"]}


def test_a_mail_reader_that_rewrote_a_volume_is_an_archive_error(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    rewritten = volume(site).read_bytes().replace(b"\nSubject: letter 2\n", b"\nStatus: RO\nSubject: letter 2\n")
    volume(site).write_bytes(rewritten)
    server.maildrop.add(letter(7))
    done = site.migrate()
    assert done.code == 1
    assert "archive" in {error["kind"] for error in done.report["errors"]}
    assert [path for path in (site.folder / "archive/alice").glob("*.mbox") if path.read_bytes() == rewritten]
    assert site.call("verify").code == 1


def test_a_lost_ledger_is_rebuilt_from_the_archive_by_the_next_run(server: Pop3Server, site: Site) -> None:
    site.writes(account("alice", source(server.port), mbox(), maildir("copy")))
    assert site.migrate().code == 0
    for file in site.state.glob("ledger*"):
        file.unlink()
    done = site.migrate()
    assert (done.code, done.report["copied"], done.report["duplicates"]) == (0, 0, 6)
    assert site.stored() == letters(6)
    assert Counter(site.maildir("copy")) == Counter(letters(6))


def test_a_read_only_archive_is_a_line_and_deletes_nothing(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    (site.folder / "archive").mkdir()
    with read_only(site.folder / "archive"):
        done = site.migrate()
    assert (done.code, done.report["deleted"], done.report["copied"]) == (1, 0, 0)
    assert done.report["status"] in {"partial", "failed"}
    assert "Traceback" not in done.err
    assert server.maildrop.left() == letters(6)
    assert site.migrate().report["deleted"] == 6


def test_a_real_maildrop_with_everything_odd_comes_home_bit_for_bit(dovecot: Dovecot, site: Site) -> None:
    odd = [
        b"Subject: only a header\r\n\r\n",
        b"Subject: 8 bit\r\n\r\n" + bytes(range(128, 256)) + b"\r\n",
        b"Subject: long line\r\n\r\n" + b"x" * 2_000_000 + b"\r\n",
        b"Subject: from\r\n\r\n>>From a\r\nFrom b\r\n>From c\r\n.\r\n..\r\n...\r\n",
        b"Subject: a bare CR\r\n\r\none\rtwo\r\n",
        b"Subject: blank lines at the end\r\n\r\ntext\r\n\r\n\r\n\r\n",
        b"From nobody Thu Jan  1 00:00:00 1970\r\nSubject: a From_ line in front\r\n\r\ntext\r\n",
    ]
    dovecot.deliver("alice", odd)
    site.writes(account("alice", source(dovecot.pop3_port, leave_on_server=False), mbox(), maildir("copy")))
    done = site.migrate()
    assert (done.code, done.report["deleted"]) == (0, len(odd)), done.report
    assert Counter(site.stored()) == Counter(odd)
    assert Counter(site.maildir("copy")) == Counter(odd)
    assert dovecot.count("alice") == 0
