"""The tables of the fleet."""

from __future__ import annotations

import psycopg

from jobs.fleet.schema import prepare

PERSISTENCE = "select distinct relpersistence::text from pg_class where relname like 'pgqueuer%' and relkind = '{}'"


def test_the_queue_may_be_lost_but_its_numbers_stay_readable_wherever_it_is_empty(database: str) -> None:
    with psycopg.connect(database) as connection:
        prepare(connection)
        assert ("u",) in connection.execute(PERSISTENCE.replace("{}", "r").encode()).fetchall()
        assert connection.execute(PERSISTENCE.replace("{}", "S").encode()).fetchall() == [("p",)]
        prepare(connection)
