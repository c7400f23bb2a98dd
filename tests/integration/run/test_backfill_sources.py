from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from migrator.copying.copier import Copier
from migrator.destinations import Destination
from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.message.body import LinesBody
from migrator.model import Content, CopyState, Digest, Proof
from migrator.policy import WhenCopyIsGone
from migrator.report import AccountReport, Status
from migrator.run.backfill import read_archived
from tests.mail import message_of
from tests.rig import Rig
from tests.scripted_destination import ScriptedFolder, ScriptedMailbox
from tests.servers.pop3 import Maildrop, Pop3Server

LETTERS = [b"Message-ID: <%d@example.org>\r\n\r\nletter %d\r\n" % (n, n) for n in range(1, 6)]


def digest(number: int) -> Digest:
    return message_of(LETTERS[number - 1]).digest


@pytest.fixture
def folders() -> list[ScriptedFolder]:
    return [ScriptedFolder("one")]


def rig_of(root: Path, server: Pop3Server, folders: Sequence[ScriptedFolder]) -> Rig:
    def places(_: Rig) -> Sequence[Destination]:
        return list(folders)

    return Rig(root, server, destinations=places)


CANNOT = "cannot be copied here"


def problems_of(report: AccountReport) -> list[tuple[Kind, str | None]]:
    return [(problem.kind, problem.destination) for problem in report.problems]


def emptied(rig: Rig, maildrop: Maildrop) -> None:
    """Copy everything, let the source lose it, and let a run see that."""
    assert rig.migrate().status is Status.OK
    for gone in maildrop.stored():
        maildrop.remove(gone)
    assert rig.migrate().status is Status.OK


def damage(folder: ScriptedFolder, number: int) -> None:
    name = next(name for name, content in folder.stored.items() if content == LETTERS[number - 1])
    folder.stored[name] = b"damage\r\n"


def test_a_destination_that_is_away_is_not_asked_and_keeps_no_other_from_being_filled(
    tmp_path: Path, folders: list[ScriptedFolder]
) -> None:
    maildrop = Maildrop(LETTERS)
    with Pop3Server(maildrop) as server:
        rig = rig_of(tmp_path, server, folders)
        emptied(rig, maildrop)
        away = ScriptedFolder("away", label="away", recovers_with=FerryError(Kind.ARCHIVE, "not mounted"))
        folders += [away, ScriptedFolder("three")]
        report = rig.migrate()
        assert (report.filled, problems_of(report)) == (5, [(Kind.ARCHIVE, "away")])
        assert sorted(folders[2].stored.values()) == LETTERS
        assert (away.recoveries, away.calls) == (1, [])


def test_a_destination_that_fails_while_it_is_filled_is_not_tried_again_in_this_run(
    tmp_path: Path, folders: list[ScriptedFolder]
) -> None:
    maildrop = Maildrop(LETTERS)
    with Pop3Server(maildrop) as server:
        rig = rig_of(tmp_path, server, folders)
        emptied(rig, maildrop)
        maildrop.add(b"Subject: new\r\n\r\nnew\r\n")
        full = ScriptedFolder("full", label="full", fails_with=FerryError(Kind.DISK_FULL, "no room"))
        folders.append(full)
        report = rig.migrate()
        assert problems_of(report) == [(Kind.DISK_FULL, "full")]
        assert full.calls == ["store 5"]


def test_what_one_folder_does_not_let_read_another_gives(tmp_path: Path, folders: list[ScriptedFolder]) -> None:
    many = [b"Message-ID: <%d@example.org>\r\n\r\n\r\n" % number for number in range(201)]
    maildrop = Maildrop(many)
    folders.append(ScriptedFolder("two"))
    with Pop3Server(maildrop) as server:
        rig = rig_of(tmp_path, server, folders)
        emptied(rig, maildrop)
        folders[0].reads_with = FerryError(Kind.ARCHIVE, "gone away")
        folders[0].label = "the first"
        folders[0].calls.clear()
        folders += [ScriptedFolder("three"), ScriptedFolder("four")]
        report = rig.migrate()
        assert (report.filled, problems_of(report)) == (201, [(Kind.ARCHIVE, "the first")])
        assert sorted(folders[2].stored.values()) == sorted(folders[3].stored.values()) == sorted(many)
        assert folders[0].calls == ["read 200"]


def test_folders_are_read_before_mailboxes(tmp_path: Path) -> None:
    maildrop = Maildrop(LETTERS)
    mailbox, folder = ScriptedMailbox("far away"), ScriptedFolder("at hand")
    folders = [mailbox, folder]
    with Pop3Server(maildrop) as server:
        rig = rig_of(tmp_path, server, folders)
        emptied(rig, maildrop)
        mailbox.calls.clear()
        folder.calls.clear()
        folders.append(ScriptedFolder("three"))
        assert rig.migrate().filled == 5
        assert (mailbox.calls, folder.calls) == ([], ["read 5"])


