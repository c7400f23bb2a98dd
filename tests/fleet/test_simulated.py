"""Three workers, killed and frozen at random: every account is worked, and nothing of the past comes after the present."""

from __future__ import annotations

import time

import psycopg
import pytest

from jobs.fleet.schema import prepare
from migrator.ledger.postgres import leases
from tests.fleet.fleet import SimulatedFleet, past_effects, unworked
from tests.fleet.simulated import TABLE

ACCOUNTS, HOSTS = 150, 10


@pytest.mark.slow
def test_workers_that_die_and_freeze_lose_no_account_and_have_no_effect_of_the_past(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        prepare(connection)
        leases.prepare(connection)
        connection.execute(TABLE)
        fleet = SimulatedFleet(database, ACCOUNTS, HOSTS)
        with fleet.working():
            began = time.monotonic()
            while time.monotonic() < began + 25:
                fleet.suffer()
                time.sleep(0.7)
            while unworked(connection, fleet.effects) and time.monotonic() < began + 120:
                fleet.suffer()
                time.sleep(2)
        assert fleet.ills.killed
        assert fleet.ills.frozen
        assert past_effects(connection) == []
        assert unworked(connection, fleet.effects) == 0
