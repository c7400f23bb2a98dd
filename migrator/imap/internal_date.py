"""INTERNALDATE as APPEND takes it (RFC 9051, section 2.3.3). Pure.

When a message arrived is the work of ``migrator.message.arrival_date``.
"""

from __future__ import annotations

from datetime import datetime, timedelta

_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


def internal_date(moment: datetime) -> bytes:
    """Write a time-zone-aware moment as a date-time of RFC 9051, section 9, quotes included.

    It cannot say more of a zone than hours and minutes.
    """
    offset = round((moment.utcoffset() or timedelta()).total_seconds() / 60)
    zone = (b"-" if offset < 0 else b"+", *divmod(abs(offset), 60))
    day = (moment.day, _MONTHS[moment.month - 1], moment.year)
    return b'"%2d-%b-%04d %02d:%02d:%02d %b%02d%02d"' % (*day, moment.hour, moment.minute, moment.second, *zone)
