"""INTERNALDATE as APPEND takes it (RFC 9051, section 2.3.3). Pure.

When a message arrived is the work of ``migrator.message.arrival_date``.
"""

from __future__ import annotations

from datetime import datetime, timedelta

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def internal_date(moment: datetime) -> bytes:
    """Write a time-zone-aware moment as a date-time of RFC 9051, section 9, quotes included.

    It cannot say more of a zone than hours and minutes.
    """
    offset = round((moment.utcoffset() or timedelta()).total_seconds() / 60)
    hours, minutes = divmod(abs(offset), 60)
    zone = f"{'-' if offset < 0 else '+'}{hours:02}{minutes:02}"
    day = f"{moment.day:2}-{_MONTHS[moment.month - 1]}-{moment.year:04}"
    return f'"{day} {moment:%H:%M:%S} {zone}"'.encode("ascii")
