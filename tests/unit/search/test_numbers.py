"""A message's number in the index, and what it says of its date."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, strategies as st

from migrator.search.numbers import EARLIEST, LATEST, SLACK, numbers_of, place_in_time, span

SANE = st.integers(EARLIEST, LATEST - SLACK)
DIGESTS = st.integers(0, 1_000).map(lambda number: sha256(b"%d" % number).digest())


@given(SANE, SANE, DIGESTS)
def test_the_newer_message_has_the_greater_number_unless_that_is_taken(one: int, other: int, digest: bytes) -> None:
    if one < other:
        assert next(numbers_of(one, digest)) < next(numbers_of(other, digest))
    assert next(numbers_of(one, digest)) == one


@given(SANE, DIGESTS)
def test_a_message_of_which_the_number_is_taken_may_have_others_close_by_first(date: int, digest: bytes) -> None:
    numbers = list(numbers_of(date, digest))
    assert numbers[:8] == list(range(date, date + 8))
    assert all(date <= number < date + 64 for number in numbers[8:16])
    assert len(numbers) < 64


@given(SANE, DIGESTS)
def test_a_message_without_a_date_comes_before_all_others(date: int, digest: bytes) -> None:
    assert place_in_time(None) < EARLIEST <= min(numbers_of(date, digest))


@given(SANE, SANE, SANE, DIGESTS)
def test_a_range_of_dates_holds_every_number_of_its_messages(date: int, start: int, end: int, digest: bytes) -> None:
    above, below = span(start, end)
    assert above is not None
    assert below is not None
    if start <= date < end:
        assert all(above <= number < below for number in numbers_of(date, digest))


@pytest.mark.parametrize("date", [-(10**12), -1, 0, 10**15])
def test_a_date_that_no_message_should_have_still_gives_a_number_that_a_database_takes(date: int) -> None:
    assert all(0 < number < 2**62 for number in numbers_of(date, sha256(b"").digest()))


def test_what_is_open_bounds_nothing() -> None:
    assert span(None, None) == (None, None)
