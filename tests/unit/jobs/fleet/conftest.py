from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from jobs.fleet.schema import prepare
from migrator.ledger.postgres import leases


@pytest.fixture
def fleet_dsn(database: str) -> str:
    """The address of a database with the tables of a fleet, and nothing in them."""
    with psycopg.connect(database, autocommit=True) as connection:
        prepare(connection)
        prepare(connection)
        leases.prepare(connection)
    return database


@pytest.fixture
def connection(fleet_dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(fleet_dsn, autocommit=True) as connection:
        yield connection
