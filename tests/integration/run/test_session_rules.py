"""What a session leaves, counts, reports and would do, by the owner's rules."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from migrator.destinations import Destination
from migrator.errors import Kind
from migrator.ledger import Ledger
from migrator.policy import DeleteAfter, DeleteWhenVerified, Keep, Policy
from migrator.report import AccountReport, Status
from migrator.run.account import run_account
from migrator.run.context import Effects, RunContext
from tests.mail import message_of
from tests.rig import Rig
from tests.scripted_destination import ScriptedFolder
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_faults import Answers, ExclusiveAccess, ListingLines, PipelineSwallowed
from tests.servers.pop3_session import Command, Fault, Session
from tests.servers.pop3_wire import Wire

LETTERS = [b"Message-ID: <%d@example.org>\r\n\r\nletter %d\r\n" % (n, n) for n in range(1, 6)]
LARGE = b"Subject: large\r\n\r\n" + b"x" * 1_000 + b"\r\n"
AT_ONCE, TOMORROW = DeleteWhenVerified(), DeleteAfter(timedelta(days=1))
NOW = 1_000_000.0


@pytest.fixture
def folder() -> ScriptedFolder:
    return ScriptedFolder("one")


def rig_of(root: Path, server: Pop3Server, folder: ScriptedFolder, policy: Policy | None = None) -> Rig:
    def places(_: Rig) -> Sequence[Destination]:
        return [folder]

    return Rig(root, server, clock=lambda: NOW, policy=policy or Policy(), destinations=places)


def problems_of(report: AccountReport) -> list[tuple[Kind, bytes | None]]:
    return [(problem.kind, problem.unique_id) for problem in report.problems]


# What is left.


def test_what_is_larger_than_wished_is_named_skipped_and_stays(tmp_path: Path, folder: ScriptedFolder) -> None:
    with Pop3Server(Maildrop([*LETTERS, LARGE])) as server:
        report = rig_of(tmp_path, server, folder, Policy(AT_ONCE, max_octets=500)).migrate()
        assert (report.status, report.skipped, report.copied, report.deleted) == (Status.OK, 1, 5, 5)
        assert problems_of(report) == [(Kind.TOO_LARGE, b"uid-00000006")]
        assert report.problems[0].message.endswith("max_message_size is 500")
        assert server.maildrop.left() == [LARGE]


def test_what_a_person_accepts_is_skipped_without_a_word(tmp_path: Path, folder: ScriptedFolder) -> None:
    folder.refuses = {message_of(LETTERS[1]).digest}
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = rig_of(tmp_path, server, folder)
        assert rig.migrate().failed == 1
        with closing(Ledger.open(rig.state)) as ledger:
            [aside] = ledger.history.set_aside([rig.user])
            ledger.history.accept(aside.row, NOW)
        report = rig.migrate()
        assert (report.status, report.skipped, report.known, report.problems) == (Status.OK, 1, 4, [])


def test_what_waits_for_another_try_is_reported_with_what_was_wrong(tmp_path: Path, folder: ScriptedFolder) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[Answers("RETR", 2, words="-ERR no")]) as server:
        rig = rig_of(tmp_path, server, folder)
        rig.migrate()
        rig.policy = replace(rig.policy, has_patience=True)
        asked = server.counts()["RETR"]
        report = rig.migrate()
        assert (report.failed, problems_of(report)) == (1, [(Kind.REFUSED, b"uid-00000002")])
        assert server.counts()["RETR"] == asked


def test_a_line_of_list_without_a_number_is_reported_and_settles_nothing(
    tmp_path: Path, folder: ScriptedFolder
) -> None:
    fault = ListingLines("LIST", lambda lines: [lines[0], b"x 20", *lines[2:]])
    with Pop3Server(Maildrop(LETTERS), faults=[fault]) as server:
        rig = rig_of(tmp_path, server, folder)
        for _ in range(3):
            report = rig.migrate()
            assert (report.status, [problem.kind for problem in report.problems]) == (Status.PARTIAL, [Kind.PROTOCOL])


# How many may be deleted.


@pytest.mark.parametrize(
    ("policy", "deleted", "problems"),
    [
        (Policy(AT_ONCE, max_delete=5), 5, []),
        (Policy(AT_ONCE, max_delete=4), 0, [Kind.REFUSED]),
        (Policy(TOMORROW, max_delete=0), 0, []),
        (Policy(Keep(), max_delete=0), 0, []),
    ],
)
def test_new_messages_count_as_deletions_where_they_would_go_at_once(
    tmp_path: Path, folder: ScriptedFolder, policy: Policy, deleted: int, problems: list[Kind]
) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        report = rig_of(tmp_path, server, folder, policy).migrate()
        assert (report.copied, report.deleted, server.counts()["DELE"]) == (5, deleted, deleted)
        assert [problem.kind for problem in report.problems] == problems


def test_known_and_new_messages_are_one_sum(tmp_path: Path, folder: ScriptedFolder) -> None:
    maildrop = Maildrop(LETTERS[:3])
    with Pop3Server(maildrop) as server:
        rig = rig_of(tmp_path, server, folder)
        rig.migrate()
        for letter in LETTERS[3:]:
            maildrop.add(letter)
        rig.policy = Policy(AT_ONCE, max_delete=4)
        before = server.counts()["RETR"]
        report = rig.migrate()
        assert (report.copied, report.deleted, server.counts()["RETR"] - before) == (2, 0, 2)
        rig.policy = Policy(AT_ONCE, max_delete=5)
        assert rig.migrate().deleted == 5


# What would be deleted.


@pytest.mark.parametrize(
    ("policy", "would_delete"),
    [
        (Policy(Keep()), []),
        (Policy(AT_ONCE), [1, 2, 3, 4, 5]),
        (Policy(AT_ONCE, limit=1), [1, 2, 3, 4]),
        (Policy(AT_ONCE, max_delete=4), []),
        (Policy(TOMORROW), []),
        (Policy(DeleteAfter(timedelta(0))), [1, 2, 3, 4, 5]),
    ],
)
def test_a_dry_run_says_what_a_run_would_delete_and_changes_nothing(
    tmp_path: Path, folder: ScriptedFolder, policy: Policy, would_delete: list[int]
) -> None:
    maildrop = Maildrop(LETTERS[:3])
    with Pop3Server(maildrop, faults=[ExclusiveAccess()]) as server:
        rig = rig_of(tmp_path, server, folder)
        rig.migrate()
        for letter in LETTERS[3:]:
            maildrop.add(letter)
        rig.policy = policy
        calls, said = list(folder.calls), server.counts()
        for _ in range(2):  # the first has hung up
            report = rig.migrate(is_dry=True)
            assert report.would_do is not None
            assert [one.unique_id for one in report.would_do.deletions] == [b"uid-%08d" % key for key in would_delete]
            assert [one.digest is not None for one in report.would_do.deletions] == [key <= 3 for key in would_delete]
            assert (report.listed, report.known, report.remaining) == (5, 3, 2)
        assert (folder.calls, server.counts()["RETR"], server.counts()["QUIT"]) == (calls, said["RETR"], said["QUIT"])


def test_a_dry_run_says_what_falls_due_by_its_age(tmp_path: Path, folder: ScriptedFolder) -> None:
    now = NOW
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = rig_of(tmp_path, server, folder, Policy(TOMORROW))
        rig.clock = lambda: now
        rig.migrate()
        now += 86_400.0
        report = rig.migrate(is_dry=True)
        assert report.would_do is not None
        assert len(report.would_do.deletions) == 5


# What others are told, and what is remembered.


@dataclass
class Planned:
    """Hears what a session plans."""

    messages: int = 0
    octets: int = 0

    def planned(self, account: str, messages: int, octets: int) -> None:
        self.messages, self.octets = messages, octets

    def advanced(self, account: str, messages: int, octets: int) -> None:
        """Say nothing."""


def test_a_session_says_what_it_plans(tmp_path: Path, folder: ScriptedFolder) -> None:
    planned = Planned()
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = rig_of(tmp_path, server, folder)
        with closing(Ledger.open(rig.state)) as ledger:
            run_account(RunContext(rig.job(), ledger, Effects(progress=planned)))
    assert planned == Planned(5, sum(map(len, LETTERS)))


def test_a_server_that_loses_pipelined_commands_is_asked_one_at_a_time_from_then_on(
    tmp_path: Path, folder: ScriptedFolder
) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[PipelineSwallowed()]) as server:
        rig = rig_of(tmp_path, server, folder)
        rig.timeout = 1.0
        assert rig.migrate().copied == 5
        logins = len(server.logins)
        server.maildrop.add(LARGE)
        assert rig.migrate().copied == 1
        assert len(server.logins) - logins <= 2


class StopsAtRetr(Fault):
    """Lets somebody stop the run while the last message is being sent."""

    def __init__(self, stop: Event, number: int) -> None:
        self._stop = stop
        self._number = number

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if command.verb == "RETR" and command.number == self._number:
            self._stop.set()
        return wire


def test_a_stop_behind_the_last_message_deletes_nothing_and_hangs_up(tmp_path: Path, folder: ScriptedFolder) -> None:
    stop = Event()
    with Pop3Server(Maildrop(LETTERS), faults=[StopsAtRetr(stop, 5), ExclusiveAccess()]) as server:
        rig = rig_of(tmp_path, server, folder, Policy(AT_ONCE))
        with closing(Ledger.open(rig.state)) as ledger:
            report = run_account(RunContext(rig.job(), ledger, Effects(stop=stop)))
        assert (report.interrupted, report.deleted) == (True, 0)
        assert (server.counts()["DELE"], server.counts()["QUIT"]) == (0, 0)
        assert rig.migrate().deleted == 5  # nobody holds the maildrop any more
