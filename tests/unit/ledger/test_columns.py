"""What many rows' columns hold is taken apart as it was put together, by SQLite itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, strategies

from migrator.ledger import columns


@pytest.fixture(scope="module")
def sql() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


def taken_apart(sql: sqlite3.Connection, expression: str, column: bytes, rows: str) -> list[int | bytes]:
    query = f"select {expression} from json_each(?2) order by key"  # noqa: S608  # of our own words
    return [value for (value,) in sql.execute(query, (column, rows))]


@given(strategies.lists(strategies.integers(0, (1 << 63) - 1)))
def test_numbers(sql: sqlite3.Connection, values: list[int]) -> None:
    assert taken_apart(sql, columns.number_in("?1"), columns.numbers(values), json.dumps(values)) == values


@given(strategies.lists(strategies.binary(min_size=3, max_size=3)))
def test_octets_of_one_length(sql: sqlite3.Connection, values: list[bytes]) -> None:
    rows = json.dumps([0] * len(values))
    assert taken_apart(sql, columns.octets_in("?1", 3), b"".join(values), rows) == values


@given(strategies.lists(strategies.binary(max_size=300)))
def test_octets_of_any_length_and_none(sql: sqlite3.Connection, values: list[bytes]) -> None:
    rows = columns.places_of(values)
    assert taken_apart(sql, columns.octets_at_places_in("?1"), b"".join(values), rows) == values
