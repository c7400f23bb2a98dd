"""Replies of IMAP servers, as they should be and as they are."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from migrator.imap.replies import (
    AppendUid,
    ReplyStatus,
    expand_uid_set,
    fetch_items_begin,
    literal_octets,
    parse_append_uid,
    parse_fetch_items,
    parse_status,
    uid_set_of,
)


@pytest.mark.parametrize(
    ("line", "verdict", "code", "arguments", "words"),
    [
        (b"a1 OK done", ReplyStatus.OK, b"", b"", b"done"),
        (b"a1 ok done", ReplyStatus.OK, b"", b"", b"done"),
        (b"a1 NO [OVERQUOTA] full", ReplyStatus.NO, b"OVERQUOTA", b"", b"[OVERQUOTA] full"),
        (b"a1 no [overquota] full", ReplyStatus.NO, b"OVERQUOTA", b"", b"[overquota] full"),
        (b"a1 OK [APPENDUID 7 1:3] x", ReplyStatus.OK, b"APPENDUID", b"7 1:3", b"[APPENDUID 7 1:3] x"),
        (b"a1 BAD", ReplyStatus.BAD, b"", b"", b""),
        (b"a1 BAD [TOOBIG]", ReplyStatus.BAD, b"TOOBIG", b"", b"[TOOBIG]"),
        (b"a1 NO [unclosed code", ReplyStatus.NO, b"", b"", b"[unclosed code"),
        (b"* BYE so long\xff", ReplyStatus.BYE, b"", b"", b"so long\xff"),
    ],
)
def test_status_lines_are_taken_apart(
    line: bytes, verdict: ReplyStatus, code: bytes, arguments: bytes, words: bytes
) -> None:
    reply = parse_status(line)
    assert reply is not None
    assert (reply.verdict, reply.code, reply.arguments, reply.words) == (verdict, code, arguments, words)


@pytest.mark.parametrize(
    "line", [b"", b"a1", b"* 7 EXISTS", b"a1 OKAY", b"+ go on", b"* FLAGS ()", b"a1  OK two blanks"]
)
def test_what_is_no_status_line_is_none(line: bytes) -> None:
    assert parse_status(line) is None


@pytest.mark.parametrize(
    ("words", "count", "expected"),
    [
        (b"[APPENDUID 7 4]", 1, AppendUid(7, (4,))),
        (b"[APPENDUID 7 4:6]", 3, AppendUid(7, (4, 5, 6))),
        (b"[APPENDUID 7 4,9,6]", 3, AppendUid(7, (4, 9, 6))),
        (b"[APPENDUID 7 4:6]", 2, None),
        (b"[APPENDUID 7 4:6]", 4, None),
        (b"[APPENDUID 7]", 1, None),
        (b"[APPENDUID 0 4]", 1, None),
        (b"[APPENDUID x 4]", 1, None),
        (b"[APPENDUID 7 0]", 1, None),
        (b"[APPENDUID 7 4294967296]", 1, None),
        (b"[APPENDUID 7 1:4294967295]", 3, None),
        (b"[APPENDUID 7 4,]", 1, None),
        (b"[COPYUID 7 4 4]", 1, None),
        (b"done", 1, None),
    ],
)
def test_append_uid_counts_only_if_it_tells_of_each_message(
    words: bytes, count: int, expected: AppendUid | None
) -> None:
    reply = parse_status(b"a1 OK " + words)
    assert reply is not None
    assert parse_append_uid(reply, count=count) == expected


@given(strategies.sets(strategies.integers(1, 200), min_size=1))
def test_uid_sets_come_back_as_they_went(uids: set[int]) -> None:
    assert expand_uid_set(uid_set_of(sorted(uids)), limit=200) == tuple(sorted(uids))


def test_uid_sets_are_short() -> None:
    assert uid_set_of([1, 2, 3, 7, 9, 10]) == b"1:3,7,9:10"


@pytest.mark.parametrize(
    ("line", "octets"),
    [(b"* 1 FETCH (BODY[] {12}", 12), (b"x {12+}", 12), (b"x {12} ", None), (b"x {}", None), (b"x {-1}", None)],
)
def test_a_literal_is_announced_at_the_very_end(line: bytes, octets: int | None) -> None:
    assert literal_octets(line) == octets


def items(line: bytes) -> tuple[dict[bytes, object], bool]:
    start = fetch_items_begin(line)
    assert start is not None
    found, is_complete = parse_fetch_items(line, start)
    return {one.name: one.literal if one.literal is not None else one.value for one in found}, is_complete


@pytest.mark.parametrize(
    ("line", "expected", "is_complete"),
    [
        (b"* 1 FETCH (UID 5 RFC822.SIZE 44)", {b"UID": b"5", b"RFC822.SIZE": b"44"}, True),
        (b"* 1 fetch (uid 5 body[] {9}", {b"UID": b"5", b"BODY[]": 9}, False),
        (b'* 1 FETCH (UID 5 BODY[] "")', {b"UID": b"5", b"BODY[]": b""}, True),
        (b'* 1 FETCH (BODY[] "a\\"b" UID 5)', {b"UID": b"5", b"BODY[]": b'a"b'}, True),
        (b"* 1 FETCH (BODY[] NIL UID 5)", {b"UID": b"5", b"BODY[]": None}, True),
        (b"* 1 FETCH (FLAGS (\\Seen UID 7) UID 5)", {b"UID": b"5", b"FLAGS": b"(\\Seen UID 7)"}, True),
        (b"* 1 FETCH (BODY[]<0> {3}", {b"BODY[]<0>": 3}, False),
        (b"* 1 FETCH (BODY[HEADER.FIELDS (MESSAGE-ID)] {3}", {b"BODY[HEADER.FIELDS (MESSAGE-ID)]": 3}, False),
        (b"* 1 FETCH ()", {}, True),
        (b"* 1 FETCH (ENVELOPE ((nested)) UID 5)", {}, True),
    ],
)
def test_fetch_items_are_told_apart(line: bytes, expected: dict[bytes, object], is_complete: bool) -> None:
    assert items(line) == (expected, is_complete)


def test_what_follows_a_literal_continues_the_response() -> None:
    found, is_complete = parse_fetch_items(b" UID 5)", 0)
    assert [(one.name, one.value) for one in found] == [(b"UID", b"5")]
    assert is_complete


@given(strategies.binary(max_size=300))
def test_no_line_makes_a_parser_fail(line: bytes) -> None:
    reply = parse_status(b"a1 OK " + line)
    if reply is not None:
        parse_append_uid(reply, count=3)
    parse_status(line)
    parse_fetch_items(line, 0)
    literal_octets(line)


def test_hostile_lines_are_parsed_to_their_end() -> None:
    """With a parser of quadratic time this would not end today."""
    for line in (b"* 1 FETCH (" + b"(" * 500_000, b'* 1 FETCH (X "' + b"\\" * 500_000, b"a1 OK [" + b"A" * 500_000):
        assert parse_status(line) is None or line.startswith(b"a1")
        parse_fetch_items(line, fetch_items_begin(line) or 0)
