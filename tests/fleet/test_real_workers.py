"""``mailferry run`` on several machines, against real servers: each message once, each account with one worker."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from random import Random

import psycopg
import pytest

from migrator.ledger import Ledger
from migrator.ledger.postgres.leases import LEASE_SECONDS
from tests.conftest import StartDovecot
from tests.fleet.real import RealFleet
from tests.fleet.torture import Torture
from tests.servers.dovecot import why_missing
from tests.servers.postgres import Postgres

pytestmark = [pytest.mark.slow]
EACH = 3


def wait_until_begun(fleet: RealFleet, seconds: float = 200.0) -> None:
    """A worker that finds no database when it starts ends, and is started again by who keeps services."""
    end = time.monotonic() + seconds
    while not all("worker.started" in fleet.log(name) for name in fleet.workers):
        assert time.monotonic() < end, "\n".join(fleet.log(name)[-3000:] for name in fleet.workers)
        time.sleep(0.3)


def wait_until_done(fleet: RealFleet, seconds: float = 200.0, left: int = 0) -> None:
    end = time.monotonic() + seconds
    while fleet.left() > left:
        assert time.monotonic() < end, "\n".join(fleet.log(name)[-3000:] for name in fleet.workers)
        time.sleep(0.3)


def test_three_workers_move_every_message_once(
    tmp_path: Path, database: str, postgres: Postgres, start_dovecot: StartDovecot
) -> None:
    fleet = RealFleet(tmp_path, database, start_dovecot(), 12)
    fleet.deliver(EACH)
    with fleet.working(3):
        wait_until_begun(fleet)
        postgres.restart()
        wait_until_done(fleet)
        for name in fleet.workers:
            fleet.tell(name, signal.SIGTERM)
        assert [process.wait(60) for process in fleet.workers.values()] == [0, 0, 0]
    assert fleet.wrong() == []
    with psycopg.connect(database, autocommit=True) as connection:
        # What was given back while the database was away runs out by itself.
        end = time.monotonic() + LEASE_SECONDS
        while connection.execute("select 1 from leases where until > now()").fetchone():
            assert time.monotonic() < end
            time.sleep(0.3)
        runs = connection.execute("select account, count(*) from runs group by account").fetchall()
    assert {name for name, _ in runs} == {f"n{number}" for number in range(12)}
    status = fleet.run("w0", "status", "--json")
    accounts = json.loads(status.stdout)["accounts"]
    assert {one["name"] for one in accounts} == {f"n{number}" for number in range(12)}


def test_an_account_that_a_worker_has_is_locked_for_everybody_else(
    tmp_path: Path, database: str, start_dovecot: StartDovecot
) -> None:
    fleet = RealFleet(tmp_path, database, start_dovecot(), 1)
    fleet.deliver(EACH)
    Ledger.open(database).close()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("insert into leases values ('account n0', 7, 'another machine', now() + interval '1 hour')")
        refused = fleet.run("w0", "migrate", "--json")
        assert refused.returncode == 1
        [report] = json.loads(refused.stdout)["accounts"]
        assert report["errors"][0]["kind"] == "locked"
        assert fleet.left() == EACH
        connection.execute("update leases set until = '-infinity'")
        assert fleet.run("w1", "migrate").returncode == 0
        epochs = connection.execute("select epoch from leases where name = 'account n0'").fetchall()
    assert epochs == [(8,)]
    assert (fleet.left(), fleet.wrong()) == (0, [])


@pytest.mark.dovecot
def test_a_few_seconds_of_torture(tmp_path: Path, postgres: Postgres) -> None:
    """The ten minutes are ``python -m tests.fleet``."""
    if reason := why_missing():
        pytest.skip(reason)
    with Torture(tmp_path, postgres, accounts=12, chance=Random(1)) as torture:
        torture.fleet.deliver(EACH)
        with torture.at_work(3):
            wait_until_done(torture.fleet, left=11 * EACH)
            torture.inflict("cut from the database", "w0", seconds=5)
            torture.inflict("nap", "w1", seconds=4)
            torture.inflict("cut from the servers", "w2", seconds=3)
            while len(torture.awake()) < 3:
                time.sleep(0.3)
            wait_until_done(torture.fleet)
        assert torture.wrong() == []
