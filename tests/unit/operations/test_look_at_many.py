"""A look at many accounts asks the ledger as often as one at few; what it finds is what a look at each finds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from migrator.config import Config
from migrator.findings.facts import AccountFacts, Invocation, LedgerFacts, LedgerState
from migrator.ledger import Ledger
from migrator.operations.look import OpenedLedger, look
from migrator.operations.look_at_accounts import look_at_accounts
from migrator.operations.status import WorkerView, account_statuses
from migrator.report import AccountReport, Status
from migrator.wiring.ledger import open_ledger
from tests.mail import mail
from tests.unit.archive.office import Office

NOW = 2_000_000_000.0


@contextmanager
def looked_at(folder: Path, count: int) -> Iterator[tuple[Office, Config, Ledger]]:
    """An office of accounts with a file and a file in common, of which each has run, well or not."""
    folder.mkdir()
    names = [f"account{number}" for number in range(count)]
    office = Office(folder, {name: [f"mbox:archive/{name}", "mbox:archive/common"] for name in names})
    office.copy([mail("lunch", "bread", Message_ID="<1@example.org>")], names[0])
    office.copy([mail("dinner", "soup", Message_ID="<2@example.org>")], names[1], is_seen=False)
    with closing(open_ledger(office.config)) as ledger:
        for number, name in enumerate(names[:-1]):
            run = ledger.history.run_started(name, 1.0)
            ledger.history.run_ended(run, AccountReport(name, list(Status)[number % 3]), 2.0)
        yield office, office.config, ledger


def facts_of(config: Config, ledger: Ledger) -> tuple[AccountFacts, ...]:
    return look(config, OpenedLedger(LedgerFacts(LedgerState.WELL), ledger), NOW, Invocation()).accounts


def statuses_of(config: Config, ledger: Ledger) -> object:
    workers = {name: WorkerView() for name in config.names()}
    return account_statuses(config.accounts, config.state_dir, ledger, workers, lambda _account, _run: NOW)


def questions(ledger: Ledger, asking: Callable[[], object]) -> int:
    heard: list[str] = []
    with ledger._connection.reading() as sql:  # noqa: SLF001  # what it asks is the point
        assert isinstance(sql, sqlite3.Connection)
        sql.set_trace_callback(heard.append)
        asking()
        sql.set_trace_callback(None)
    return sum("select" in one for one in heard)


@pytest.mark.parametrize("asking", [facts_of, statuses_of])
def test_it_asks_no_oftener_for_more_accounts(asking: Callable[[Config, Ledger], object], tmp_path: Path) -> None:
    asked = []
    for count in (4, 12):
        with looked_at(tmp_path / str(count), count) as (_, config, ledger):
            asked.append(questions(ledger, partial(asking, config, ledger)))
    assert asked[0] == asked[1] < 30


def test_each_account_has_its_own_facts(tmp_path: Path) -> None:
    with looked_at(tmp_path / "office", 5) as (_, config, ledger):
        together = list(look_at_accounts(config.accounts, config, ledger))
        alone = [next(look_at_accounts([account], config, ledger)) for account in config.accounts]
        assert together == alone == list(look_at_accounts(config.accounts, config, ledger, at_once=2))
        assert [one.last_run is None for one in together] == [False] * 4 + [True]
        assert [one.last_success for one in together] == [2.0, 0.0, 0.0, 2.0, 0.0]
        # "dinner", which nobody was shown, stands in the file of the second and in the common one.
        assert [list(one.lacking.values()) for one in together] == [[1], [], [1], [1], []]
