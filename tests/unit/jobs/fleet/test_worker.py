"""A worker of a fleet: it works what is due, remembers what came of it, and survives a database that goes away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import psycopg
import pytest

from jobs.fleet import accounts
from jobs.fleet.settling import Settled
from jobs.fleet.worker import FleetRules, FleetSettings, FleetWorker
from jobs.schedule.account_state import AccountState
from jobs.schedule.queue import TOPIC, Concurrency, Lease, ScheduledAccount
from jobs.schedule.retry import RunOutcome, Scheduled
from jobs.schedule.stop import Stop
from jobs.schedule.workers import RunResult
from migrator import __version__
from migrator.errors import Advice, FerryError, Kind, Scope
from migrator.ledger.lease import LeaseLostError
from migrator.ledger.postgres import account_rows
from migrator.ledger.postgres.failures import LedgerAwayError
from migrator.report import AccountReport, Status
from migrator.run.account_lock import AccountLockedError
from migrator.run.counters import RunCounters
from tests.servers.postgres import Postgres
from tests.unit.jobs.office import MemoryStateStore

DAY = 86_400.0
WELL = RunOutcome(Status.OK)
DOWN = RunOutcome(Status.FAILED, Kind.CONNECT, Scope.SESSION, Advice.NOW, "down", host="a:995")
ENDED = RunOutcome(Status.PARTIAL, is_interrupted=True)


def at_once(_name: str, _stop: Stop) -> RunOutcome:
    return WELL


@dataclass
class Runs:
    """What stands in for working an account: it does what a test says, and notes what ran."""

    does: Callable[[str, Stop], RunOutcome] = at_once
    errors: dict[str, FerryError] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    def run(self, name: str, stop: Stop) -> tuple[AccountReport, RunOutcome]:
        self.ran.append(name)
        counters = RunCounters(name)
        if error := self.errors.pop(name, None):
            counters.problem(error)
        return counters.report(0.0), self.does(name, stop)

    def fingerprint(self, name: str) -> str:
        return self.fingerprints.get(name, "now")


@dataclass
class Heard:
    """What a listener heard."""

    results: list[tuple[str, RunResult]] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)

    def began(self, lease: Lease) -> None:
        assert lease.waited >= 0

    def ended(self, lease: Lease, result: RunResult) -> None:
        self.results.append((lease.job.name, result))

    def still_parked(self, lease: Lease) -> None:
        self.parked.append(lease.job.name)

    def names(self) -> list[str]:
        return [name for name, _ in self.results]


def job(name: str, configured: str = "1", source: str = "a:995") -> ScheduledAccount:
    return ScheduledAccount(name, frozenset({source, "imap:993"}), f"{name} at {source}", configured, source)


@dataclass
class Bench:
    """Starts workers on one database; all of them end with the test."""

    dsn: str
    stack: ExitStack
    runs: Runs = field(default_factory=Runs)
    heard: Heard = field(default_factory=Heard)
    store: MemoryStateStore = field(default_factory=MemoryStateStore)
    limits: Concurrency = field(default_factory=lambda: Concurrency(4, 4))
    revision: str = ""
    """Of which accounts that are kept in the database the workers know."""

    def start(self, *jobs: ScheduledAccount, name: str = "one", slice_seconds: float = 900.0) -> FleetWorker:
        settings = FleetSettings(self.dsn, name, tick_seconds=0.1, slice_seconds=slice_seconds)
        rules = FleetRules(lambda _name, now: now + DAY, limits=self.limits, revision=lambda: self.revision)
        worker = FleetWorker(settings, self.runs, self.heard, store=self.store, rules=rules)
        worker.load(jobs, self.limits)
        worker.start()
        self.stack.callback(worker.stop, 20.0)
        return worker


@pytest.fixture
def bench(fleet_dsn: str) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(fleet_dsn, stack)


def wait_for(question: Callable[[], object], seconds: float = 12.0) -> None:
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_empty(dsn: str) -> bool:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute("select count(*) from pgqueuer").fetchone() == (0,)


def test_what_is_due_is_worked_once_and_remembered(bench: Bench, connection: psycopg.Connection) -> None:
    worker = bench.start(job("ann"), job("bob"), job("eve"))
    wait_for(lambda: len(bench.heard.results) == 3)
    assert sorted(bench.runs.ran) == ["ann", "bob", "eve"]
    row = accounts.row_of(connection, "ann")
    assert row is not None
    assert row.next_due > time.time() + DAY - 100
    assert row.state.last_worked > 0
    assert (row.state.configured, row.state.worked_with) == ("1", "now")
    assert bench.store.get_all(TOPIC)["ann"]["last_worked"] == row.state.last_worked
    assert worker.states()["ann"].first_seen > 0
    assert worker.is_alive()
    assert worker.stop(20)
    assert sorted(bench.runs.ran) == ["ann", "bob", "eve"]


def test_a_failure_waits_in_the_account_and_not_in_the_queue(bench: Bench, connection: psycopg.Connection) -> None:
    bench.runs.does = lambda _name, _stop: DOWN
    bench.start(job("ann"))
    wait_for(lambda: bench.heard.results)
    wait_for(lambda: connection.execute("select count(*) from pgqueuer").fetchone() == (0,))
    row = accounts.row_of(connection, "ann")
    assert row is not None
    assert (row.state.attempts, row.state.host) == (1, "a:995")
    assert time.time() + 30 < row.next_due < time.time() + 100
    assert connection.execute("select host, failures from fleet_circuits").fetchall() == [("a:995", 1)]


@pytest.mark.parametrize(
    "error",
    [
        AccountLockedError(Kind.LOCKED, "another has it"),
        LeaseLostError("QUIT"),
        LedgerAwayError(Kind.INTERNAL, "the ledger does not answer"),
    ],
)
def test_an_account_that_another_has_comes_again_and_nothing_is_held_against_it(
    bench: Bench, connection: psycopg.Connection, error: FerryError
) -> None:
    bench.runs.errors["ann"] = error
    bench.start(job("ann"))
    wait_for(lambda: bench.runs.ran)
    wait_for(lambda: connection.execute("select count(*) from pgqueuer where execute_after > now()").fetchone() == (1,))
    row = accounts.row_of(connection, "ann")
    assert row is not None
    assert row.state == AccountState()
    connection.execute("update pgqueuer set execute_after = now()")
    wait_for(lambda: bench.heard.names() == ["ann"])


def test_who_has_another_configuration_hands_the_account_back(bench: Bench, connection: psycopg.Connection) -> None:
    worker = bench.start(job("ann"))
    wait_for(lambda: bench.heard.results)
    connection.execute("update fleet_accounts set configured = 'other'")
    worker.try_now("ann")
    wait_for(lambda: connection.execute("select count(*) from pgqueuer where execute_after > now()").fetchone() == (1,))
    assert bench.runs.ran == ["ann"]


def test_an_account_that_was_imported_otherwise_is_handed_back_without_a_word(
    bench: Bench, connection: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    worker = bench.start(job("ann"))
    wait_for(lambda: bench.heard.results)
    assert not worker.has_other_accounts()
    account_rows.keep(bench.dsn, [("ann", {"name": "ann"})], seen="")
    assert worker.has_other_accounts()
    connection.execute("update fleet_accounts set configured = 'other'")
    worker.try_now("ann")
    wait_for(lambda: connection.execute("select count(*) from pgqueuer where execute_after > now()").fetchone() == (1,))
    assert bench.runs.ran == ["ann"]
    assert "worker.account.unknown" not in caplog.text
    bench.revision = account_rows.read(bench.dsn).revision
    assert not worker.has_other_accounts()
    connection.execute("update pgqueuer set execute_after = now()")
    wait_for(lambda: "worker.account.unknown" in caplog.text)


def test_what_comes_twice_is_worked_once(bench: Bench, connection: psycopg.Connection) -> None:
    bench.start(job("ann"))
    wait_for(lambda: bench.heard.results)
    wait_for(lambda: connection.execute("select count(*) from pgqueuer").fetchone() == (0,))
    connection.execute(
        "insert into pgqueuer (priority, entrypoint, payload, status, dedupe_key)"
        " values (0, 'host a:995', 'ann', 'queued', 'ann')"
    )
    wait_for(lambda: connection.execute("select count(*) from pgqueuer").fetchone() == (0,))
    assert bench.runs.ran == ["ann"]


def test_a_parked_account_is_not_logged_in_to_before_something_changed(
    bench: Bench, connection: psycopg.Connection
) -> None:
    worker = bench.start(job("ann"))
    wait_for(lambda: bench.heard.results)
    parked = AccountState(attempts=1, parked="now")
    accounts.settle(connection, "ann", Settled(parked, Scheduled(0.0), 0.0))
    wait_for(lambda: bench.heard.parked == ["ann"])
    bench.runs.fingerprints["ann"] = "changed"
    worker.look_again()
    wait_for(lambda: bench.heard.names() == ["ann", "ann"])


def test_two_accounts_of_one_maildrop_take_turns(bench: Bench, connection: psycopg.Connection) -> None:
    goes_on = threading.Event()

    def waiting(_name: str, _stop: Stop) -> RunOutcome:
        assert goes_on.wait(20)
        return WELL

    bench.runs.does = waiting
    ann, bob = job("ann"), replace(job("bob"), maildrop=job("ann").maildrop)
    bench.start(ann, bob)
    later = "select count(*) from pgqueuer where execute_after > now()"
    wait_for(lambda: connection.execute(later).fetchone() == (1,))
    assert len(bench.runs.ran) == 1
    goes_on.set()
    wait_for(lambda: bench.heard.results)
    connection.execute("update pgqueuer set execute_after = now()")
    wait_for(lambda: sorted(bench.heard.names()) == ["ann", "bob"])


def until_stopped(_name: str, stop: Stop) -> RunOutcome:
    assert stop.wait(30)
    return ENDED


def test_a_run_that_keeps_others_waiting_is_cut_short_and_comes_again_behind_them(bench: Bench) -> None:
    bench.limits = Concurrency(1, 1)
    bench.runs.does = lambda name, stop: until_stopped(name, stop) if name == "ann" else WELL
    bench.start(job("ann"), job("bob"), slice_seconds=0.3)
    wait_for(lambda: len(bench.runs.ran) >= 3)
    assert bench.runs.ran[:3] == ["ann", "bob", "ann"]


def test_a_run_for_which_nobody_waits_goes_on(bench: Bench) -> None:
    bench.runs.does = lambda _name, stop: ENDED if stop.wait(2) else WELL
    bench.start(job("ann"), slice_seconds=0.1)
    wait_for(lambda: bench.heard.results)
    assert bench.heard.results[0][1].outcome == WELL


def test_a_person_ends_a_run_wherever_it_is(bench: Bench, fleet_dsn: str) -> None:
    bench.runs.does = until_stopped
    here = bench.start(job("ann"))
    wait_for(lambda: here.running() == ["ann"])
    there = FleetWorker(
        FleetSettings(fleet_dsn, "two"), Runs(), Heard(), store=MemoryStateStore(), rules=FleetRules(lambda _, now: now)
    )
    bench.stack.callback(there.stop, 1.0)
    assert not there.stop_run("ann")
    wait_for(lambda: bench.heard.results)
    assert here.running() == []
    assert bench.runs.ran == ["ann"]


def test_a_worker_ends_its_runs_when_it_ends(bench: Bench) -> None:
    bench.runs.does = until_stopped
    worker = bench.start(job("ann"), job("bob"))
    wait_for(lambda: worker.running() == ["ann", "bob"])
    assert worker.stop(20)
    assert sorted(bench.heard.names()) == ["ann", "bob"]


@pytest.mark.parametrize("how", ["restart", "away"])
def test_a_database_that_goes_away_ends_no_worker(bench: Bench, postgres: Postgres, how: str) -> None:
    worker = bench.start(job("ann"))
    wait_for(lambda: bench.heard.results)
    wait_for(lambda: is_empty(bench.dsn))  # an account whose end is not noted comes again only after a minute
    assert worker.states()
    if how == "restart":
        postgres.restart()
    else:
        postgres.stop()
        time.sleep(3)
        assert worker.states()  # as it was last known
        postgres.start()
    with psycopg.connect(bench.dsn, autocommit=True) as connection:
        accounts.try_now(connection, ["ann"], time.time())
    wait_for(lambda: len(bench.heard.results) == 2)
    assert worker.is_alive()


def test_what_was_taken_on_a_lost_connection_holds_its_place_for_a_moment_only(
    bench: Bench, connection: psycopg.Connection
) -> None:
    goes_on = threading.Event()

    def waiting(_name: str, _stop: Stop) -> RunOutcome:
        assert goes_on.wait(20)
        return WELL

    bench.runs.does = waiting
    worker = bench.start(job("ann"))
    wait_for(lambda: worker.running() == ["ann"])
    connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mailferry queue'"
    )
    goes_on.set()
    wait_for(lambda: is_empty(bench.dsn))
    assert bench.runs.ran == ["ann"]


def test_one_of_the_workers_has_the_desk_and_the_next_takes_it(bench: Bench, connection: psycopg.Connection) -> None:
    first = bench.start(job("ann"))
    wait_for(first.is_desk)
    second = bench.start(job("ann"), name="two")
    wait_for(lambda: connection.execute("select count(*) from fleet_workers").fetchone() == (2,))
    assert not second.is_desk()
    shown = connection.execute("select version, running from fleet_workers where name = 'two'").fetchone()
    assert shown == (__version__, [])
    assert first.stop(20)
    wait_for(second.is_desk)


def test_a_worker_older_than_the_ledger_takes_no_more(bench: Bench, connection: psycopg.Connection) -> None:
    worker = bench.start(job("ann"))
    wait_for(lambda: bench.heard.results)
    connection.execute("create table if not exists schema_version (version int)")
    connection.execute("insert into schema_version values (1000000)")
    wait_for(lambda: not worker.is_alive())
    worker.try_now("ann")
    wait_for(lambda: connection.execute("select count(*) from pgqueuer").fetchone() == (1,))
    assert bench.runs.ran == ["ann"]
