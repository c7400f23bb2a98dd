from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, strategies as st

from migrator.search.index import SearchIndex
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
    remarks,
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
        ("frm:bob", All((Words("frm"), Words("bob")))),
        ('frm:"bob b"', All((Words("frm"), Words("bob b")))),
        ("frm:bo*", All((Words("frm"), Words("bo", None, is_prefix=True)))),
        ("aa:bb:cc", Words("aa:bb:cc")),
        ("C:\\mail", Words("c:\\mail")),
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
        ("larger:big", "is not a size"),
        ("date:tomorrow", "is not a day"),
        ("date:2023-13", "is not a day"),
        ("date:..", "needs a day"),
        ("before:9999999d", "is not a day"),
        ("has:cheese", "has:attachment"),
        ("(" * 60 + "a" + ")" * 60, "too deeply"),
    ],
)
def test_what_cannot_be_understood_is_said_in_words(written: str, said: str) -> None:
    with pytest.raises(QueryError, match=said.replace("(", r"\(").replace(")", r"\)")):
        parse(written, CALENDAR)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("frm:bob", ['frm: is not a field (did you mean from:?); searched as the words "frm" and "bob"']),
        ("a -SUBJET:x", ['subjet: is not a field (did you mean subject:?); searched as the words "subjet" and "x"']),
        ("sender:bob", ['sender: is not a field (did you mean from:?); searched as the words "sender" and "bob"']),
        ("frm:a frm:a", ['frm: is not a field (did you mean from:?); searched as the words "frm" and "a"']),
        ("from:bob http://x.y/z 12:30 aa:bb:cc smile:) x: :x", []),
    ],
)
def test_a_field_that_there_is_none_of_is_named_with_the_nearest(written: str, said: list[str]) -> None:
    assert remarks(written) == said


@pytest.mark.parametrize("written", ["€", '"!!!"', "from:-", "not €", '""'])
def test_what_no_index_holds_is_said(written: str) -> None:
    [remark] = remarks(written)
    assert remark.endswith("holds no letter, digit or emoji: it is found nowhere")


@pytest.mark.parametrize(
    "written", ["*", "from:a", "date:2024", "id:<>", "has:attachment", "a*", "🎉", "http://x", "c++"]
)
def test_of_what_is_clear_nothing_is_said(written: str) -> None:
    assert remarks(written) == []


def test_where_no_field_is_near_all_are_named() -> None:
    [remark] = remarks("zzz:x")
    assert "fields are from:, to:, cc:, subject:" in remark


_PIECES = st.sampled_from(
    [
        *(
            "from:",
            "to:",
            "id:",
            "account:",
            "has:",
            "before:",
            "after:",
            "date:",
            "larger:",
            "smaller:",
            "frm:",
            "list:",
        ),
        *(
            "a",
            "b*",
            "*",
            "attachment",
            "2024",
            "2024-05..",
            "..",
            "9" * 400,
            "9" * 25 + "GB",
            "99999y",
            "0000",
            "1\u212a",
        ),
        *(
            "(",
            ")",
            '"',
            '"a b"',
            '""',
            "and",
            "or",
            "not",
            "-",
            " ",
            " ",
            " ",
            "\udc80",
            "\0",
            "ß",
            "🎉",
            "٣",
            "NEAR",
            "^a",
            "{a}",
        ),
        *("'", ":", "::", "\\", "AND", "a+b", "a:b:c", "(" * 30, ")" * 30, " or has:attachment" * 40),
    ]
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    with closing(SearchIndex.open(tmp_path_factory.mktemp("index"))) as index:
        yield index


def answered(written: str, index: SearchIndex) -> None:
    """Whatever is written ends in hits or in one clear sentence."""
    try:
        query = parse(written, CALENDAR)
    except QueryError:
        return
    remarks(written)
    text, values = condition(query)
    assert text.count("?") == len(values)
    query = All((Any((OfAccount("a"), OfAccount("b"))), query))  # as one account's reader asks
    assert index.search(query) == (0, [])
    assert index.digests(query) == set()


@given(st.text(max_size=60) | st.lists(_PIECES, max_size=12).map("".join))
def test_whatever_is_written_is_understood_or_refused_in_words(index: SearchIndex, written: str) -> None:
    answered(written, index)


@pytest.mark.parametrize("depth", [5, 10, 11, 12, 13, 49, 500])
@pytest.mark.parametrize(
    "level", ["(a or b ", "(a b or ", "(-a b or ", "not (", "-", "(", "(has:attachment or larger:1 ", "(account:a -"]
)
def test_no_nesting_is_too_deep_for_the_database(index: SearchIndex, level: str, depth: int) -> None:
    answered(level * depth + "c" + ")" * (depth if "(" in level else 0), index)


@pytest.mark.parametrize("joint", [" or ", " ", " or has:attachment or ", " larger:1 ", " account:x or ", " -a "])
@pytest.mark.parametrize("count", [100, 999, 3_000])
def test_no_query_is_too_long_for_the_database(index: SearchIndex, joint: str, count: int) -> None:
    answered(joint.join(["w"] * count), index)
