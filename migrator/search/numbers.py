"""The number of a message in the index: of two messages the newer one has the greater number. Pure.

So whatever the index goes through in the order of its numbers, it goes through by date, and a range of dates is a range
of numbers. The number is the second it was written in (since the epoch). Where that is taken, it is one of the seconds
after it: one of the next few, else one that the message's digest chooses, of the more the more of them are taken. So
the order of numbers may differ from that of dates by seconds, and where thousands were written at once, by more: a
page of hits is sorted by ``place_in_time`` once more. Messages without a date come before all others.
"""

from __future__ import annotations

from collections.abc import Iterator

EARLIEST, LATEST = 365 * 86_400, 2**34
"""The dates that have numbers of their own: what is written is within 1971 and 2200, or has no date."""

SLACK = 1 << 20
"""How much greater than its date a message's number may be (twelve days): a range of numbers ends so much later."""

_NEXT = 8
_SPANS = (1 << 6, 1 << 9, 1 << 12, 1 << 15, 1 << 18, SLACK)
_CHOICE = 4
"""Octets of a digest that make one choice."""


def place_in_time(date: int | None) -> int:
    """Return what messages are sorted by; that of those without a date is 0."""
    return 0 if date is None else max(EARLIEST, min(date, LATEST))


def numbers_of(date: int, digest: bytes) -> Iterator[int]:
    """Yield the numbers that a message may have, some fifty at its date or later, in the order of trying them."""
    first = place_in_time(date)
    yield from range(first, first + _NEXT)
    for span in _SPANS:
        for begin in range(0, len(digest), _CHOICE):
            yield first + int.from_bytes(digest[begin : begin + _CHOICE]) % span


def span(start: int | None, end: int | None) -> tuple[int | None, int | None]:
    """Return below which numbers, and from which on, no message can be written at or after start and before end."""
    return (
        None if start is None else place_in_time(start),
        None if end is None else place_in_time(end) + SLACK,
    )
