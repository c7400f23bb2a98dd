from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from migrator.policy import DeleteAfter, Policy
from migrator.report import AccountReport
from tests.mail import letters
from tests.rig import Rig, deleting
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_faults import ChangingUniqueIds, EmptyUniqueIds, OnlyFirst, QuitLies, QuitRefused, Unsupported

LETTERS = letters(8)
NAMELESS = [b"Subject: the same\r\n\r\nletter %d\r\n" % n for n in range(1, 9)]


def test_mail_that_nothing_tells_apart_but_its_content_does_not_keep_a_run_going(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(NAMELESS), faults=[ChangingUniqueIds()]) as server:
        rig = Rig(tmp_path, server)
        report = rig.migrate()
        assert (report.status, report.copied, report.deleted) == ("ok", 8, 0)
        assert len(server.logins) == 2
        rig.migrate()
        assert len(server.logins) <= 4
        assert rig.stored() == NAMELESS


def test_without_top_changing_unique_ids_do_not_keep_a_run_going(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[ChangingUniqueIds(), Unsupported("TOP")]) as server:
        rig = Rig(tmp_path, server)
        assert rig.migrate().copied == 8
        assert len(server.logins) == 2
        assert rig.stored() == LETTERS


def test_a_server_that_always_lies_at_quit_does_not_keep_a_run_going(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[QuitLies()]) as server:
        rig = deleting(Rig(tmp_path, server))
        rig.migrate()
        assert len(server.logins) <= 3
        assert server.maildrop.left() == LETTERS
        assert rig.stored() == LETTERS


def test_a_view_of_a_part_is_followed_to_its_end_although_all_of_it_is_known(tmp_path: Path) -> None:
    maildrop = Maildrop(LETTERS)
    with Pop3Server(maildrop) as server:
        Rig(tmp_path, server).migrate()
    with Pop3Server(maildrop, faults=[OnlyFirst(2)]) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.status, report.deleted) == ("ok", 8)
        assert maildrop.left() == []


def test_without_unique_ids_equal_sizes_settle_nothing(tmp_path: Path) -> None:
    maildrop = Maildrop(LETTERS[:4])
    with Pop3Server(maildrop, faults=[EmptyUniqueIds()]) as server:
        rig = Rig(tmp_path, server)
        assert rig.migrate().copied == 4
        maildrop.remove(maildrop.stored()[0])
        maildrop.add(LETTERS[4])
        assert len({len(letter) for letter in LETTERS}) == 1
        assert rig.migrate().copied == 1
        assert rig.stored() == LETTERS[:5]


def test_a_refused_deletion_is_not_taken_for_done_because_unique_ids_changed(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[ChangingUniqueIds(), QuitRefused(times=1)]) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.status, report.deleted) == ("ok", len(LETTERS)), report
        assert len(server.removed) == len(LETTERS)


def test_unique_ids_that_change_at_every_session_do_not_make_the_ledger_grow(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[ChangingUniqueIds()]) as server:
        rig = Rig(tmp_path, server)
        for _ in range(3):
            rig.migrate()
        report = rig.migrate()
        assert (report.known, server.counts()["RETR"]) == (len(LETTERS), len(LETTERS))
        with closing(sqlite3.connect(rig.state / "ledger.sqlite3")) as ledger:
            [(rows,)] = ledger.execute("select count(*) from messages")
        assert rows == len(LETTERS)


class Days:
    """One account that deletes after two days, by a clock that a test sets; ``is_scheduled`` as the worker runs it."""

    def __init__(self, tmp_path: Path, server: Pop3Server) -> None:
        self.day = 20_000.0
        self.rig = Rig(tmp_path, server, clock=lambda: self.day * 86_400)
        self.run(0)

    def run(self, days: float, *, is_scheduled: bool = False) -> AccountReport:
        self.day += days
        self.rig.policy = Policy(DeleteAfter(timedelta(days=2)), has_patience=is_scheduled)
        return self.rig.migrate()


def test_mail_goes_by_its_age_when_the_clock_goes_on_as_clocks_do(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        days = Days(tmp_path, server)
        assert [days.run(1).deleted for _ in range(3)] == [0, len(LETTERS), 0]


@pytest.mark.parametrize("jump", [365, 2.5, -1])
def test_nothing_goes_by_its_age_when_the_clock_has_jumped_until_somebody_runs_it_once_more(
    tmp_path: Path, jump: float
) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        days = Days(tmp_path, server)
        days.run(1.9)
        report = days.run(jump)
        assert (report.status, report.deleted, report.known) == ("partial", 0, len(LETTERS))
        [problem] = report.problems
        assert "nothing was deleted by its age" in problem.message
        for _ in range(3):
            assert (days.run(0.1, is_scheduled=True).deleted, server.counts()["DELE"]) == (0, 0)
        assert days.run(0.0).status == "ok"
        for _ in range(2):
            days.run(1.9)
        assert server.maildrop.left() == []


def test_a_clock_that_jumps_is_of_no_account_where_mail_goes_at_once(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        days = Days(tmp_path, server)
        days.day += 400
        report = deleting(days.rig).migrate()
        assert (report.status, report.deleted) == ("ok", len(LETTERS))
