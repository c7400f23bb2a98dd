from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator.transactions import transaction


@pytest.fixture
def sql(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "some.sqlite3", isolation_level=None, timeout=0.0)) as sql:
        sql.execute("create table facts (fact integer primary key)")
        yield sql


def facts(sql: sqlite3.Connection) -> list[int]:
    return [fact for (fact,) in sql.execute("select fact from facts")]


@pytest.mark.parametrize("kind", ["immediate", "deferred"])
def test_what_comes_to_its_end_is_kept(sql: sqlite3.Connection, kind: str) -> None:
    with transaction(sql, kind) as inside:
        inside.execute("insert into facts values (1)")
    assert (facts(sql), sql.in_transaction) == ([1], False)


@pytest.mark.parametrize("ended_by", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_what_is_cut_short_leaves_nothing(sql: sqlite3.Connection, ended_by: type[BaseException]) -> None:
    def cut_short() -> None:
        with transaction(sql):
            sql.execute("insert into facts values (1)")
            raise ended_by

    with pytest.raises(ended_by):
        cut_short()
    assert (facts(sql), sql.in_transaction) == ([], False)


def test_what_sqlite_has_rolled_back_itself_is_the_error_that_is_seen(sql: sqlite3.Connection) -> None:
    sql.execute("insert into facts values (1)")
    with pytest.raises(sqlite3.IntegrityError), transaction(sql):
        sql.execute("insert or rollback into facts values (1)")
    assert (facts(sql), sql.in_transaction) == ([1], False)


def test_who_writes_is_alone_from_the_beginning(sql: sqlite3.Connection, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "some.sqlite3", isolation_level=None, timeout=0.0)) as other:
        with transaction(sql), pytest.raises(sqlite3.OperationalError), transaction(other):
            pass
        with transaction(other):
            pass
