from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from migrator.search.numbers import EARLIEST, LATEST, ROOM, SLACK, first_number, numbers_of, span

SANE = st.integers(EARLIEST, LATEST - SLACK)


@given(SANE, SANE)
def test_the_newer_message_has_the_greater_number(one: int, other: int) -> None:
    if one < other:
        assert first_number(one) + ROOM <= first_number(other)
    assert numbers_of(one)[0] == first_number(one)


@given(SANE)
def test_a_message_without_a_date_comes_before_all_others(date: int) -> None:
    assert numbers_of(None)[-1] < numbers_of(date)[0]


@given(SANE, SANE, SANE)
def test_a_range_of_dates_holds_every_number_of_its_messages(date: int, start: int, end: int) -> None:
    above, below = span(start, end)
    assert above is not None
    assert below is not None
    if start <= date < end:
        assert all(above <= number < below for number in (numbers_of(date)[0], numbers_of(date)[-1]))


@pytest.mark.parametrize("date", [-(10**12), -1, 0, 10**15])
def test_a_date_that_no_message_should_have_still_gives_a_number_that_a_database_takes(date: int) -> None:
    assert 0 < numbers_of(date)[0] < numbers_of(date)[-1] < 2**62


def test_what_is_open_bounds_nothing() -> None:
    assert span(None, None) == (None, None)