def test_what_no_destination_gives_and_the_source_does_not_list_is_reported(
    tmp_path: Path, folders: list[ScriptedFolder]
) -> None:
    maildrop = Maildrop(LETTERS)
    with Pop3Server(maildrop) as server:
        rig = rig_of(tmp_path, server, folders)
        emptied(rig, maildrop)
        damage(folders[0], 2)
        folders[0].label = "the first"
        folders[0].calls.clear()
        folders.append(ScriptedFolder("two", label="two"))
        report = rig.migrate()
        assert (report.filled, problems_of(report)) == (4, [(Kind.ARCHIVE, "two")])
        assert "1 message of the first" in report.problems[0].message
        assert folders[0].calls == ["read 5", "read 1"]  # what it did not give is judged, nothing else
        with closing(Ledger.open(rig.state)) as ledger:
            states = {copy.digest: copy.state for copy in ledger.copies("one", "maildir").all_copies()}
        assert [number for number in range(1, 6) if states[digest(number)] is CopyState.DAMAGED] == [2]


def test_what_another_destination_gives_or_the_source_still_lists_is_not_reported_as_lost(
    tmp_path: Path, folders: list[ScriptedFolder]
) -> None:
    maildrop = Maildrop(LETTERS)
    folders.append(ScriptedFolder("two"))
    with Pop3Server(maildrop) as server:
        rig = rig_of(tmp_path, server, folders)
        assert rig.migrate().status is Status.OK
        for gone in maildrop.stored()[1:]:
            maildrop.remove(gone)
        assert rig.migrate().status is Status.OK
        damage(folders[0], 1)
        damage(folders[1], 1)
        damage(folders[0], 2)
        folders.append(ScriptedFolder("three"))
        report = rig.migrate()
        assert not [problem for problem in report.problems if CANNOT in problem.message]
        assert sorted(folders[2].stored.values()) == LETTERS


@pytest.mark.parametrize(("when", "filled"), [(WhenCopyIsGone.KEEP, 0), (WhenCopyIsGone.RESTORE, 1)])
def test_a_copy_that_was_taken_out_is_filled_again_only_where_that_is_wished(
    tmp_path: Path, folders: list[ScriptedFolder], when: WhenCopyIsGone, filled: int
) -> None:
    maildrop = Maildrop(LETTERS)
    folders.append(ScriptedFolder("two", when_copy_is_gone=when))
    with Pop3Server(maildrop) as server:
        rig = rig_of(tmp_path, server, folders)
        emptied(rig, maildrop)
        folders[1].stored.pop("copy-2")
        with closing(Ledger.open(rig.state)) as ledger:
            Copier(folders[1], ledger.copies("two", "maildir"), clock=lambda: 1.0).verify_again([digest(3)])
        assert rig.migrate().filled == filled
        assert len(folders[1].stored) == 4 + filled


def test_what_a_mailbox_altered_is_reported_until_that_much_is_accepted_and_is_never_stored_again(
    tmp_path: Path, folders: list[ScriptedFolder]
) -> None:
    maildrop = Maildrop(LETTERS)
    with Pop3Server(maildrop) as server:
        rig = rig_of(tmp_path, server, folders)
        emptied(rig, maildrop)
        mailbox = ScriptedMailbox(alters={digest(1)}, alter=lambda content: content.removesuffix(b"\r\n"))
        folders.append(mailbox)
        rig.migrate()
        folders[0].calls.clear()
        report = rig.migrate()
        assert problems_of(report) == [(Kind.UNPROVEN, "a mailbox")]
        assert "1 copy is kept as the server altered it" in report.problems[0].message
        assert folders[0].calls == []
        mailbox.required_proof = Proof.CANONICAL
        report = rig.migrate()
        assert (report.status, report.filled) == (Status.OK, 1)
        assert len(mailbox.stored) == 5


def known(copier: Copier, *contents: bytes) -> list[Content]:
    """Copy messages; returns what they are."""
    messages = [message_of(content) for content in contents]
    copier.copy(messages)
    return [Content(one.digest, one.header_digest, one.message_id) for one in messages]


@pytest.fixture
def copier(tmp_path: Path) -> Iterator[Copier]:
    with closing(Ledger.open(tmp_path)) as ledger:
        yield Copier(ScriptedFolder("one"), ledger.copies("one", "maildir"), clock=lambda: 1.0)


def test_what_is_not_there_or_not_as_it_was_is_left_out(copier: Copier, tmp_path: Path) -> None:
    assert isinstance(copier.destination, ScriptedFolder)
    gone, damaged, whole = known(copier, *LETTERS[:3])
    copier.destination.fails_with = FerryError(Kind.DISK_FULL, "no room")
    with pytest.raises(FerryError):
        known(copier, LETTERS[3])  # intended, and stands nowhere
    intended, never = (Content(digest(number), whole.header_digest, b"") for number in (4, 5))
    copier.destination.stored.pop("copy-0")
    damage(copier.destination, 2)
    read = read_archived(copier, [gone, damaged, intended, never, whole], tmp_path)
    assert [one.digest for one in read] == [whole.digest]


@pytest.mark.parametrize(("octets", "is_in_memory"), [(256 * 1024, True), (256 * 1024 + 1, False)])
def test_what_is_large_waits_in_the_spool(copier: Copier, tmp_path: Path, octets: int, is_in_memory: bool) -> None:
    content = b"Subject: large\r\n\r\n".ljust(octets, b"x")
    [read] = read_archived(copier, known(copier, content), tmp_path)
    assert isinstance(read.body, LinesBody) is is_in_memory
    assert (b"".join(read.body.chunks()), read.octets) == (content, octets)
