"""When a message arrived: what APPEND gives the server as INTERNALDATE (RFC 9051, section 2.3.3).

Pure. The topmost Received header is the one that the POP3 server's own host wrote, so its date is when the message
arrived in the maildrop; the Date header is only what the sender claims.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

_RECEIVED = re.compile(rb"(?:^|\n)received[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.I)
_DATE = re.compile(rb"(?:^|\n)date[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.I)
_LONGEST = 2048
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def arrival_of(header: bytes, now: datetime) -> datetime:
    """Return when a message with this header block arrived: top Received, else Date, else ``now`` (time zone aware).

    A date before there was mail, or later than two days after ``now``, is nobody's arrival: the next source counts.
    """
    for claim in _claims(header):
        moment = _parsed(claim)
        if moment is not None and _EARLIEST <= moment <= now + timedelta(days=2):
            return moment
    return now


def _claims(header: bytes) -> Iterator[bytes]:
    received = _RECEIVED.search(header)
    if received is not None:
        yield received[1].rpartition(b";")[2]
    date = _DATE.search(header)
    if date is not None:
        yield date[1]


def _parsed(claim: bytes) -> datetime | None:
    try:
        moment = parsedate_to_datetime(claim[:_LONGEST].decode("ascii", "replace"))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(_whole_minutes(moment))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _whole_minutes(moment: datetime) -> timezone:
    """Return the zone of ``moment``; INTERNALDATE cannot say more than hours and minutes, within a day."""
    offset = moment.utcoffset() or timedelta()
    return timezone(timedelta(minutes=round(offset.total_seconds() / 60)))


def internal_date(moment: datetime) -> bytes:
    """Write a time-zone-aware moment as a date-time of RFC 9051, section 9, quotes included."""
    offset = round((moment.utcoffset() or timedelta()).total_seconds() / 60)
    hours, minutes = divmod(abs(offset), 60)
    zone = f"{'-' if offset < 0 else '+'}{hours:02}{minutes:02}"
    day = f"{moment.day:2}-{_MONTHS[moment.month - 1]}-{moment.year:04}"
    return f'"{day} {moment:%H:%M:%S} {zone}"'.encode("ascii")
