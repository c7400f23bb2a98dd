"""Each array is read by PostgreSQL as what it was made of."""

from __future__ import annotations

import psycopg

from migrator.ledger.postgres.arrays import numbers, octets, texts

NASTY = [
    "",
    "plain",
    'a "quoted" one',
    "back\\slash",
    "{braces, commas}",
    "null",
    " spaces ",
    "line\nend",
    "ä\U0001f600",
]


def test_numbers(database: str) -> None:
    values = [0, -1, 2**62]
    assert read(database, "bigint[]", numbers(values)) == values


def test_octets(database: str) -> None:
    values = [b"", bytes(range(256)), b'"\\{,}']
    assert read(database, "bytea[]", octets(values)) == values


def test_texts(database: str) -> None:
    assert read(database, "text[]", texts(NASTY)) == NASTY


def test_nothing(database: str) -> None:
    assert read(database, "bigint[]", numbers([])) == read(database, "text[]", texts([])) == []


def read(database: str, kind: str, array: str) -> object:
    with psycopg.connect(database) as connection:
        (value,) = connection.execute(f"select %s::{kind}".encode(), [array]).fetchone() or (None,)
    return value
