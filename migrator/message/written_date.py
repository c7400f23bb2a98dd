"""A date as people and programs write it into a header, read as a moment. Pure.

RFC 5322 section 3.3. Second 60 is the next minute's first (a leap second), 24:00 the next day's. What is written in
another way, is read by ``unusual_date``, which is imported for the first of them.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from migrator.message.month_names import month_named

_USUAL = re.compile(
    rb"\s*(?:[A-Z][a-z]{2},\s+)?(\d{1,2})\s+([A-Z][a-z]{2})\s+(\d{4})\s+(\d\d):(\d\d):(\d\d)\s+([+-]\d{4})\b"
)
"""How nearly all headers have it: the rest takes ten times as long."""


def moment_of(written: bytes) -> datetime | None:
    """Return the moment that a header's value names, in the zone that it names (UTC where none); None if none."""
    usual = _USUAL.match(written)
    if usual is not None:
        return _usual(usual)
    from migrator.message.unusual_date import unusual_moment_of

    return unusual_moment_of(written)


def _usual(found: re.Match[bytes]) -> datetime | None:
    day, name, year, *time_of_day, written_zone = found.groups()
    hour, minute, second = map(int, time_of_day)
    month, zone = _month(name), _numeric_zone(written_zone)
    if month is None or zone is None:
        return None
    try:
        return datetime(int(year), month, int(day), hour, minute, second, tzinfo=zone)
    except ValueError:  # second 60 and 24:00 are moments of the next minute and day
        passed = since_midnight(hour, minute, second)
        return None if passed is None else moment(int(year), month, int(day), zone, passed)


@lru_cache(maxsize=64)
def _month(name: bytes) -> int | None:
    return month_named(name.decode("ascii"))


@lru_cache(maxsize=256)
def _numeric_zone(written: bytes) -> timezone | None:
    return offset_of(written.startswith(b"-"), int(written[1:3]), int(written[3:5]))


def moment(year: int, month: int, day: int, zone: timezone, time_of_day: timedelta) -> datetime | None:
    """Return a day's moment; None where no clock shows it."""
    try:
        return datetime(year, month, day, tzinfo=zone) + time_of_day
    except (ValueError, OverflowError):
        return None


def since_midnight(hours: int, minutes: int, seconds: int) -> timedelta | None:
    """Return a time of day, with 24:00 and a leap second; None where there is none such."""
    is_possible = (hours < 24 or (hours == 24 and not minutes and not seconds)) and minutes < 60 and seconds <= 60
    return timedelta(hours=hours, minutes=minutes, seconds=seconds) if is_possible else None


def offset_of(is_west: bool, hours: int, minutes: int) -> timezone | None:  # noqa: FBT001  # a sign
    """Return a zone by its distance from UTC; None where it cannot be."""
    if hours > 23 or minutes > 59:
        return None
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if is_west else offset)
