"""A date as few people and programs write it into a header. Pure.

Obsolete forms of RFC 5322, asctime, ISO 8601, years first as in East Asia, and month names of common languages; the
usual form, and what all of them mean, is ``written_date``'s, which asks here for the rest. Where it cannot be known
which number is the day (05/03/2024), only a zone of the United States tells; else it is no date.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from migrator.message.month_names import month_named
from migrator.message.written_date import moment, offset_of, since_midnight

_LONGEST = 500
_WORD = r"([^\W\d_]{2,})"
_YMD = re.compile(r"(?<!\d)(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)|(?<!\d)(\d{4})(\d\d)(\d\d)(?=T\d{4})")
_EAST_ASIAN = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]?")
_DAY_MONTH_YEAR = re.compile(
    rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|er|[ºª°])?[\s.,/-]*(?:(?:de|of)\s+|d['\u2019])?{_WORD}[\s.,/-]*"
    r"(?:de\s+)?(?:\d{1,2}:\d\d(?::\d\d)?\s+)?(\d{4}|\d{2,3})(?![\d:])",
    re.I,
)
_MONTH_DAY_YEAR = re.compile(
    rf"{_WORD}\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?:\d{{1,2}}:\d\d(?::\d\d)?\s+(?:[A-Z]+\s+)?)?(\d{{4}})(?!\d)", re.I
)
_YEAR_MONTH_DAY = re.compile(rf"(?<!\d)(\d{{4}})[\s.,-]+{_WORD}[\s.-]+(\d{{1,2}})(?!\d)")
_NUMBERS = re.compile(r"(?<!\d)(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?!\d)|(?<!\d)(\d{1,2})\.(\d{1,2})\.(\d\d)(?![\d.])")
_TIME = re.compile(r"(?<!\d)(\d{1,2}):(\d\d)(?::(\d\d))?(?:[.,]\d+)?(?:\s*([ap])\.?m\b)?", re.I)
_TIME_INSIDE = re.compile(r"\d{1,2}:\d\d(?::\d\d)?(?:\s+[A-Z]{1,5}\b)?")
_DOTTED_TIME = re.compile(r"(?<!\d)(\d{1,2})\.(\d\d)(?:\.(\d\d))?(?!\d)()")
_COMPACT_TIME = re.compile(r"T(\d\d)(\d\d)(\d\d)?()")
_OFFSET = re.compile(r"([+\-−])(\d{1,2}):?(\d\d)(?!\d)|([+\-−])(\d{1,2})(?![\d:])")  # noqa: RUF001  # a minus is one
_ZONE = re.compile(r"\b([A-Z]{1,5})\b")
_AMERICAN = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
_ZONES = {
    **_AMERICAN,
    "UT": 0,
    "UTC": 0,
    "GMT": 0,
    "Z": 0,
    "WET": 0,
    "WEST": 1,
    "CET": 1,
    "MET": 1,
    "MEZ": 1,
    "CEST": 2,
    "MEST": 2,
    "MESZ": 2,
    "EET": 2,
    "EEST": 3,
    "MSK": 3,
    "JST": 9,
    "KST": 9,
    "AEST": 10,
    "AEDT": 11,
    "NZST": 12,
    "NZDT": 13,
}
"""Zones that mean one thing; others (IST, BST) are several, and count as UTC as RFC 5322 has it."""


def unusual_moment_of(written: bytes) -> datetime | None:
    """Return the moment that a header's value names, in the zone that it names (UTC where none); None if none."""
    text = unicodedata.normalize("NFKC", _text(written[:_LONGEST]))
    return next(_read(" ".join(text.split())), None)


def _text(written: bytes) -> str:
    try:
        return written.decode()
    except UnicodeDecodeError:
        return written.decode("latin-1")


def _read(text: str) -> Iterator[datetime]:
    """Yield the one reading of ``text`` that makes sense, if there is one."""
    for year, month, day, rest in _dates(text):
        found = _at(year, month, day, rest)
        if found is not None:
            yield found


def _dates(text: str) -> Iterator[tuple[int, int, int, str]]:
    """Yield each way to find a year, month and day in ``text``, the surest first, with what is left of it."""
    for found in _YMD.finditer(text):
        year, _, month, day, other_year, other_month, other_day = found.groups()
        yield int(year or other_year), int(month or other_month), int(day or other_day), _without(text, found)
    for found in _EAST_ASIAN.finditer(text):
        yield int(found[1]), int(found[2]), int(found[3]), _without(text, found)
    for pattern, (day_at, month_at, year_at) in _WITH_WORDS:
        for found in pattern.finditer(text):
            month = month_named(found[month_at])
            if month is not None:
                yield _whole_year(found[year_at]), month, int(found[day_at]), _without(text, found)
    for found in _NUMBERS.finditer(text):
        yield from _numbered(text, found)


_WITH_WORDS = ((_DAY_MONTH_YEAR, (1, 2, 3)), (_MONTH_DAY_YEAR, (2, 1, 3)), (_YEAR_MONTH_DAY, (3, 2, 1)))


def _without(text: str, found: re.Match[str]) -> str:
    """Return what is left of ``text`` but for the date; a time of day inside it (asctime) stays."""
    inside = _TIME_INSIDE.search(found[0])
    return f"{text[: found.start()]} {inside[0] if inside else ''} {text[found.end() :]}"


def _numbered(text: str, found: re.Match[str]) -> Iterator[tuple[int, int, int, str]]:
    """Yield a date of three numbers where it is certain which is the day: with dots it is the first."""
    rest = _without(text, found)
    if found[1] is None:
        yield _whole_year(found[7]), int(found[6]), int(found[5]), rest
        return
    first, second, year = int(found[1]), int(found[3]), int(found[4])
    is_american = any(zone in _AMERICAN for zone in _ZONE.findall(rest))
    if found[2] == "." or first > 12 or (first == second and not is_american):
        yield year, second, first, rest
    elif second > 12 or is_american:
        yield year, first, second, rest


def _whole_year(written: str) -> int:
    """Return the year that two or three digits stand for (RFC 5322, section 4.3)."""
    year = int(written)
    if len(written) >= 4:
        return year
    return year + (2000 if len(written) == 2 and year < 50 else 1900)


def _at(year: int, month: int, day: int, rest: str) -> datetime | None:
    """Return the moment of a day at the time and in the zone that the rest of its text gives; None if none can be."""
    found = _TIME.search(rest) or _COMPACT_TIME.search(rest) or _DOTTED_TIME.search(rest)
    zone = _zone(rest[found.end() :] if found else rest)
    time_of_day = _time(found) if found else timedelta()
    if zone is None or time_of_day is None:
        return None
    return moment(year, month, day, zone, time_of_day)


def _time(found: re.Match[str]) -> timedelta | None:
    hour, minute, second, half = found.groups()
    hours = int(hour)
    if half:
        hours = hours % 12 + (12 if half.lower() == "p" else 0)
    return since_midnight(hours, int(minute), int(second or 0))


def _zone(rest: str) -> timezone | None:
    """Return the zone that is named, UTC where none is; None where it cannot be."""
    offset = _OFFSET.search(rest)
    if offset is None:
        hours = next((_ZONES[name] for name in _ZONE.findall(rest) if name in _ZONES), 0)
        return timezone(timedelta(hours=hours)) if hours else UTC
    sign, whole, part = offset[1] or offset[4], offset[2] or offset[5], offset[3] or "0"
    return offset_of(sign != "+", int(whole), int(part))
