"""Dates as headers have them, in the forms of the standard, of its precursors, and of programs that know neither."""
# ruff: noqa: RUF001  # Cyrillic letters and a typographic minus

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from hypothesis import given, strategies

from migrator.message.written_date import moment_of

DAY = "2024-03-05T09:59:00"


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        # the standard and its obsolete forms
        ("Tue, 5 Mar 2024 09:59:00 +0100", f"{DAY}+01:00"),
        ("  Tue,\r\n 05 Mar 2024 09:59:00 -0000 (no zone)", f"{DAY}+00:00"),
        ("5 Mar 24 09:59 EST", f"{DAY}-05:00"),
        ("5 Mar 99 09:59:00", "1999-03-05T09:59:00+00:00"),
        ("Tue, 5 Mar 124 09:59:00 GMT", f"{DAY}+00:00"),
        ("Tue, 5 Mar 2024 09:59:00 Z", f"{DAY}+00:00"),
        ("Tuesday, 05-Mar-24 09:59:00 GMT", f"{DAY}+00:00"),
        ("Tue Mar  5 09:59:00 2024", f"{DAY}+00:00"),
        ("Tue Mar  5 09:59:00 CET 2024", f"{DAY}+01:00"),
        # valid, and refused by many
        ("Tue, 5 Mar 2024 09:58:60 +0000", f"{DAY}+00:00"),
        ("Mon, 4 Mar 2024 24:00:00 +0000", "2024-03-05T00:00:00+00:00"),
        ("Sat, 31 Dec 2016 23:59:60 +0000", "2017-01-01T00:00:00+00:00"),
        # ISO 8601
        ("2024-03-05T09:59:00Z", f"{DAY}+00:00"),
        ("2024-03-05T09:59:00.123456+01:00", f"{DAY}+01:00"),
        ("2024-03-05 09:59:00 +0100", f"{DAY}+01:00"),
        ("20240305T095900Z", f"{DAY}+00:00"),
        ("2024-03-05", "2024-03-05T00:00:00+00:00"),
        # other orders
        ("2024/03/05 09:59:00 +0900", f"{DAY}+09:00"),
        ("March 5th, 2024 9:59 AM", f"{DAY}+00:00"),
        ("Tuesday, March 05, 2024 9:59 PM -0800", "2024-03-05T21:59:00-08:00"),
        ("12:30 AM, 5 March 2024", "2024-03-05T00:30:00+00:00"),
        ("Tue, 05Mar2024 09:59:00 GMT+1", f"{DAY}+01:00"),
        ("5 Mar 2024 09.59.00", f"{DAY}+00:00"),
        ("Tue, 5 Mar 2024 09:59:00 −0300", f"{DAY}-03:00"),
        # numbers
        ("05.03.2024 09:59", f"{DAY}+00:00"),
        ("05.03.24 09:59", f"{DAY}+00:00"),
        ("25/03/2024 09:59", "2024-03-25T09:59:00+00:00"),
        ("03/25/2024 09:59", "2024-03-25T09:59:00+00:00"),
        ("03/03/2024 09:59", "2024-03-03T09:59:00+00:00"),
        ("03/05/2024 09:59 EST", f"{DAY}-05:00"),
        # languages
        ("Di, 5 Mrz 2024 09:59:00 +0100", f"{DAY}+01:00"),
        ("Dienstag, 5. März 2024 09:59 MEZ", f"{DAY}+01:00"),
        ("mar. 5 mars 2024 09:59:00 +0100", f"{DAY}+01:00"),
        ("mar, 5 mar 2024 09:59:00 +0100", f"{DAY}+01:00"),
        ("5 de marzo de 2024, 09:59", f"{DAY}+00:00"),
        ("terça-feira, 5 de março de 2024 09:59", f"{DAY}+00:00"),
        ("di 5 mrt. 2024 09:59:00 +0100", f"{DAY}+01:00"),
        ("wt., 5 marca 2024 09:59:00 +0100", f"{DAY}+01:00"),
        ("Вт, 5 мар 2024 09:59:00 +0300", f"{DAY}+03:00"),
        ("вторник, 5 марта 2024 г. 09:59", f"{DAY}+00:00"),
        ("2024年3月5日 09:59:00", f"{DAY}+00:00"),
        ("星期二, 05 三月 2024 09:59:00 +0800", f"{DAY}+08:00"),
        ("2024. március 5. 09:59", f"{DAY}+00:00"),
    ],
)
def test_a_date_is_read(written: str, moment: str) -> None:
    read = moment_of(written.encode())
    assert read == datetime.fromisoformat(moment)
    assert read.utcoffset() == datetime.fromisoformat(moment).utcoffset()


def test_latin_1_is_read_as_well() -> None:
    assert moment_of("Di, 5. März 2024 09:59".encode("latin-1")) == datetime(2024, 3, 5, 9, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "today",
        "12:00:00",
        "05/03/2024 09:59",  # which of the two is the day?
        "05-03-2024",
        "Tue, 31 Feb 2024 09:59:00 +0000",
        "Tue, 5 Xyz 2024 09:59:00 +0000",
        "Tue, 5 Mar 2024 25:00:00 +0000",
        "Tue, 5 Mar 2024 24:00:01 +0000",
        "Tue, 5 Mar 2024 09:60:00 +0000",
        "Tue, 5 Mar 2024 09:59:61 +0000",
        "Tue, 5 Mar 2024 09:59:00 +9999",
        "Fri, 31 Dec 9999 24:00:00 +0000",
        "Sat, 1 Jan 0000 00:00:00 +0000",
    ],
)
def test_what_is_no_date_or_could_be_two_is_none(written: str) -> None:
    assert moment_of(written.encode()) is None


ZONES = strategies.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(strategies.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30), timezones=ZONES))  # noqa: DTZ001  # Hypothesis
def test_what_the_standard_library_writes_is_read_as_it_reads_it(moment: datetime) -> None:
    written = format_datetime(moment)
    assert moment_of(written.encode()) == parsedate_to_datetime(written)
    as_iso = moment.replace(microsecond=0).isoformat()
    assert moment_of(as_iso.encode()) == parsedate_to_datetime(written)


@given(
    strategies.one_of(
        strategies.binary(max_size=100), strategies.text("0123456789/.-:+ TZMarmäde年月", max_size=60).map(str.encode)
    )
)
def test_whatever_is_written_raises_nothing(written: bytes) -> None:
    moment = moment_of(written)
    assert moment is None or moment.tzinfo is not None
