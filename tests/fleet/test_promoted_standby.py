"""The machine of the database dies in the middle of runs, and its synchronous standby is promoted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import StartDovecot
from tests.fleet.effects import deleted_unproven
from tests.fleet.real import RealFleet
from tests.servers.postgres import STANDBY, SUPERUSER, Postgres, why_missing

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
ACCOUNTS, EACH = 40, 3


@pytest.fixture
def pair() -> Iterator[tuple[Postgres, Postgres]]:
    if reason := why_missing():
        pytest.skip(reason)
    with Postgres() as primary, Postgres(follows=primary) as standby:
        primary.wait_in_commits_for(STANDBY)
        yield primary, standby


def test_workers_go_on_with_a_promoted_standby_and_nothing_is_lost_or_doubled(
    tmp_path: Path, pair: tuple[Postgres, Postgres], start_dovecot: StartDovecot
) -> None:
    primary, standby = pair
    with primary.database() as name:
        hosts = ",".join(f"{server.host}:{server.port}" for server in pair)
        ledger = f"postgresql://{SUPERUSER}@{hosts}/{name}?target_session_attrs=read-write"
        fleet = RealFleet(tmp_path, ledger, start_dovecot(), ACCOUNTS, per_host=8)
        fleet.deliver(EACH)
        with fleet.working(3):
            wait_until(fleet, ACCOUNTS * EACH * 2 // 3)
            primary.crash()
            assert fleet.left()
            standby.promote()
            wait_until(fleet, 0)
        assert fleet.wrong() == []
        with psycopg.connect(standby.dsn(name)) as connection:
            assert deleted_unproven(connection) == 0
            deletions = connection.execute("select count(*) from deletions").fetchone()
        assert deletions == (ACCOUNTS * EACH,)


def wait_until(fleet: RealFleet, left: int) -> None:
    end = time.monotonic() + 200
    while fleet.left() > left:
        assert time.monotonic() < end, "\n".join(fleet.log(name)[-3000:] for name in fleet.workers)
        time.sleep(0.05)
