"""From outside: what becomes of an archive that is shared, added to, changed, broken, or cannot be written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import cut_tail, flip_bit, read_only, remove
from tests.integration.migrate_support import Monitor, account, alice, letter, letters, maildir, mbox, source
from tests.servers.dovecot import Dovecot
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(letters(6))) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path) -> Monitor:
    return Monitor(tmp_path, {"PASSWORD": "open-sesame"})


def record(message: bytes) -> bytes:
    """A message as another program appends it to an mbox: in mboxrd, with a From_ line and a blank line."""
    lines = message.replace(b"\r\n", b"\n").splitlines(keepends=True)
    quoted = b"".join(b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines)
    return b"From other@example.org Mon Nov 23 00:00:00 2026\n" + quoted + b"\n"


def volume(desk: Monitor) -> Path:
    [path] = (desk.folder / "archive/alice").glob("*.mbox")
    return path


def test_a_destination_added_later_is_filled(server: Pop3Server, desk: Monitor) -> None:
    desk.writes(alice(server.port))
    assert desk.migrate().code == 0
    for gone in server.maildrop.stored()[:2]:
        server.maildrop.remove(gone)
    desk.writes(account("alice", source(server.port), mbox(), maildir("copy")))
    done = desk.migrate()
    report = done.report
    assert (done.code, report["listed"], report["known"], report["copied"]) == (0, 4, 0, 4)
    assert Counter(desk.maildir("copy")) == Counter(letters(6))
    assert server.counts()["RETR"] == 6
    assert desk.migrate().report["known"] == 4


def test_nothing_is_deleted_before_an_added_destination_has_it(server: Pop3Server, desk: Monitor) -> None:
    desk.writes(alice(server.port))
    assert desk.migrate().code == 0
    (desk.folder / "copy").write_text("a file where a Maildir should be")
    desk.writes(account("alice", source(server.port, leave_on_server=False), mbox(), maildir("copy")))
    done = desk.migrate()
    assert (done.code, done.report["deleted"]) == (1, 0)
    assert any("copy" in str(error["destination"]) for error in done.report["errors"]), done.report
    assert server.maildrop.left() == letters(6)
    (desk.folder / "copy").unlink()
    done = desk.migrate()
    assert (done.code, done.report["deleted"]) == (0, 6), done.report
    assert Counter(desk.maildir("copy")) == Counter(desk.stored()) == Counter(letters(6))


def test_a_dead_mailbox_holds_up_deletion_and_not_the_archive(server: Pop3Server, desk: Monitor) -> None:
    imap = '[[accounts.destinations]]\ntype = "imap"\nhost = "127.0.0.1"\nport = 1\ntls = "none"\nusername = "u"\npassword = "p"\n'
    desk.writes(account("alice", source(server.port, leave_on_server=False), mbox(), imap))
    done = desk.migrate()
    report = done.report
    assert (done.code, report["status"], report["failed"], report["copied"], report["deleted"]) == (
        1,
        "partial",
        6,
        0,
        0,
    )
    assert "connect" in {error["kind"] for error in report["errors"]}
    assert desk.stored() == letters(6)
    assert server.maildrop.left() == letters(6)
    desk.writes(alice(server.port, leave_on_server=False))
    assert desk.migrate().report["deleted"] == 6
    assert desk.stored() == letters(6)


def test_mail_that_someone_else_appended_is_part_of_the_archive(server: Pop3Server, desk: Monitor) -> None:
    desk.writes(alice(server.port))
    assert desk.migrate().code == 0
    foreign = letter(7)
    with volume(desk).open("ab") as file:
        file.write(record(foreign))
    server.maildrop.add(foreign)
    server.maildrop.add(letter(8))
    done = desk.migrate()
    assert (done.code, done.report["copied"], done.report["duplicates"]) == (0, 1, 1), done.report
    assert desk.stored() == letters(8)
    verified = desk.call("verify", "--json").document
    assert (verified["checked"], verified["ok"]) == (8, 8)


def test_a_volume_that_shrank_is_told_and_never_written_to(server: Pop3Server, desk: Monitor) -> None:
    desk.writes(alice(server.port))
    assert desk.migrate().code == 0
    damaged = volume(desk)
    cut_tail(damaged, 150)
    before = damaged.read_bytes()
    server.maildrop.add(letter(7))
    desk.writes(alice(server.port, leave_on_server=False))
    for _ in range(2):
        done = desk.migrate()
        assert done.code == 1
        assert "archive" in {error["kind"] for error in done.report["errors"]}
        assert damaged.read_bytes() == before
    assert letter(6) in server.maildrop.left()
    verified = desk.call("verify", "--json")
    assert verified.code == 1
    assert {damage["uidl"] for damage in verified.document["damaged"]} >= {"uid-00000006"}


def test_a_missing_volume_is_told_and_its_mail_stays_at_the_source(server: Pop3Server, desk: Monitor) -> None:
    desk.writes(alice(server.port))
    assert desk.migrate().code == 0
    remove(volume(desk))
    desk.writes(alice(server.port, leave_on_server=False))
    done = desk.migrate()
    assert (done.code, done.report["deleted"]) == (1, 0)
    assert "archive" in {error["kind"] for error in done.report["errors"]}
    assert server.maildrop.left() == letters(6)
    verified = desk.call("verify", "--json")
    assert (verified.code, len(verified.document["damaged"])) == (1, 6)


def test_a_flipped_bit_keeps_that_message_at_the_source(server: Pop3Server, desk: Monitor) -> None:
    desk.writes(alice(server.port))
    assert desk.migrate().code == 0
    place = volume(desk).read_bytes().index(b"word 4")
    flip_bit(volume(desk), place)
    desk.writes(alice(server.port, leave_on_server=False))
    assert desk.migrate().code == 1
    done = desk.migrate()
    assert done.code == 1
    assert letter(4) in server.maildrop.left()
    assert {"mismatch", "archive"} & {error["kind"] for error in done.report["errors"]}
    assert "uid-00000004" in {error["uidl"] for error in done.report["errors"]}


def test_a_mail_reader_that_rewrote_a_volume_is_an_archive_error(server: Pop3Server, desk: Monitor) -> None:
    desk.writes(alice(server.port))
    assert desk.migrate().code == 0
    rewritten = volume(desk).read_bytes().replace(b"\nSubject: letter 2\n", b"\nStatus: RO\nSubject: letter 2\n")
    volume(desk).write_bytes(rewritten)
    server.maildrop.add(letter(7))
    done = desk.migrate()
    assert done.code == 1
    assert "archive" in {error["kind"] for error in done.report["errors"]}
    assert [path for path in (desk.folder / "archive/alice").glob("*.mbox") if path.read_bytes() == rewritten]
    assert desk.call("verify").code == 1


def test_a_lost_ledger_is_rebuilt_from_the_archive_by_the_next_run(server: Pop3Server, desk: Monitor) -> None:
    desk.writes(account("alice", source(server.port), mbox(), maildir("copy")))
    assert desk.migrate().code == 0
    for file in desk.state.glob("ledger*"):
        file.unlink()
    done = desk.migrate()
    assert (done.code, done.report["copied"], done.report["duplicates"]) == (0, 0, 6)
    assert desk.stored() == letters(6)
    assert Counter(desk.maildir("copy")) == Counter(letters(6))


def test_a_read_only_archive_is_a_line_and_deletes_nothing(server: Pop3Server, desk: Monitor) -> None:
    desk.writes(alice(server.port, leave_on_server=False))
    (desk.folder / "archive").mkdir()
    with read_only(desk.folder / "archive"):
        done = desk.migrate()
    assert (done.code, done.report["deleted"], done.report["copied"]) == (1, 0, 0)
    assert done.report["status"] in {"partial", "failed"}
    assert "Traceback" not in done.err
    assert server.maildrop.left() == letters(6)
    assert desk.migrate().report["deleted"] == 6


def test_a_real_maildrop_with_everything_odd_comes_home_bit_for_bit(dovecot: Dovecot, desk: Monitor) -> None:
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
    desk.writes(account("alice", source(dovecot.pop3_port, leave_on_server=False), mbox(), maildir("copy")))
    done = desk.migrate()
    assert (done.code, done.report["deleted"]) == (0, len(odd)), done.report
    assert Counter(desk.stored()) == Counter(odd)
    assert Counter(desk.maildir("copy")) == Counter(odd)
    assert dovecot.count("alice") == 0
