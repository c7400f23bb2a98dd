"""INTERNALDATE is written as RFC 9051 has it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from migrator.imap.internal_date import internal_date


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        ("2015-02-02T03:04:05+01:00", b'" 2-Feb-2015 03:04:05 +0100"'),
        ("2013-12-31T10:00:00-05:30", b'"31-Dec-2013 10:00:00 -0530"'),
        ("2026-11-23T12:00:00+00:00", b'"23-Nov-2026 12:00:00 +0000"'),
    ],
)
def test_a_moment_keeps_its_zone(moment: str, written: bytes) -> None:
    assert internal_date(datetime.fromisoformat(moment)) == written


def test_a_zone_with_seconds_is_rounded_to_minutes() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-1, seconds=-20)))
    assert internal_date(moment) == b'" 2-Jan-2026 03:04:05 -0100"'
