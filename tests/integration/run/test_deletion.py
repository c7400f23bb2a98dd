from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from migrator.destinations import Destination
from migrator.errors import Kind
from migrator.policy import DeleteWhenVerified, Keep, Policy, SourceProof
from migrator.report import Status
from tests.mail import letters, message_of
from tests.memory_destination import MemoryDestination
from tests.rig import Rig, deleting
from tests.servers.pop3 import Fault, Maildrop, Pop3Server
from tests.servers.pop3_faults import (
    Answers,
    CountsMarked,
    DropUnanswered,
    QuitLies,
    QuitRefused,
    StatSays,
    TopDiffers,
    Unsupported,
)
from tests.servers.pop3_session import Command, Session, Shown
from tests.servers.pop3_wire import Wire, one

LETTERS = letters(5)
TWINS = [b"Message-ID: <twin@example.org>\r\n\r\n" + word for word in (b"one\r\n", b"two\r\n")]
BY_HEADERS = Policy(DeleteWhenVerified(), SourceProof.HEADERS)


@pytest.fixture
def archive_folder() -> MemoryDestination:
    return MemoryDestination("one")


def rig_of(folder: Path, server: Pop3Server, archive_folder: MemoryDestination) -> Rig:
    def places(_: Rig) -> Sequence[Destination]:
        return [archive_folder]

    return Rig(folder, server, destinations=places)


def test_a_wish_is_durable_before_the_first_dele(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = deleting(Rig(tmp_path, server))
        said: dict[str, int] = {}

        def note(name: str) -> None:
            said[name] = server.counts()["DELE"]

        rig.step = note
        assert rig.migrate().deleted == 5
    assert said["messages.copied"] == said["deletion.requested"] == 0
    assert said["source.dele-sent"] == 5


class DeleLies(Fault):
    """Answers DELE of one message with +OK and does not mark it."""

    def __init__(self, key: int) -> None:
        self._key = key

    def instead(self, session: Session, command: Command) -> Wire | None:
        message = session.existing(command.number) if command.verb == "DELE" else None
        return one(b"+OK marked") if message and message.stored.key == self._key else None


def test_a_message_that_stays_behind_a_positive_reply_takes_back_its_session_and_no_more(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[DeleLies(2)]) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.status, report.copied, report.deleted) == (Status.PARTIAL, 5, 4)
        assert server.maildrop.left() == [LETTERS[1]]
        assert {problem.kind for problem in report.problems} == {Kind.PROTOCOL}
        assert {problem.unique_id for problem in report.problems} == {None, b"uid-00000002"}


def test_where_stat_counts_something_else_list_tells_what_goes(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[StatSays(5, 1000)]) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.status, report.deleted, server.maildrop.left()) == (Status.OK, 5, [])


@pytest.mark.parametrize("shows", ["STAT", "STAT LIST"])
def test_a_server_that_counts_what_is_marked_until_quit_deletes_all_the_same(tmp_path: Path, shows: str) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[CountsMarked(shows.split())]) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.status, report.deleted, server.maildrop.left()) == (Status.OK, 5, [])
        assert len(server.logins) == 2


def test_deletions_that_no_listing_confirms_are_told_with_a_cure(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[CountsMarked(["STAT", "LIST"]), QuitLies()]) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.status, report.copied, report.deleted) == (Status.PARTIAL, 5, 0)
        assert "leave_on_server = true" in report.problems[0].message
        assert len(server.logins) <= 4


def test_a_refused_dele_is_tried_again_and_told_if_it_stays_refused(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[Answers("DELE", 1, words="-ERR no")]) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.status, report.deleted, server.maildrop.left()) == (Status.PARTIAL, 4, [LETTERS[0]])
        assert {problem.unique_id for problem in report.problems} == {b"uid-00000001"}


def test_what_quit_did_not_confirm_the_next_listing_does(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[DropUnanswered("QUIT", times=1)]) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.status, report.deleted, server.maildrop.left()) == (Status.OK, 5, [])


def test_an_unfinished_deletion_is_completed_by_the_next_run_after_proof(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[QuitRefused(times=4)]) as server:
        rig = deleting(Rig(tmp_path, server))
        assert rig.migrate().deleted == 0
        before = server.counts()["RETR"]
        assert rig.migrate().deleted == 5
        assert server.counts()["RETR"] == before + 5


@pytest.mark.parametrize("faults", [[Unsupported("TOP")], [Unsupported("TOP", still_offered=True)]])
def test_without_top_headers_are_proven_by_content(tmp_path: Path, faults: list[Fault]) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=faults) as server:
        rig = Rig(tmp_path, server)
        rig.migrate()
        rig.policy = BY_HEADERS
        report = rig.migrate()
        assert (report.status, report.deleted, server.counts()["RETR"]) == (Status.OK, 5, 10)


def test_other_headers_are_a_change(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[TopDiffers()]) as server:
        rig = Rig(tmp_path, server)
        rig.migrate()
        rig.policy = BY_HEADERS
        report = rig.migrate()
        assert (report.status, report.deleted) == (Status.PARTIAL, 0)
        assert {problem.kind for problem in report.problems} == {Kind.CHANGED}


class TurnsRound(Fault):
    """Lists its messages in the opposite order from the second log-in on."""

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        return messages if session.login == 1 else messages[::-1]


def test_of_twins_in_another_order_the_one_that_was_never_copied_stays(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    maildrop = Maildrop()
    for twin in TWINS:
        maildrop.add(twin, b"same")
    archive_folder.refuses = {message_of(TWINS[1]).digest}
    with Pop3Server(maildrop, faults=[TurnsRound()]) as server:
        rig = rig_of(tmp_path, server, archive_folder)
        assert rig.migrate().status is Status.PARTIAL
        rig.policy = BY_HEADERS
        assert rig.migrate().status is Status.PARTIAL
        assert TWINS[1] in maildrop.left()
        archive_folder.refuses.clear()
        assert rig.migrate().status is Status.OK
        assert (sorted(archive_folder.stored.values()), maildrop.left()) == (TWINS, [])


def test_a_repeated_unique_id_in_another_order_is_proven_by_headers_all_the_same(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    maildrop = Maildrop()
    for letter in LETTERS:
        maildrop.add(letter, b"same")
    with Pop3Server(maildrop, faults=[TurnsRound()], allows_top_proof=True) as server:
        rig = rig_of(tmp_path, server, archive_folder)
        rig.policy = Policy(Keep(), SourceProof.HEADERS)
        assert rig.migrate().copied == 5
        rig.policy = BY_HEADERS
        report = rig.migrate()
        assert (report.status, report.deleted, maildrop.left()) == (Status.OK, 5, [])
