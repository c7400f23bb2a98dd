"""When a message arrived, and who says so. Pure.

The topmost Received header is the one that the POP3 server's own host wrote, so its date is when the message arrived in
the maildrop; the Date header is only what the sender claims. What the place says from which a message is imported (a
From_ line, a file's time) counts before the clock does, which knows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from migrator.message.written_date import moment_of

_RECEIVED = re.compile(rb"\nreceived[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.I)
_DATE = re.compile(rb"\ndate[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.I)
_HEADER_END = re.compile(rb"\n\r?\n")
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
_SLACK = timedelta(days=2)


class DateSource(StrEnum):
    """What a date was taken from."""

    RECEIVED = "Received"
    DATE = "Date"
    ORIGIN = "where it stood"
    """The place that it was imported or read from: a From_ line, a file's name or time."""
    CLOCK = "clock"
    """Nothing says when it arrived: this is when it was copied."""


class ArrivalDate(NamedTuple):
    """A moment with its time zone, and what says that it is the one."""

    moment: datetime
    source: DateSource

    def __str__(self) -> str:
        """Write it for a person."""
        return f"{self.moment:%Y-%m-%d %H:%M:%S %z} ({self.source})"


def arrival_date(beginning: bytes, now: datetime, fallback: float | None = None) -> ArrivalDate:
    """Return when a message arrived: top Received, else Date, else ``fallback`` (seconds since the epoch), else now.

    ``beginning`` is that of the message, its header at least, with CRLF or LF. A date before there was mail, or later
    than two days after ``now``, is nobody's arrival: the next source counts.
    """
    latest = _latest(now)
    for source, moment in _claims(_header(beginning), fallback):
        if moment is not None and _is_between(_EARLIEST, moment, latest):
            return ArrivalDate(moment, source)
    return ArrivalDate(now, DateSource.CLOCK)


@lru_cache(maxsize=1)
def _latest(now: datetime) -> datetime:
    """Return the last moment that counts; a batch of messages asks for the same one."""
    return now.astimezone(UTC) + _SLACK


def _is_between(earliest: datetime, moment: datetime, latest: datetime) -> bool:
    """Say so of moments of which two are in UTC: to compare across zones takes ten times as long, for each message."""
    is_far = not earliest.year - 1 <= moment.year <= latest.year + 1  # maybe too far to be put into another zone
    return not is_far and earliest <= moment.astimezone(UTC) <= latest


def _header(beginning: bytes) -> bytes:
    """Return the header with a line feed before each of its lines."""
    header = b"\n" + beginning
    end = _HEADER_END.search(header)
    return header[: end.start()] if end else header


def _claims(header: bytes, fallback: float | None) -> Iterator[tuple[DateSource, datetime | None]]:
    received = _RECEIVED.search(header)
    if received is not None and b";" in received[1]:
        yield DateSource.RECEIVED, moment_of(received[1].rpartition(b";")[2])
    if (date := _DATE.search(header)) is not None:
        yield DateSource.DATE, moment_of(date[1])
    if fallback is not None:
        yield DateSource.ORIGIN, _since_epoch(fallback)


def _since_epoch(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
