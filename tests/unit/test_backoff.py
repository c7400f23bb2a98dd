from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from migrator.backoff import ACCOUNT, DAY, HOST, HOUR, LOCK, LOGIN_GAP, MESSAGE, MINUTE, Doubling, imap_settling, spread

SCHEDULES = [*ACCOUNT.values(), HOST, LOCK, LOGIN_GAP, MESSAGE]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_delays_grow_from_the_first_to_the_longest(schedule: Doubling) -> None:
    delays = [schedule.retry_delay(attempts) for attempts in range(1, 40)]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1], schedule.retry_delay(10**9)) == (schedule.first, schedule.longest, schedule.longest)


def test_a_message_waits_a_quarter_of_an_hour_to_a_day() -> None:
    assert [MESSAGE.retry_delay(attempts) for attempts in (1, 2, 3, 10_000)] == [900.0, 1800.0, HOUR, DAY]


def test_a_gap_that_proved_too_short_is_doubled() -> None:
    assert [LOGIN_GAP.beyond(gap) for gap in (0.0, 600.0, 1000.0, HOUR)] == [10 * MINUTE, 1200.0, 2000.0, HOUR]


@given(delay=st.floats(0, DAY), jitter=st.floats(0, 1, exclude_max=True))
def test_jitter_takes_at_most_a_third_and_adds_nothing(delay: float, jitter: float) -> None:
    assert delay * 2 / 3 <= spread(delay, jitter) * (1 + 1e-9)
    assert spread(delay, jitter) <= delay * (1 + 1e-9)


def test_a_mailbox_is_given_a_tenth_of_a_second_for_each_message_it_may_still_be_storing() -> None:
    assert [sum(imap_settling(messages)) for messages in (1, 40, 41, 150, 200, 5_000)] == [
        4.0,
        4.0,
        4.1,
        15.0,
        20.0,
        20.0,
    ]
