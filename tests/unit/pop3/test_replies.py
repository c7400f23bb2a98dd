from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from migrator.errors import FerryError, Kind
from migrator.pop3.replies import (
    BodyReader,
    Capabilities,
    Stat,
    Status,
    apop_timestamp,
    parse_capabilities,
    parse_stat,
    parse_status,
    whole_body,
)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"+OK", Status(is_ok=True, text=b"")),
        (b"+OK \r", Status(is_ok=True, text=b"")),
        (b"+ok welcome\r", Status(is_ok=True, text=b"welcome")),
        (b"+OKwelcome", Status(is_ok=True, text=b"welcome")),
        (b"-ERR  [IN-USE] busy\r", Status(is_ok=False, text=b"[IN-USE] busy")),
        (b"-err no", Status(is_ok=False, text=b"no")),
        (b"-Err", Status(is_ok=False, text=b"")),
        (b"+ERR Server error\r", Status(is_ok=False, text=b"Server error")),
    ],
)
def test_status_lines_are_read_leniently(line: bytes, status: Status) -> None:
    assert parse_status(line) == status


@pytest.mark.parametrize("line", [b"", b"+", b"+ ", b"OK", b"-ER", b"Subject: +OK", b" +OK", b".", b"1 120"])
def test_what_is_no_status_line_is_not_taken_for_one(line: bytes) -> None:
    assert parse_status(line) is None


@pytest.mark.parametrize(
    ("text", "stat"),
    [
        (b"2 320", Stat(2, 320)),
        (b"2   320 octets", Stat(2, 320)),
        (b"0 0", Stat(0, 0)),
        (b"120 octets", None),
        (b"", None),
        (b"2 320x", None),
        (b"-1 5", None),
        (b"9999999999999999 1", None),
    ],
)
def test_stat_is_two_numbers_or_nothing(text: bytes, stat: Stat | None) -> None:
    assert parse_stat(text) == stat


def test_the_timestamp_is_found_in_any_greeting() -> None:
    assert apop_timestamp(b"POP3 ready <1896.697@dbc.mtview.ca.us> hello") == b"<1896.697@dbc.mtview.ca.us>"
    assert apop_timestamp(b"POP3 <ready> here") == b""


# --- bodies ---

