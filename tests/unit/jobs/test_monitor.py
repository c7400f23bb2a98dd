"""What a run leaves for the search index to take in."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from jobs.alerting.alerts import Alerts
from jobs.alerting.heartbeat import Heartbeats, Pinger
from jobs.alerting.outbox import Outbox
from jobs.maintenance.upkeep import Slice, Upkeep
from jobs.monitor import Monitor
from jobs.schedule.account_state import AccountState
from jobs.schedule.queue import Lease, ScheduledAccount
from jobs.schedule.retry import RunOutcome, Scheduled
from jobs.schedule.state_store import BufferedStateStore
from jobs.schedule.workers import RunResult
from migrator.config import load
from migrator.ledger import Ledger
from migrator.report import AccountReport, Status
from tests.unit.jobs.web.office import written


@pytest.mark.parametrize(
    ("report", "is_news"),
    [
        (AccountReport("alice", copied=1), True),
        # Stored before by another account: whose it is has changed.
        (AccountReport("alice", duplicates=1), True),
        (AccountReport("alice", known=5), False),
        (None, False),
    ],
)
def test_a_run_that_stored_or_recognised_anything_is_news_for_the_index(
    report: AccountReport | None, is_news: bool, tmp_path: Path
) -> None:
    config = load(written(tmp_path, "alice"))
    with closing(Ledger.open(config.state_dir)) as ledger:
        store = BufferedStateStore(ledger.state_store)
        upkeep = Upkeep(
            store,
            names=lambda: ["alice"],
            verify_every=lambda: 1.0,
            verify=lambda _part, _parts, _stop: Slice(0, 0),
            index=lambda: None,
        )
        upkeep.takes_news()
        monitor = Monitor(
            config,
            ledger,
            store,
            alerts=Alerts(store, Outbox(store, list)),
            heartbeats=Heartbeats(Pinger(), None),
            upkeep=upkeep,
        )
        lease = Lease(ScheduledAccount("alice", frozenset(), "alice at h", ""), 0.0)
        monitor.ended(lease, RunResult(report, RunOutcome(Status.OK), Scheduled(0.0), AccountState()))
        assert upkeep.takes_news() is is_news
