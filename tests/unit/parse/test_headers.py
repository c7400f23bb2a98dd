# ruff: noqa: RUF001  # letters of many scripts
from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from migrator.parse.headers import BLOCK_LIMIT, MOST_FIELDS, decoded, fields, headers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?B?5pel5pys?= =?utf-8?B?6Kqe?=", "日本語"),
        (b"=?utf-8?B?5pel5pw=?=\r\n =?utf-8?B?rOiqng==?=", "日本語"),  # a character cut in two
        (b"=?iso-8859-1?Q?J=FCrgen_M?= <j@x>", "Jürgen M <j@x>"),
        (b"=?utf-8*de?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?koi8-r?B?79TexdQ=?= =?utf-8?Q?x?=", "Отчетx"),
        (b"a =?utf-8?q?b?= c", "a b c"),
        (b"folded\r\n\tvalue", "folded value"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("cp1252"), "Grüße"),
        (b"=?utf-8?B?!!!?=", ""),
        (b"=?broken", "=?broken"),
        (b"=?no-such?Q?a=FCb?=", "aüb"),
    ],
)
def test_a_value_is_read_as_its_writer_meant_it(value: bytes, text: str) -> None:
    assert decoded(value) == text


@pytest.mark.parametrize(
    ("stamps", "moment"),
    [
        (b"Date: Mon, 1 Jan 2024 10:00:00 +0100", datetime(2024, 1, 1, 9, tzinfo=UTC)),
        (b"Date: 1 Jan 2024 10:00", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        (b"Date: nonsense\nReceived: by x; Tue, 2 Jan 2024 00:00:00 +0000", datetime(2024, 1, 2, tzinfo=UTC)),
        (b"Date: Mon, 1 Jan 1601 00:00:00 +0000\nDelivery-date: Tue, 2 Jan 2024 00:00:00 +0000",
         datetime(2024, 1, 2, tzinfo=UTC)),
        (b"Date: Di, 5 M\xe4rz 2024 09:59:60 +0100", datetime(2024, 3, 5, 9, tzinfo=UTC)),
        (b"Date: 2024-03-05T09:59:00Z", datetime(2024, 3, 5, 9, 59, tzinfo=UTC)),
        (b"Date: 05/03/2024 09:59", None),
        (b"Date: Fri, 31 Dec 9999 23:59:59 -2359", None),
        (b"Subject: undated", None),
    ],
)  # fmt: skip
def test_the_date_is_the_first_sane_one(stamps: bytes, moment: datetime | None) -> None:
    assert headers(stamps + b"\n\nx").date == (None if moment is None else int(moment.timestamp()))


@pytest.mark.parametrize("charset", ["gbk", "utf-8"])
def test_a_raw_subject_is_read_without_a_charset_of_its_own(charset: str) -> None:
    assert headers("Subject: 会议通知\n\nx".encode(charset)).subject == "会议通知"


def test_a_raw_subject_is_in_the_charset_that_a_part_of_the_message_declares() -> None:
    message = "From: 邀请函 <a@b>\nSubject: Re: 订单确认\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
    message += 'Content-Type: text/plain; charset="gb2312"\n\nx\n--b--\n'
    known = headers(message.encode("gbk"))
    assert (known.sender, known.subject) == ("邀请函 <a@b>", "Re: 订单确认")


def test_a_mark_of_utf_8_hides_no_field() -> None:
    assert headers(b"\xef\xbb\xbfSubject: first\r\nTo: b\r\n\r\nx").subject == "first"


def test_only_the_header_block_is_read() -> None:
    assert headers(b"Subject: a\r\nTo: b\r\n\r\nSubject: c\r\n").subject == "a"
    assert headers(b"\r\nSubject: c\r\n").subject == ""


def test_lines_that_are_no_fields_hide_none_of_those_that_are() -> None:
    known = headers(b"From nobody Mon Jan 1\nSubject: a\nno field http://x.y: z\n: empty\nTo: b\n\nx")
    assert (known.subject, known.to) == ("a", "b")


def test_work_is_bounded() -> None:
    assert len(list(fields(b"X: y\n" * 1_000_000))) == MOST_FIELDS
    assert len(headers(b"Subject: " + b"=?utf-8?q?a?= " * 1_000_000 + b"\n\n").subject) < BLOCK_LIMIT
    assert headers(b"To: " + b"a@b, " * 1_000_000).to


@given(st.binary(max_size=500))
def test_no_bytes_are_too_broken(message: bytes) -> None:
    known = headers(b"Date: " + message + b"\nSubject: =?utf-8?b?" + message)
    assert isinstance(known.subject, str)
