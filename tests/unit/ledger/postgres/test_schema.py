from __future__ import annotations

import sqlite3
from contextlib import closing

import psycopg
import pytest

from migrator.ledger import Ledger, schema
from migrator.ledger.postgres.schema import FIRST, TRIGGERS, UPGRADES
from migrator.ledger.sqlite.connection import VERSION


def test_every_later_migration_has_its_counterpart() -> None:
    assert len(schema.MIGRATIONS) == VERSION
    assert set(UPGRADES) == set(range(FIRST + 1, VERSION + 1))


def test_every_trigger_has_its_counterpart() -> None:
    with closing(sqlite3.connect(":memory:")) as sql:
        schema.create(sql)
        names = {name for (name,) in sql.execute("select name from sqlite_schema where type = 'trigger'")}
    assert names == set(TRIGGERS)


def test_both_databases_have_the_same_columns_and_indexes(database: str) -> None:
    Ledger.open(database).close()
    with closing(sqlite3.connect(":memory:")) as sql, psycopg.connect(database) as other:
        schema.create(sql)
        mine = sql.execute(
            "select t.name, c.name from sqlite_schema t join pragma_table_info(t.name) c"
            " where t.type = 'table' and t.name not like '%sqlite%' union"
            " select tbl_name, name from sqlite_schema where type = 'index' and sql is not null and name not like '%sqlite%'"
        ).fetchall()
        theirs = other.execute(
            "select table_name, column_name from information_schema.columns where table_schema = 'public'"
            " union select tablename, indexname from pg_indexes where schemaname = 'public'"
        ).fetchall()
    assert set(mine) <= set(theirs)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_rule_that_is_switched_off_is_a_problem(database: str, trigger: str) -> None:
    with closing(Ledger.open(database)) as ledger:
        before = ledger.weaknesses()
        with psycopg.connect(database) as connection:
            table = trigger.partition("_")[0]
            connection.execute(f"alter table {table} disable trigger {trigger}".encode())  # the schema's own names
        assert ledger.weaknesses() == [f"the rule {trigger} is not in force", *before]
        assert all("fsync" in one or "full_page_writes" in one for one in before)  # the server of the tests is quick
