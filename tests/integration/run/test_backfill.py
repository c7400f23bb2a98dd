from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from migrator.destinations import Destination
from migrator.errors import FerryError, Kind
from migrator.model import Digest
from migrator.report import Status
from tests.mail import letters, message_of
from tests.memory_destination import MemoryDestination
from tests.rig import Rig
from tests.servers.pop3 import Maildrop, Pop3Server

LETTERS = letters(5)


def digest(number: int) -> Digest:
    return message_of(LETTERS[number - 1]).digest


@pytest.fixture
def reader() -> list[MemoryDestination]:
    return [MemoryDestination("one")]


def rig_of(folder: Path, server: Pop3Server, reader: Sequence[MemoryDestination]) -> Rig:
    def places(_: Rig) -> Sequence[Destination]:
        return list(reader)

    return Rig(folder, server, destinations=places)


def test_an_added_destination_gets_what_the_archive_holds_though_the_source_has_lost_it(
    tmp_path: Path, reader: list[MemoryDestination]
) -> None:
    maildrop = Maildrop(LETTERS)
    with Pop3Server(maildrop) as server:
        rig = rig_of(tmp_path, server, reader)
        rig.migrate()
        for gone in maildrop.stored()[:3]:
            maildrop.remove(gone)
        reader.append(MemoryDestination("two"))
        report = rig.migrate()
        assert (report.status, report.listed, report.copied, report.filled) == (Status.OK, 2, 2, 3)
        assert sorted(reader[1].stored.values()) == LETTERS
        assert server.counts()["RETR"] == 5
        assert rig.migrate().known == 2


def test_what_an_added_destination_refuses_is_told_and_tried_again(
    tmp_path: Path, reader: list[MemoryDestination]
) -> None:
    maildrop = Maildrop(LETTERS)
    with Pop3Server(maildrop) as server:
        rig = rig_of(tmp_path, server, reader)
        rig.migrate()
        maildrop.remove(maildrop.stored()[0])
        reader.append(MemoryDestination("two", refuses={digest(1)}))
        for _ in range(2):
            report = rig.migrate()
            assert (report.status, [problem.kind for problem in report.problems]) == (Status.PARTIAL, [Kind.REFUSED])
        reader[1].refuses.clear()
        report = rig.migrate()
        assert (report.status, report.filled) == (Status.OK, 1)
        assert sorted(reader[1].stored.values()) == LETTERS


def test_a_destination_that_cannot_be_filled_now_is_filled_later(
    tmp_path: Path, reader: list[MemoryDestination]
) -> None:
    maildrop = Maildrop(LETTERS)
    with Pop3Server(maildrop) as server:
        rig = rig_of(tmp_path, server, reader)
        rig.migrate()
        for gone in maildrop.stored():
            maildrop.remove(gone)
        reader.append(MemoryDestination("two", fails_with=FerryError(Kind.DISK_FULL, "no room")))
        report = rig.migrate()
        assert (report.status, [problem.kind for problem in report.problems]) == (Status.PARTIAL, [Kind.DISK_FULL])
        reader[1].fails_with = None
        assert rig.migrate().filled == 5
        assert sorted(reader[1].stored.values()) == LETTERS


def test_a_damaged_copy_fills_nothing(tmp_path: Path, reader: list[MemoryDestination]) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = rig_of(tmp_path, server, reader)
        rig.migrate()
        damaged = next(name for name, content in reader[0].stored.items() if b"letter 3" in content)
        reader[0].stored[damaged] = b"damage\r\n"
        reader.append(MemoryDestination("two"))
        rig.migrate()
        assert sorted(reader[1].stored.values()) == LETTERS  # the source gave it again
        assert reader[0].stored[damaged] == b"damage\r\n"


def test_what_a_killed_run_left_in_a_mailbox_alone_gets_everywhere(
    tmp_path: Path, reader: list[MemoryDestination]
) -> None:
    mailbox = MemoryDestination("mailbox", kind="imap", dies_after_store=True)
    with Pop3Server(Maildrop(LETTERS[:1])) as server:
        rig = rig_of(tmp_path, server, [mailbox])
        assert rig.migrate().status is Status.FAILED
        mailbox.dies_after_store = False
        server.maildrop.remove(server.maildrop.stored()[0])
        report = rig_of(tmp_path, server, [mailbox, *reader]).migrate()
        assert (report.status, list(reader[0].stored.values())) == (Status.OK, LETTERS[:1])
