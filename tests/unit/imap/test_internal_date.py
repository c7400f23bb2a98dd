"""INTERNALDATE comes from where the message says it arrived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies

from migrator.imap.internal_date import arrival_of, internal_date

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RECEIVED = b"Received: from a by b\r\n\tfor <c>; Mon, 2 Feb 2015 03:04:05 +0100\r\n"
OLDER = b"Received: from x by a; Sun, 1 Feb 2015 00:00:00 +0000\r\n"
DATE = b"Date: Tue, 1 Jan 2013 10:00:00 -0530\r\n"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (RECEIVED + OLDER + DATE, b'" 2-Feb-2015 03:04:05 +0100"'),
        (DATE + RECEIVED, b'" 2-Feb-2015 03:04:05 +0100"'),
        (DATE, b'" 1-Jan-2013 10:00:00 -0530"'),
        (b"Received: no date at all\r\n" + DATE, b'" 1-Jan-2013 10:00:00 -0530"'),
        (b"Received: a; Fri, 1 Jan 2106 00:00:00 +0000\r\n" + DATE, b'" 1-Jan-2013 10:00:00 -0530"'),
        (b"Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n", b'"23-Nov-2026 12:00:00 +0000"'),
        (b"Date: Tue, 31 Feb 2015 99:00:00\r\n", b'"23-Nov-2026 12:00:00 +0000"'),
        (b"X-Date: Tue, 1 Jan 2013 10:00:00 +0000\r\n", b'"23-Nov-2026 12:00:00 +0000"'),
        (b"date : 1 Jan 2013 10:00:00\r\n", b'" 1-Jan-2013 10:00:00 +0000"'),
        (b"Date: Tue, 1 Jan 2013 10:00:00 +9999\r\n", b'"23-Nov-2026 12:00:00 +0000"'),
        (b"", b'"23-Nov-2026 12:00:00 +0000"'),
    ],
)
def test_top_received_counts_before_date_before_now(header: bytes, expected: bytes) -> None:
    assert internal_date(arrival_of(header, NOW)) == expected


@given(strategies.binary(max_size=200))
def test_any_header_gives_a_date_that_was_possible(claim: bytes) -> None:
    moment = arrival_of(b"Received: x; " + claim + b"\r\nDate: " + claim + b"\r\n", NOW)
    assert moment <= NOW + timedelta(days=2)
    assert len(internal_date(moment)) == 28


def test_a_zone_with_seconds_is_rounded_to_minutes() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-1, seconds=-20)))
    assert internal_date(moment) == b'" 2-Jan-2026 03:04:05 -0100"'
