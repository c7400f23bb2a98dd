"""The number of a message in the index: of two messages the newer one has the greater number. Pure.

So whatever the index goes through in the order of its numbers, it goes through by date, and a range of dates is a range
of numbers. Of one second there is room for 64 messages; further ones take numbers of the seconds after it, no more than
``SLACK`` away. Messages without a date come before all others.
"""

from __future__ import annotations

_BITS = 6
ROOM = 1 << _BITS
"""How many numbers a second has."""
SLACK = 3_600
"""For how many seconds after its own a message's number may be: a range of numbers must end so much later."""
EARLIEST, LATEST = 365 * 86_400, 2**34
"""The dates that have numbers of their own: what is written is within 1971 and 2200, or has no date."""


def first_number(date: int | None) -> int:
    """Return the first number of a second (since the epoch); that of messages without a date where there is none."""
    return 1 if date is None else max(EARLIEST, min(date, LATEST)) << _BITS


def numbers_of(date: int | None) -> range:
    """Return the numbers that a message of this date may have, the ones of its own second first."""
    first = first_number(date)
    return range(first, first_number(EARLIEST) if date is None else first + (SLACK << _BITS))


def span(start: int | None, end: int | None) -> tuple[int | None, int | None]:
    """Return below which numbers, and from which on, no message can be written at or after start and before end."""
    return (
        None if start is None else first_number(start),
        None if end is None else first_number(end) + (SLACK << _BITS),
    )
