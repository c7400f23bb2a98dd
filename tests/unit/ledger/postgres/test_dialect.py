from __future__ import annotations

import pytest

from migrator.ledger.postgres.dialect import translated


@pytest.mark.parametrize(
    ("said", "text", "names"),
    [
        ("select ?, ?", "select $1, $2", (0, 1)),
        ("select ?2, ?1, ?2", "select $1, $2, $1", (1, 0)),
        ("select :old, :new, :old", "select $1, $2, $1", ("old", "new")),
        ("select x'', x'0a'", r"select '\x'::bytea, '\x0a'::bytea", ()),
        (
            "a is not 'b' and c is ? and d is null",
            "a is distinct from 'b' and c is not distinct from $1 and d is null",
            (0,),
        ),
        ("problem = name || ' is missing' -- what is it", "problem = name || ' is missing' ", ()),
        ("offset = k.offset, 'offset'", "\"offset\" = k.offset, 'offset'", ()),
        ("insert or ignore into t values (?)", "insert into t values ($1) on conflict do nothing", (0,)),
        ("in () or in (1)", "in (null) or in (1)", ()),
        ("create temp table t (n integer, d blob)", "create temp table t (n bigint, d bytea)", ()),
        ("json_extract(report, '$.by')", "(report::json ->> 'by')", ()),
    ],
)
def test_what_sqlite_says_otherwise(said: str, text: str, names: tuple[int | str, ...]) -> None:
    assert translated(said) == (text, names)


def test_numbers_and_texts_come_as_one_array() -> None:
    numbers = translated("select m.id from json_each(?) as wanted cross join messages m on m.id = wanted.value").text
    assert "unnest(translate($1, '[]', '{}')::bigint[]) with ordinality as wanted(value, key) join messages" in numbers
    texts = translated("where account in (select value from json_each(?, '$'))").text
    assert "jsonb_array_elements_text($1::jsonb) with ordinality as element(value, key)" in texts


def test_values_go_where_they_stand() -> None:
    assert translated("select ?2, ?1").bound(["a", "b"]) == ("b", "a")
    assert translated("select :old").bound({"old": 1, "new": 2}) == (1,)