CASES = [
    (b".\r\n", b""),
    (b"\r\n.\r\n", b"\r\n"),
    (b"a\r\n.\r\n", b"a\r\n"),
    (b"..\r\n.\r\n", b".\r\n"),
    (b"...\r\n.\r\n", b"..\r\n"),
    (b"a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n"),
    (b".b\r\n.\r\n", b".b\r\n"),  # never stuffed: nothing to undo
    (b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n"),  # LF.LF ends nothing where lines end in CRLF
    (b"a\r.\rb\r\n.\r\n", b"a\r.\rb\r\n"),
    (b"a\r\r\n.\r\n", b"a\r\r\n"),
    (b"a\r\n.\r\r\n.\r\n", b"a\r\n.\r\r\n"),
    (b"\0\xff\r\n.\r\n", b"\0\xff\r\n"),
    (b"x" * 3000 + b"\r\n.\r\n", b"x" * 3000 + b"\r\n"),
]
BARE_LF_CASES = [
    (b".\n", b""),
    (b"a\n.\n", b"a\n"),
    (b"a\n..\n.\n", b"a\n.\n"),
    (b"a\r\nb\n.\r\n", b"a\r\nb\n"),
    (b"a\r\n..b\r\n.\n", b"a\r\n.b\r\n"),
]


def read(reader: BodyReader, slices: list[bytes]) -> tuple[bytes, bytes]:
    """Feed slices; return the content and what follows the reply."""
    content = b""
    for index, data in enumerate(slices):
        parts, end = reader.feed(data)
        content += b"".join(parts)
        if end >= 0:
            return content, data[end:] + b"".join(slices[index + 1 :])
    raise AssertionError("no end was found")


@pytest.mark.parametrize(
    ("wire", "content", "is_bare_lf"), [(*c, False) for c in CASES] + [(*c, True) for c in BARE_LF_CASES]
)
def test_a_body_is_the_same_whole_byte_by_byte_split_anywhere_and_with_a_tail(
    wire: bytes, content: bytes, is_bare_lf: bool
) -> None:
    status = b"+OK\n" if is_bare_lf else b"+OK\r\n"
    tail = b"+OK next\r\n..\r\n.\r\n"
    assert whole_body(status + wire, len(status), is_bare_lf=is_bare_lf) == (content, len(status + wire))
    assert whole_body(status + wire + tail, len(status), is_bare_lf=is_bare_lf) == (content, len(status + wire))
    every = [wire[i : i + 1] for i in range(len(wire))]
    assert read(BodyReader(is_bare_lf=is_bare_lf), [*every, tail]) == (content, tail)
    for at in range(len(wire) + 1):
        halves = [wire[:at], wire[at:] + tail]
        assert read(BodyReader(is_bare_lf=is_bare_lf), halves) == (content, tail)
    for at in range(len(wire)):
        assert whole_body(status + wire[:at], len(status), is_bare_lf=is_bare_lf) is None


BYTES = st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\0", b"\r\n", b"\r\n.", b"\n."])).map(b"".join)


@given(BYTES, st.booleans(), st.lists(st.integers(0, 60), max_size=8))
def test_any_slicing_gives_the_same_body(data: bytes, is_bare_lf: bool, cuts: list[int]) -> None:
    status = b"+OK\n" if is_bare_lf else b"+OK\r\n"
    whole = whole_body(status + data, len(status), is_bare_lf=is_bare_lf)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    reader = BodyReader(is_bare_lf=is_bare_lf)
    content, rest = b"", None
    for begin, end in pairwise(places):
        if rest is None:
            parts, behind = reader.feed(data[begin:end])
            for part in parts:
                assert not (content.endswith(b"\r") and part.startswith(b"\n"))
                content += part
            rest = begin + behind if behind >= 0 else None
    if whole is None:
        assert rest is None
    else:
        assert (content, rest) == (whole[0], whole[1] - len(status))


@given(st.lists(st.sampled_from([b".", b"..", b"a", b"", b".a", b"\0", b"\r", b"a\nb"])))
def test_what_a_server_stuffs_comes_out_as_it_was(lines: list[bytes]) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    wire = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"
    assert whole_body(b"+OK\r\n" + wire, 5, is_bare_lf=False) == (content, 5 + len(wire))


@pytest.mark.parametrize(("data", "ends_in_dot"), [(b"last line.\r\n", True), (b"x\n.\n", True), (b"x\r\n", False)])
def test_a_dot_without_a_line_end_before_it_is_noticed(data: bytes, ends_in_dot: bool) -> None:
    for slices in ([data], [data[i : i + 1] for i in range(len(data))]):
        reader = BodyReader(is_bare_lf=False)
        assert [reader.feed(piece)[1] for piece in slices] == [-1] * len(slices)
        assert reader.ends_in_dot is ends_in_dot


# --- capabilities ---


def test_capabilities_are_names_with_arguments() -> None:
    told = parse_capabilities(
        b"TOP\r\nsasl plain CRAM-MD5\r\nSASL LOGIN\r\nLOGIN-DELAY 900 USER\r\nPIPELINING\r\nEXPIRE 60\r\n\r\n"
        b"IMPLEMENTATION Shlemazle-Plotz-v302 beta\nX-\xff\r\n"
    )
    assert told.is_known
    assert "TOP" in told
    assert told.sasl == ("PLAIN", "CRAM-MD5", "LOGIN")
    assert told.login_delay == 900
    assert told.pipelining
    assert told.expire == "60"
    assert told.implementation == "Shlemazle-Plotz-v302 beta"


@pytest.mark.parametrize("argument", [b"", b" soon", b" -5", b" 99999999999999", b" \xb2"])
def test_a_login_delay_that_is_no_number_is_none(argument: bytes) -> None:
    assert parse_capabilities(b"LOGIN-DELAY" + argument + b"\r\n").login_delay is None


def test_capabilities_without_end_are_refused() -> None:
    assert parse_capabilities(b"X\r\n" * 200).is_known
    with pytest.raises(FerryError) as caught:
        parse_capabilities(b"X\r\n" * 201)
    assert caught.value.kind is Kind.PROTOCOL


@given(st.binary(max_size=300))
def test_garbage_is_some_capabilities_or_our_own_error(garbage: bytes) -> None:
    told = parse_capabilities(garbage)
    assert isinstance(told, Capabilities)
    assert (told.login_delay or 0) >= 0
    assert isinstance(told.sasl, tuple)
    parse_stat(garbage)
    parse_status(garbage)
    apop_timestamp(garbage)
