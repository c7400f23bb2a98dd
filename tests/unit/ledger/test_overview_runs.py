from __future__ import annotations

from migrator.ledger import Ledger
from migrator.report import AccountReport, Status


def test_the_newest_run_of_each_account_is_told_by_one_look(ledger: Ledger) -> None:
    for account, moment, is_ended in (("ann", 1.0, True), ("bob", 2.0, True), ("ann", 3.0, False)):
        run = ledger.history.run_started(account, moment)
        if is_ended:
            ledger.history.run_ended(run, AccountReport(account), moment + 0.5)
    newest = ledger.overview.newest_runs()
    assert {name: (run.started_at, run.status) for name, run in newest.items()} == {
        "ann": (3.0, None),
        "bob": (2.0, Status.OK),
    }
    assert ledger.overview.newest_listed(["ann", "bob", "eve"]) == {"ann": 1.5, "bob": 2.5}
    assert [run.started_at for run in ledger.history.runs_before("ann", 3.0, 5)] == [1.0]
