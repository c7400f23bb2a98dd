from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.config import Account
from migrator.findings.model import Cure, Finding, Severity
from migrator.ledger import Ledger
from migrator.ledger.history import AccountNumbers, RunRecord
from migrator.operations.status import AccountStatus, WorkerView, account_statuses, unseen
from migrator.report import AccountReport, Status
from tests.unit.archive.office import Office

UNSEEN = {"alice": WorkerView(), "bob": WorkerView()}
NUMBERS = AccountNumbers(3, 3, 0, 0, 0, 300, None)
RUN = RunRecord("alice", 100.0, 160.0, Status.OK, {})


def finding(severity: Severity) -> Finding:
    return Finding("x", severity, "", ("alice",), None, "text", 0.0, Cure("cure"))


def in_an_hour(_account: Account, last: RunRecord) -> float:
    return last.started_at + 3600


def test_where_accounts_stand_is_known_before_any_run(office: Office, ledger: Ledger) -> None:
    alice, bob = account_statuses(office.config.accounts, office.state_dir, ledger, UNSEEN, in_an_hour)
    assert [holding.messages for holding in alice.archived] == [3, 3]
    assert alice.numbers is not None
    assert (alice.numbers.safe, alice.last_run, alice.next_run) == (3, None, None)
    assert [holding.messages for holding in bob.archived] == [0]
    assert alice.as_json()["last_run"] is None
    assert alice.as_json()["on_server"] is None  # no run has seen the server


def test_numbers_say_of_when_they_are(office: Office, ledger: Ledger) -> None:
    for began, status in ((100.0, Status.OK), (200.0, Status.FAILED)):
        ledger.history.run_ended(ledger.history.run_started("alice", began), AccountReport("alice", status), began + 60)
    alice, _ = account_statuses(office.config.accounts, office.state_dir, ledger, UNSEEN, in_an_hour)
    assert (alice.as_of, alice.as_json()["as_of"]) == (160.0, "1970-01-01T00:02:40+00:00")


def test_an_account_that_was_never_worked_names_its_destinations(office: Office) -> None:
    alice, _ = unseen(office.config.accounts, office.state_dir)
    assert [held.messages for held in alice.archived] == [0, 0]


@pytest.mark.parametrize(
    ("worker", "due"),
    [
        (WorkerView(), 3700.0),
        (WorkerView(is_known=True, next_due=500.0), 500.0),
        (WorkerView(is_known=True, next_due=50.0), 3700.0),
        (WorkerView(is_known=True, is_parked=True, next_due=500.0), None),
    ],
)
def test_the_next_run_is_the_worker_s_or_by_the_schedule_and_a_parked_account_has_none(
    office: Office, ledger: Ledger, worker: WorkerView, due: float | None
) -> None:
    number = ledger.history.run_started("alice", 100.0)
    ledger.history.run_ended(number, AccountReport("alice"), 160.0)
    workers = UNSEEN | {"alice": worker}
    alice, _ = account_statuses(office.config.accounts, office.state_dir, ledger, workers, in_an_hour)
    assert alice.next_run == due
    assert alice.last_success == alice.last_run


def test_a_paused_account_has_no_next_run(office: Office, ledger: Ledger) -> None:
    ledger.history.run_ended(ledger.history.run_started("alice", 100.0), AccountReport("alice"), 160.0)
    paused = replace(finding(Severity.HINT), id="paused")
    alice, _ = account_statuses(office.config.accounts, office.state_dir, ledger, UNSEEN, in_an_hour, [paused])
    assert alice.next_run is None


@pytest.mark.parametrize(
    ("changes", "is_quiet"),
    [
        ({}, True),
        ({"last_run": None}, False),
        ({"last_run": replace(RUN, status=Status.PARTIAL)}, False),
        ({"numbers": replace(NUMBERS, waiting=1)}, False),
        ({"numbers": replace(NUMBERS, failed=1)}, False),
        ({"findings": (finding(Severity.BROKEN),)}, False),
        ({"findings": (finding(Severity.SOON),)}, False),
        ({"findings": (finding(Severity.HINT),)}, True),
        ({"worker": WorkerView(failed_runs=1)}, True),
    ],
)
def test_an_account_is_quiet_when_a_person_need_not_look(changes: dict[str, object], is_quiet: bool) -> None:
    status = AccountStatus("alice", NUMBERS, RUN, RUN)
    assert replace(status, **changes).is_quiet is is_quiet  # type: ignore[arg-type]  # by the table
