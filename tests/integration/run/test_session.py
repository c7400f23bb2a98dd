"""When a listing is settled, so that a poll costs its bytes and a hash; and what unsettles it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from migrator.destinations import Destination
from migrator.ledger import Ledger
from migrator.ledger.copies import Judged
from migrator.model import CopyState, Proof
from migrator.policy import DeleteAfter, Keep, Policy
from migrator.report import Status
from tests.mail import letters, message_of
from tests.memory_destination import MemoryDestination
from tests.rig import Rig, deleting
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_faults import Answers, ChangingUniqueIds

LETTERS = letters(5)
DAY = 86_400.0


class Polls:
    """A rig whose steps are counted: a listing that was settled is not noted."""

    def __init__(self, folder: Path, server: Pop3Server, reader: Sequence[MemoryDestination]) -> None:
        self.steps: list[str] = []
        self.now = 1_000_000.0
        self.reader = list(reader)
        self.rig = Rig(folder, server, clock=lambda: self.now, step=self.steps.append, destinations=self._places)

    def _places(self, _: Rig) -> Sequence[Destination]:
        return list(self.reader)

    def is_settled(self) -> bool:
        """Run once; says whether the listing was not even looked at."""
        self.steps.clear()
        report = self.rig.migrate()
        assert report.status is Status.OK, report
        return "listing.noted" not in self.steps


@pytest.fixture
def archive_folder() -> MemoryDestination:
    return MemoryDestination("one")


def test_the_second_poll_of_kept_mail_only_hashes_the_listing(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        polls = Polls(tmp_path, server, [archive_folder])
        assert not polls.is_settled()
        report = polls.rig.migrate()
        assert (report.listed, report.known) == (5, 5)
        assert polls.is_settled()


@pytest.mark.parametrize(
    "policy",
    [
        deleting,
        lambda rig: replace_policy(rig, Policy(Keep(), max_octets=10**6)),
        lambda rig: replace_policy(rig, Policy(DeleteAfter(timedelta(days=9)))),
    ],
)
def test_another_wish_unsettles_it(tmp_path: Path, archive_folder: MemoryDestination, policy: object) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        polls = Polls(tmp_path, server, [archive_folder])
        polls.is_settled()
        assert polls.is_settled()
        assert callable(policy)
        policy(polls.rig)
        assert not polls.is_settled()


def replace_policy(rig: Rig, policy: Policy) -> None:
    rig.policy = policy


def test_another_destination_unsettles_it(tmp_path: Path, archive_folder: MemoryDestination) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        polls = Polls(tmp_path, server, [archive_folder])
        polls.is_settled()
        assert polls.is_settled()
        polls.reader.append(MemoryDestination("two"))
        assert not polls.is_settled()
        assert len(polls.reader[1].stored) == 5


def test_new_mail_unsettles_it(tmp_path: Path, archive_folder: MemoryDestination) -> None:
    maildrop = Maildrop(LETTERS)
    with Pop3Server(maildrop) as server:
        polls = Polls(tmp_path, server, [archive_folder])
        polls.is_settled()
        assert polls.is_settled()
        maildrop.add(b"Subject: new\r\n\r\nnew\r\n")
        assert not polls.is_settled()
        assert len(archive_folder.stored) == 6


def test_a_deletion_that_falls_due_unsettles_it(tmp_path: Path, archive_folder: MemoryDestination) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        polls = Polls(tmp_path, server, [archive_folder])
        replace_policy(polls.rig, Policy(DeleteAfter(timedelta(days=1))))
        polls.is_settled()
        polls.now += DAY / 2
        assert polls.is_settled()
        assert server.maildrop.left() == LETTERS
        polls.now += DAY / 2
        assert polls.rig.migrate().deleted == 5
        assert server.maildrop.left() == []


def test_a_copy_that_is_found_damaged_unsettles_it(tmp_path: Path, archive_folder: MemoryDestination) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        polls = Polls(tmp_path, server, [archive_folder])
        polls.is_settled()
        assert polls.is_settled()
        damage(archive_folder)
        deleting(polls.rig)
        report = polls.rig.migrate()
        assert (report.status, report.deleted) == (Status.PARTIAL, 4)
        replace_policy(polls.rig, Policy())
        polls.steps.clear()
        assert polls.rig.migrate().known == 0
        assert "listing.noted" in polls.steps


def test_a_copy_that_is_found_damaged_while_a_run_goes_on_leaves_its_listing_unsettled(
    tmp_path: Path, archive_folder: MemoryDestination
) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        polls = Polls(tmp_path, server, [archive_folder])
        assert polls.rig.migrate().copied == 5

        def found_damaged(step: str) -> None:
            """Judge as a verification in another process would."""
            polls.steps.append(step)
            if step == "listing.noted":
                with closing(Ledger.open(polls.rig.state)) as ledger:
                    digest = message_of(LETTERS[2]).digest
                    copies = ledger.copies(archive_folder.identity, archive_folder.kind)
                    judged = Judged(copies.find([digest])[digest].copy_id, CopyState.DAMAGED, Proof.NONE, "differs")
                    copies.judged([judged], polls.now)

        replace_policy(polls.rig, Policy(Keep(), max_octets=10**6))
        polls.rig.step = found_damaged
        polls.rig.migrate()
        polls.rig.step = polls.steps.append
        assert not polls.is_settled()


def damage(archive_folder: MemoryDestination) -> None:
    name = next(name for name, content in archive_folder.stored.items() if content == LETTERS[2])
    archive_folder.stored[name] = b"damage\r\n"


def test_what_was_left_by_a_limit_or_a_rule_settles_nothing(tmp_path: Path, archive_folder: MemoryDestination) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        polls = Polls(tmp_path, server, [archive_folder])
        replace_policy(polls.rig, Policy(limit=3))
        polls.is_settled()
        replace_policy(polls.rig, Policy(max_octets=5))
        assert not polls.is_settled()
        assert not polls.is_settled()


def test_what_failed_settles_nothing(tmp_path: Path, archive_folder: MemoryDestination) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[Answers("RETR", 2, words="-ERR no")]) as server:
        polls = Polls(tmp_path, server, [archive_folder])
        for _ in range(3):
            report = polls.rig.migrate()
            assert (report.status, report.failed) == (Status.PARTIAL, 1)


def test_recognised_mail_is_known_and_keeps_its_age(tmp_path: Path, archive_folder: MemoryDestination) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[ChangingUniqueIds()]) as server:
        polls = Polls(tmp_path, server, [archive_folder])
        replace_policy(polls.rig, Policy(DeleteAfter(timedelta(days=1))))
        assert polls.rig.migrate().copied == 5
        polls.now += DAY * 0.6
        assert polls.rig.migrate().known == 5
        polls.now += DAY * 0.6
        assert polls.rig.migrate().deleted == 5


def test_a_refused_message_fails_alone_and_is_left(tmp_path: Path) -> None:
    archive_folder = MemoryDestination("one", refuses={message_of(LETTERS[1]).digest})
    with Pop3Server(Maildrop(LETTERS)) as server:
        polls = Polls(tmp_path, server, [archive_folder])
        report = deleting(polls.rig).migrate()
        assert (report.status, report.copied, report.failed, report.deleted) == (Status.PARTIAL, 4, 1, 4)
        assert server.maildrop.left() == [LETTERS[1]]
        [problem] = report.problems
        assert (problem.unique_id, problem.destination) == (b"uid-00000002", "a folder in memory")


def test_a_limit_reaches_over_the_sessions_of_a_run(tmp_path: Path, archive_folder: MemoryDestination) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        polls = Polls(tmp_path, server, [archive_folder])
        polls.rig.policy = replace(polls.rig.policy, limit=2)
        report = polls.rig.migrate()
        assert (report.copied, report.remaining, len(archive_folder.stored)) == (2, 3, 2)
