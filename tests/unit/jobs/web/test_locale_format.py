from __future__ import annotations

from datetime import datetime

import pytest

from jobs.web.language import ENGLISH, speaking
from jobs.web.languages import shipped_languages
from jobs.web.locale_format import day, moment, number, size, span

GERMAN = next(language for language in shipped_languages() if language.tag == "de")
AT = datetime(2026, 5, 3, 14, 5).astimezone()  # the machine's own zone


@pytest.mark.parametrize(
    ("value", "places", "english", "german"),
    [
        (0, 0, "0", "0"),
        (999, 0, "999", "999"),
        (12431, 0, "12,431", "12.431"),
        (-1234567, 0, "-1,234,567", "-1.234.567"),
        (1234.5, 1, "1,234.5", "1.234,5"),
    ],
)
def test_numbers(value: float, places: int, english: str, german: str) -> None:
    with speaking(ENGLISH):
        assert number(value, places) == english
    with speaking(GERMAN):
        assert number(value, places) == german


@pytest.mark.parametrize(
    ("octets", "english", "german"),
    [
        (0, "0 bytes", "0 Bytes"),
        (1, "1 byte", "1 Byte"),
        (999, "999 bytes", "999 Bytes"),
        (1000, "1.0 kB", "1,0 kB"),
        (81_400, "81 kB", "81 kB"),
        (1_530_000_000, "1.5 GB", "1,5 GB"),
        (1_234_500_000_000_000, "1,234.5 TB", "1.234,5 TB"),
    ],
)
def test_sizes(octets: int, english: str, german: str) -> None:
    with speaking(ENGLISH):
        assert size(octets) == english
    with speaking(GERMAN):
        assert size(octets) == german


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (1.24, "1.2 s", "1,2 s"),
        (42, "42 s", "42 s"),
        (59.7, "1 min", "1 Min."),
        (180, "3 min", "3 Min."),
        (7200, "2 h", "2 Std."),
        (7500, "2 h 5 min", "2 Std. 5 Min."),
        (2 * 86400, "2 days", "2 Tage"),
        (2000 * 86400, "2,000 days", "2.000 Tage"),
    ],
)
def test_spans(seconds: float, english: str, german: str) -> None:
    with speaking(ENGLISH):
        assert span(seconds) == english
    with speaking(GERMAN):
        assert span(seconds) == german


def test_days_and_moments() -> None:
    with speaking(ENGLISH):
        assert (day(AT), moment(AT.timestamp()), moment(None)) == ("3 May 2026", "3 May 2026 14:05", "never")
    with speaking(GERMAN):
        assert (day(AT), moment(AT.timestamp()), moment(None)) == ("3. Mai 2026", "3. Mai 2026 14:05", "nie")


def test_every_month_has_its_name() -> None:
    with speaking(GERMAN):
        names = [day(datetime(2026, month, 1).astimezone()).split()[1] for month in range(1, 13)]
    assert names == [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ]
