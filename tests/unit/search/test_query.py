from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, strategies as st

from migrator.search.query import (
    All,
    Any,
    Calendar,
    Dated,
    Everything,
    Field,
    Named,
    Not,
    NotParsed,
    OfAccount,
    Query,
    QueryError,
    Sized,
    WithAttachment,
    Words,
    parse,
)
from migrator.search.sql import condition

CALENDAR = Calendar(date(2024, 5, 31), UTC)


def day(year: int, month: int, number: int) -> int:
    return int(datetime(year, month, number, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("hello", Words("hello")),
        ('"hello world"', Words("hello world")),
        ("inv*", Words("inv", None, is_prefix=True)),
        ('"inv*"', Words("inv*")),
        ("from:alice", Words("alice", Field.SENDER)),
        ("FROM:alice", Words("alice", Field.SENDER)),
        ('subject:"big news"', Words("big news", Field.SUBJECT)),
        ("to:a@b.c", Words("a@b.c", Field.RECIPIENTS)),
        ("cc:x", Words("x", Field.CC)),
        ("body:x", Words("x", Field.BODY)),
        ("attachment:pdf", Words("pdf", Field.ATTACHMENTS)),
        ("list:dev", Words("dev", Field.LIST)),
        ("account:bob", OfAccount("bob")),
        ("id:<a@b>", Named("<a@b>")),
        ("has:attachment", WithAttachment()),
        ("has:problem", NotParsed()),
        ("*", Everything()),
        ("http://x.y/z", Words("http://x.y/z")),
        ("12:30", Words("12:30")),
        ("larger:2MB", Sized(2_000_000, None)),
        ("smaller:1KiB", Sized(None, 1024)),
        ("larger:500", Sized(500, None)),
        ("larger:1.5k", Sized(1500, None)),
        ("a b", All((Words("a"), Words("b")))),
        ("a and b", All((Words("a"), Words("b")))),
        ("a OR b", Any((Words("a"), Words("b")))),
        ("a or b c", Any((Words("a"), All((Words("b"), Words("c")))))),
        ("(a or b) c", All((Any((Words("a"), Words("b"))), Words("c")))),
        ("not a", Not(Words("a"))),
        ("-a", Not(Words("a"))),
        ("a -from:b", All((Words("a"), Not(Words("b", Field.SENDER))))),
        ("a-b", Words("a-b")),
        ('"and"', Words("and")),
        ("before:2024-05-01", Dated(None, day(2024, 5, 1))),
        ("after:2024-05-01", Dated(day(2024, 5, 1), None)),
        ("date:2024", Dated(day(2024, 1, 1), day(2025, 1, 1))),
        ("date:2024-12", Dated(day(2024, 12, 1), day(2025, 1, 1))),
        ("date:2024-02-29", Dated(day(2024, 2, 29), day(2024, 3, 1))),
        ("date:2023-01..2023-03", Dated(day(2023, 1, 1), day(2023, 4, 1))),
        ("date:..2023", Dated(None, day(2024, 1, 1))),
        ("date:2023..", Dated(day(2023, 1, 1), None)),
        ("date:today", Dated(day(2024, 5, 31), day(2024, 6, 1))),
        ("after:yesterday", Dated(day(2024, 5, 30), None)),
        ("after:30d", Dated(day(2024, 5, 1), None)),
        ("after:2weeks", Dated(day(2024, 5, 17), None)),
    ],
)
def test_what_is_written_means(written: str, meaning: Query) -> None:
    assert parse(written, CALENDAR) == meaning


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "nothing to look for"),
        ("   ", "nothing to look for"),
        ("(a", "( without its )"),
        ("a)", ") without its ("),
        ('"a', "not closed"),
        ("a or", "missing at the end"),
        ("and", "stands where"),
        ("not", "missing at the end"),
        ("from:", "needs something"),
        ("larger:big", "is no size"),
        ("date:tomorrow", "is no day"),
        ("date:2023-13", "is no day"),
        ("date:..", "needs a day"),
        ("before:9999999d", "is no day"),
        ("has:cheese", "has:attachment"),
        ("(" * 60 + "a" + ")" * 60, "too deeply"),
    ],
)
def test_what_cannot_be_understood_is_said_in_words(written: str, said: str) -> None:
    with pytest.raises(QueryError, match=said.replace("(", r"\(").replace(")", r"\)")):
        parse(written, CALENDAR)


@given(st.text(max_size=60))
def test_whatever_is_written_is_understood_or_refused_in_words(written: str) -> None:
    with suppress(QueryError):
        text, values = condition(parse(written, CALENDAR))
        assert text.count("?") == len(values)
