"""When a message arrived is taken from who knows it best, and it can be seen from whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies

from migrator.message.arrival_date import ArrivalDate, DateSource, arrival_date

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RECEIVED = b"Received: from a by b\r\n\tfor <c>; Mon, 2 Feb 2015 03:04:05 +0100\r\n"
OLDER = b"Received: from x by a; Sun, 1 Feb 2015 00:00:00 +0000\r\n"
DATE = b"Date: Tue, 1 Jan 2013 10:00:00 -0530\r\n"
STOOD = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC).timestamp()

OF_RECEIVED = ArrivalDate(datetime.fromisoformat("2015-02-02T03:04:05+01:00"), DateSource.RECEIVED)
OF_DATE = ArrivalDate(datetime.fromisoformat("2013-01-01T10:00:00-05:30"), DateSource.DATE)
OF_ORIGIN = ArrivalDate(datetime.fromisoformat("2001-09-09T01:46:40+00:00"), DateSource.ORIGIN)
OF_CLOCK = ArrivalDate(NOW, DateSource.CLOCK)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (RECEIVED + OLDER + DATE, OF_RECEIVED),
        (DATE + RECEIVED, OF_RECEIVED),
        (DATE, OF_DATE),
        (b"Received: no date at all\r\n" + DATE, OF_DATE),
        (b"Received: by 2024-03-05 with no semicolon\r\n" + DATE, OF_DATE),
        (b"Received: a; Fri, 1 Jan 2106 00:00:00 +0000\r\n" + DATE, OF_DATE),
        (b"Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n", OF_ORIGIN),
        (b"Date: Tue, 31 Feb 2015 99:00:00\r\n", OF_ORIGIN),
        (b"Date: Fri, 31 Dec 9999 23:59:59 -1200\r\n", OF_ORIGIN),
        (b"Date: Mon, 1 Jan 0001 00:00:00 +1200\r\n", OF_ORIGIN),
        (b"Date: 05/03/2024 09:59\r\n", OF_ORIGIN),
        (b"X-Date: Tue, 1 Jan 2013 10:00:00 +0000\r\n", OF_ORIGIN),
        (b"Subject: x\r\n\r\n" + DATE, OF_ORIGIN),
        (b"\r\n" + DATE, OF_ORIGIN),
        (b"", OF_ORIGIN),
    ],
)
def test_top_received_counts_before_date_before_where_it_stood(header: bytes, expected: ArrivalDate) -> None:
    for beginning in (header, header.replace(b"\r\n", b"\n")):
        assert arrival_date(beginning, NOW, STOOD) == expected


@pytest.mark.parametrize("fallback", [None, -1.0, 0.0, 1e18, float("nan"), (NOW + timedelta(days=3)).timestamp()])
def test_the_clock_counts_last(fallback: float | None) -> None:
    assert arrival_date(b"Subject: x\r\n", NOW, fallback) == OF_CLOCK


@given(strategies.binary(max_size=200), strategies.floats())
def test_any_header_gives_a_date_that_was_possible(claim: bytes, fallback: float) -> None:
    arrived = arrival_date(b"Received: x; " + claim + b"\r\nDate: " + claim + b"\r\n", NOW, fallback)
    assert datetime(1971, 1, 1, tzinfo=UTC) <= arrived.moment <= NOW + timedelta(days=2)


def test_a_person_reads_when_and_from_what() -> None:
    assert str(OF_RECEIVED) == "2015-02-02 03:04:05 +0100 (Received)"
