from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from migrator.destinations.mbox.destination import MboxDestination
from migrator.errors import Kind
from migrator.ledger import Ledger
from migrator.ledger.sqlite.connection import SqliteDatabase
from migrator.report import Status
from migrator.run.account import run_account
from migrator.run.account_lock import account_lock
from migrator.run.accounts import AT_ONCE, run_accounts, run_recorded
from migrator.run.context import AccountJob, Effects, RunContext
from tests.mail import letters
from tests.rig import Rig
from tests.servers.pop3 import Command, Fault, Maildrop, Pop3Server
from tests.servers.pop3_faults import ExclusiveAccess
from tests.servers.pop3_session import Session
from tests.servers.pop3_wire import Wire

LETTERS = letters(3)


class HoldsBack(Fault):
    """Answers RETR only when it is let go."""

    def __init__(self) -> None:
        self.may_go = Event()
        self.was_let_go = False

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if command.verb == "RETR":
            self.was_let_go = self.may_go.wait(60)
        return wire


def job(folder: Path, server: Pop3Server, name: str, user: str | None = None) -> AccountJob:
    rig = Rig(folder, server, user=user or name)
    place = MboxDestination(folder / "archive" / name, state_dir=rig.state, clock=rig.mbox()._clock)  # noqa: SLF001  # its clock will do
    return replace(rig.job(), name=name, destinations=[place])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "state")) as ledger:
        yield ledger


def test_reports_come_in_the_order_given(tmp_path: Path, ledger: Ledger) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        names = [f"user{n}" for n in range(2 * AT_ONCE)]
        reports = run_accounts([job(tmp_path, server, name) for name in names], ledger)
    assert [(report.name, report.status, report.copied) for report in reports] == [(n, Status.OK, 3) for n in names]


def test_accounts_of_one_maildrop_follow_one_another(tmp_path: Path, ledger: Ledger) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[ExclusiveAccess()]) as server:
        jobs = [job(tmp_path, server, name, user="shared") for name in ("one", "two", "three")]
        reports = run_accounts(jobs, ledger)
        assert [report.status for report in reports] == [Status.OK] * 3
        assert len(server.logins) <= 3 * 2


def test_what_another_run_has_learned_meanwhile_saves_a_second_look_and_is_kept(tmp_path: Path, ledger: Ledger) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        begun_first = RunContext(job(tmp_path, server, "first"), ledger, Effects())
        run_accounts([job(tmp_path, server, "second")], ledger)
        assert len(server.logins) == 2
        assert run_account(begun_first).copied == 3
        assert len(server.logins) == 3
        assert ledger.server_facts(server.host, server.port)["habits"]["complete_up_to"] == 3


def test_a_slow_account_holds_up_no_other_of_another_server(tmp_path: Path, ledger: Ledger) -> None:
    slow = HoldsBack()

    def note(name: str) -> None:
        if name == "messages.copied":
            slow.may_go.set()

    with ExitStack() as stack:
        stack.callback(slow.may_go.set)
        first = stack.enter_context(Pop3Server(Maildrop(LETTERS), faults=[slow]))
        second = stack.enter_context(Pop3Server(Maildrop(LETTERS)))
        jobs = [job(tmp_path, first, "slow", user="alice"), job(tmp_path, second, "quick", user="alice")]
        reports = run_accounts(jobs, ledger, Effects(step=note))
    assert [report.copied for report in reports] == [3, 3]
    assert slow.was_let_go


def test_a_bug_in_one_account_is_its_report_and_not_the_end(tmp_path: Path, ledger: Ledger) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        good, bad = job(tmp_path, server, "good"), job(tmp_path, server, "bad")

        def broken() -> str:
            raise ZeroDivisionError("a bug")

        reports = run_accounts([replace(bad, password=broken), good], ledger)
    assert [(report.name, report.status) for report in reports] == [("bad", Status.FAILED), ("good", Status.OK)]
    assert [problem.kind for problem in reports[0].problems] == [Kind.INTERNAL]


def test_each_run_is_remembered_and_a_dry_one_is_not(tmp_path: Path, ledger: Ledger) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        run_accounts([job(tmp_path, server, "alice")], ledger, is_dry=True)
        assert ledger.history.last_runs("alice") == []
        run_accounts([job(tmp_path, server, "alice")], ledger)
        [run] = ledger.history.last_runs("alice")
    assert (run.status, run.report["copied"]) == (Status.OK, 3)
    assert run.ended_at is not None


def test_a_run_that_another_process_keeps_from_its_account_is_not_the_last_run(tmp_path: Path, ledger: Ledger) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        run_accounts([job(tmp_path, server, "alice")], ledger)
        maildrop = ledger.maildrop("alice", server.host, server.port, "alice")
        before = ledger.history.last_runs("alice", 9), maildrop.clock()
        with account_lock(tmp_path / "state", "alice"):
            [loser] = run_accounts([job(tmp_path, server, "alice")], ledger)
    assert (loser.status, [problem.kind for problem in loser.problems]) == (Status.FAILED, [Kind.LOCKED])
    assert (ledger.history.last_runs("alice", 9), maildrop.clock()) == before


def test_a_run_in_which_nothing_is_new_waits_for_the_ledger_twice(tmp_path: Path) -> None:
    """All runs of a worker queue there, each behind the fsync of the one before."""
    statements: list[str] = []
    database = SqliteDatabase(tmp_path / "ledger.sqlite3")
    with Pop3Server(Maildrop(LETTERS)) as server, closing(Ledger(database)) as ledger:
        for _ in range(3):
            statements.clear()
            database.sql.set_trace_callback(statements.append)
            run_recorded(job(tmp_path, server, "alice"), ledger, Effects())
    assert statements.count("begin immediate") == 2  # it begins, and it has ended
