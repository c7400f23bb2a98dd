from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from migrator.destinations import Destination
from migrator.errors import FerryError, Kind
from migrator.policy import DeleteWhenVerified, Policy, SourceProof
from migrator.report import Status
from tests.mail import letters
from tests.memory_destination import MemoryDestination
from tests.rig import Rig, deleting
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_faults import Changes, CutShort, DeletesOnRetr, DropInsideRetr, WrongSizes
from tests.servers.pop3_session import Fault, Session

LETTERS = letters(5)


@pytest.fixture
def archive_folder() -> MemoryDestination:
    return MemoryDestination("one")


def rig_of(folder: Path, server: Pop3Server, *reader: MemoryDestination) -> Rig:
    def places(_: Rig) -> Sequence[Destination]:
        return list(reader)

    return Rig(folder, server, destinations=places)


def test_where_no_destination_takes_anything_the_source_is_not_read_in_vain(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    archive_folder.fails_with = FerryError(Kind.DISK_FULL, "no room")
    many = [b"Subject: %d\r\n\r\n%b\r\n" % (n, b"x" * 100_000) for n in range(800)]
    with Pop3Server(Maildrop(many)) as server:
        report = deleting(rig_of(tmp_path, server, archive_folder)).migrate()
        assert (report.status, report.copied, report.deleted) == (Status.PARTIAL, 0, 0)
        assert [(problem.kind, problem.destination) for problem in report.problems] == [
            (Kind.DISK_FULL, "a folder in memory")
        ]
        assert server.counts()["RETR"] < len(many)
        assert server.counts()["DELE"] == 0
        assert server.maildrop.left() == many


def test_one_broken_destination_of_two_fails_the_message_and_completes_the_other(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    broken = MemoryDestination("two", fails_with=FerryError(Kind.QUOTA, "over quota"))
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = deleting(rig_of(tmp_path, server, archive_folder, broken))
        report = rig.migrate()
        assert (report.status, report.failed, report.copied, report.deleted) == (Status.PARTIAL, 5, 0, 0)
        assert sorted(archive_folder.stored.values()) == LETTERS
        retrieved = server.counts()["RETR"]
        broken.fails_with = None
        report = rig.migrate()
        assert (report.status, report.copied, report.deleted) == (Status.OK, 5, 5)
        assert sorted(broken.stored.values()) == sorted(archive_folder.stored.values()) == LETTERS
        assert server.counts()["RETR"] == 2 * retrieved  # the first folder gave the copies, the source its proof


def test_what_one_folder_gave_another_is_deleted_only_once_the_source_was_read(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    broken = MemoryDestination("two", fails_with=FerryError(Kind.QUOTA, "over quota"))
    maildrop = Maildrop()
    maildrop.add(LETTERS[0], b"reused")
    with Pop3Server(maildrop) as server:
        rig = deleting(rig_of(tmp_path, server, archive_folder, broken))
        rig.migrate()
        broken.fails_with = None
        maildrop.replace(maildrop.stored()[0], LETTERS[1])  # equal octets, under the same unique-id
        rig.migrate()
        assert Counter(archive_folder.stored.values()) == Counter(broken.stored.values()) == Counter(LETTERS[:2])
        assert rig.migrate().status is Status.OK
        assert maildrop.left() == []
        verbs = [command.verb for command in server.commands if command.verb in {"RETR", "DELE"}]
        assert verbs[-1] == "DELE"
        assert verbs.count("RETR") > 2 * verbs.count("DELE")


def test_a_destination_that_is_taken_out_after_it_failed_breaks_no_later_run(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    broken = MemoryDestination("two", fails_with=FerryError(Kind.QUOTA, "over quota"))
    with Pop3Server(Maildrop(LETTERS), allows_top_proof=True) as server:
        policy = Policy(DeleteWhenVerified(), SourceProof.HEADERS)
        rig = rig_of(tmp_path, server, archive_folder, broken)
        rig.policy = policy
        rig.migrate()
        rig = rig_of(tmp_path, server, archive_folder)
        rig.policy = policy
        report = rig.migrate()
        assert (report.status, report.known, report.deleted) == (Status.OK, 5, 5)


def test_an_account_whose_destination_was_down_gets_what_it_missed_at_the_next_run(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    other = MemoryDestination("two")
    with Pop3Server(Maildrop(LETTERS[:3])) as server:
        rig = rig_of(tmp_path, server, archive_folder, other)
        assert rig.migrate().copied == 3
        other.fails_with = FerryError(Kind.CONNECT, "down")
        server.maildrop.add(LETTERS[3])
        assert rig.migrate().status is Status.PARTIAL
        for stored in server.maildrop.stored():
            server.maildrop.remove(stored)  # so that only the first folder has it
        other.fails_with = None
        report = rig.migrate()
        assert (report.status, report.filled) == (Status.OK, 1)
        assert sorted(other.stored.values()) == sorted(archive_folder.stored.values()) == LETTERS[:4]


def test_octets_that_differ_are_settled_by_a_second_read_that_agrees(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[WrongSizes(-7)]) as server:
        report = rig_of(tmp_path, server, archive_folder).migrate()
        assert (report.status, report.copied, server.counts()["RETR"]) == (Status.OK, 5, 10)
        assert sorted(archive_folder.stored.values()) == LETTERS


def test_what_is_cut_short_is_neither_stored_nor_deleted(tmp_path: Path, archive_folder: MemoryDestination) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[CutShort(3)]) as server:
        rig_of(tmp_path, server, archive_folder).migrate()
        report = deleting(rig_of(tmp_path, server, archive_folder)).migrate()
        assert LETTERS[2] in server.maildrop.left()
        assert Kind.SHORT in {problem.kind for problem in report.problems}
        assert sorted(archive_folder.stored.values()) == [letter for letter in LETTERS if letter != LETTERS[2]]


def test_a_message_that_reads_otherwise_each_time_is_copied_once_more_and_then_left_alone(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    others = [LETTERS[0].replace(b"letter", b"l%dtter" % n) for n in range(9)]
    with Pop3Server(Maildrop(LETTERS[:1]), faults=[Changes(1, others)]) as server:
        rig = rig_of(tmp_path, server, archive_folder)
        assert rig.migrate().copied == 1
        deleting(rig)
        for _ in range(3):
            report = rig.migrate()
            assert (report.status, report.deleted) == (Status.PARTIAL, 0)
            assert {problem.kind for problem in report.problems} == {Kind.CHANGED}
        assert len(archive_folder.stored) == 2
        assert server.maildrop.left() == LETTERS[:1]


def test_a_large_message_goes_through_the_spool_and_leaves_nothing_there(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    large = b"Subject: large\r\n\r\n" + b"x" * 70 * 1024 * 1024 + b"\r\n"
    archive_folder.limits = type(archive_folder.limits)(10, 10**9)
    with Pop3Server(Maildrop([*LETTERS, large])) as server:
        rig = rig_of(tmp_path, server, archive_folder)
        assert rig.migrate().copied == 6
        assert large in archive_folder.stored.values()
    assert list((rig.state / "spool").iterdir()) == []


class SaysThatRetrievingDeletes(Fault):
    """Announces that no message may be left (RFC 2449, section 6.7)."""

    def capabilities(self, session: Session, offered: list[bytes]) -> list[bytes]:
        return [*offered, b"EXPIRE 0"]


def test_where_retrieving_deletes_each_message_is_durable_before_the_next_is_asked_for(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    faults = [SaysThatRetrievingDeletes(), DropInsideRetr(4, 10, times=1), DeletesOnRetr()]
    with Pop3Server(Maildrop(LETTERS), faults=faults) as server:
        rig_of(tmp_path, server, archive_folder).migrate()
        assert sorted([*archive_folder.stored.values(), *server.maildrop.left()]) == LETTERS
