"""mboxrd is exact for whatever a server or an import can give, however the bytes are cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from migrator.destinations.mbox import mboxrd
from migrator.destinations.mbox.mboxrd import Form
from migrator.message.digest import canonical
from tests.mail import ODD_MESSAGES

PIECES = st.lists(
    st.sampled_from(
        [b"From ", b"From", b"F", b"Fr", b">", b">>", b"\r\n", b"\r", b"\r\r\n", b" ", b"a", b"rom ", b"\xff", b"\0"]
    )
    | st.binary(max_size=8),
    max_size=40,
)


def cut(content: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[begin:end] for begin, end in pairwise(borders)]


@pytest.mark.parametrize("message", ODD_MESSAGES.values(), ids=ODD_MESSAGES.keys())
def test_odd_messages_come_back_byte_for_byte(message: bytes) -> None:
    assert mboxrd.decode(mboxrd.encode(message)) == message


@pytest.mark.parametrize("message", ODD_MESSAGES.values(), ids=ODD_MESSAGES.keys())
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_odd_messages_may_be_cut_into_pieces_of_one_size(message: bytes, size: int) -> None:
    if len(message) > 100_000 and size < 100:
        size = 65_537  # two million single bytes would prove no more
    content = mboxrd.encode(message)
    assert b"".join(mboxrd.encoded(message[at : at + size] for at in range(0, len(message), size))) == content
    assert b"".join(mboxrd.decoded(content[at : at + size] for at in range(0, len(content), size))) == message


@given(PIECES, st.lists(st.integers(min_value=0), max_size=6))
def test_any_message_comes_back_however_it_is_cut(parts: list[bytes], places: list[int]) -> None:
    message = canonical(b"".join(parts))
    content = mboxrd.encode(message)
    assert b"".join(mboxrd.encoded(cut(message, places))) == content
    assert mboxrd.decode(content) == message
    assert b"".join(mboxrd.decoded(cut(content, places))) == message


@given(PIECES)
def test_no_line_of_content_begins_a_record(parts: list[bytes]) -> None:
    lines = mboxrd.encode(canonical(b"".join(parts))).split(b"\n")
    assert not any(line.startswith(b"From ") for line in lines)


def test_quoting_is_that_of_mboxrd() -> None:
    assert mboxrd.encode(b"From a\r\n>From b\r\n x\r\n>x\r\n") == b">From a\n>>From b\n x\n>x\n"


def test_a_carriage_return_that_ends_no_line_is_content() -> None:
    assert mboxrd.encode(b"a\r\r\nb\rc\r\n") == b"a\r\nb\rc\n"


# ------------------------------------------------------------------------------------------ From_ lines


def test_the_date_is_in_utc_whatever_the_zone() -> None:
    archived = datetime(2026, 11, 3, 0, 30, 5, tzinfo=timezone(timedelta(hours=2)))
    assert (
        mboxrd.frame(b"a@example.org", mboxrd.timestamp(archived)) == b"From a@example.org Mon Nov  2 22:30:05 2026\n"
    )


def test_the_day_is_padded_as_asctime_does() -> None:
    assert mboxrd.timestamp(datetime(2026, 1, 1, tzinfo=UTC)) == b"Thu Jan  1 00:00:00 2026"


@pytest.mark.parametrize(
    ("header", "sender"),
    [
        (b"Return-Path: <a@example.org>\r\nFrom: b@example.org\r\n\r\n", b"a@example.org"),
        (b"X: y\r\nreturn-path:a@example.org\r\n\r\n", b"a@example.org"),
        (b"Return-Path: <>\r\nFrom: b@example.org\r\n\r\n", b"MAILER-DAEMON"),
        (b"Return-Path:\r\n <folded@example.org>\r\n\r\n", b"folded@example.org"),
        (b"From: Some One <b@example.org>\r\n\r\n", b"b@example.org"),
        (b'From: "x@y <no>" <b@example.org>\r\n\r\n', b"b@example.org"),
        (b"From: b@example.org (Some One)\r\n\r\n", b"b@example.org"),
        (b"From: nobody\r\nSender: c@example.org\r\n\r\n", b"c@example.org"),
        (b"Return-Path: <a b@example.org x>\r\n\r\n", b"b@example.org"),
        (b"Return-Path: <\xc3\xa4>\r\nFrom: \x00\r\n\r\n", b"MAILER-DAEMON"),
        (b"Return-Path: <" + b"a" * 400 + b"@example.org>\r\n\r\n", b"MAILER-DAEMON"),
        (b"Subject: x\r\n\r\nFrom: body@example.org\r\n", b"MAILER-DAEMON"),
        (b"", b"MAILER-DAEMON"),
        (b"Return-Path: <a@example.org>", b"a@example.org"),
    ],
)
def test_the_sender_is_the_first_sane_address(header: bytes, sender: bytes) -> None:
    assert mboxrd.envelope_sender(header) == sender


def test_a_hostile_header_costs_no_more_than_reading_it() -> None:
    hostile = [b"a" * 60_000, b"a@" * 30_000, b"<" * 60_000, b" \r\n\t" * 15_000]
    for value in hostile:
        assert mboxrd.envelope_sender(b"From: " + value + b"\r\n\r\n") == mboxrd.UNKNOWN_SENDER or b"a@a" in value


@given(st.binary(max_size=80), st.sampled_from([b"Return-Path: ", b"From: ", b"Sender: <"]))
def test_a_from_line_is_always_one_line_of_printable_ascii(value: bytes, name: bytes) -> None:
    sender = mboxrd.envelope_sender(name + value + b"\r\n\r\n")
    assert sender
    assert all(0x20 < byte < 0x7F for byte in sender)


# --------------------------------------------------------------------------------------------- scanning


def spans(content: bytes, start: int = 0, chunk: int = 1 << 20) -> list[tuple[int, int, Form, bool]]:
    found = mboxrd.scan(mboxrd.reader_of(content), start, len(content), chunk=chunk)
    return [(span.offset, span.length, span.form, span.is_last) for span in found]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n\n\n", []),
        (b"From a\nx\n\n", [(0, 10, Form.WHOLE, True)]),
        (b"From a\n\n", [(0, 8, Form.WHOLE, True)]),
        (b"From a\nx\n", [(0, 9, Form.UNCLOSED, True)]),
        (b"From a\nx", [(0, 8, Form.TORN, True)]),
        (b"From a\n", [(0, 7, Form.TORN, True)]),
        (b"From a", [(0, 6, Form.TORN, True)]),
        (b"Fro", [(0, 3, Form.JUNK, True)]),
        (b"\0\0\0\0", [(0, 4, Form.JUNK, True)]),
        (b"\n\nFrom a\nx\n\n", [(2, 10, Form.WHOLE, True)]),
        (b"From a\nx\n\nFrom b\n\n", [(0, 10, Form.WHOLE, False), (10, 8, Form.WHOLE, True)]),
        (b"From a\nx\nFrom b\ny\n\n", [(0, 9, Form.WHOLE, False), (9, 10, Form.WHOLE, True)]),
        (b"From a\nFrom b\ny\n\n", [(0, 7, Form.TORN, False), (7, 10, Form.WHOLE, True)]),
        (b"junk\nFrom a\n>From b\n\n", [(0, 5, Form.JUNK, False), (5, 16, Form.WHOLE, True)]),
    ],
)
def test_scan_finds_the_records(content: bytes, expected: list[tuple[int, int, Form, bool]]) -> None:
    assert spans(content) == expected


@given(PIECES.map(lambda parts: b"".join(parts).replace(b"\r", b"")), st.integers(1, 12))
def test_scan_finds_the_same_records_whatever_is_read_at_once(content: bytes, chunk: int) -> None:
    assert spans(content, chunk=chunk) == spans(content)


@given(st.lists(PIECES.map(lambda parts: canonical(b"".join(parts))), max_size=6))
def test_scan_finds_what_was_written(messages: list[bytes]) -> None:
    frame = b"From a Mon Nov  2 22:30:05 2026\n"
    volume = b"".join(frame + mboxrd.encode(message) + b"\n" for message in messages)
    found = [mboxrd.decode(volume[offset + len(frame) : offset + length - 1]) for offset, length, _, _ in spans(volume)]
    assert found == messages


def test_a_from_line_without_end_is_no_record() -> None:
    endless = b"From " + b"x" * 10_000 + b"\n\n"
    assert [form for _, _, form, _ in spans(endless)] == [Form.TORN]
