"""How far a run is, how fast, and how long it still takes: what a terminal and the page say alike."""

from __future__ import annotations

import pytest

from migrator.progress import Headway


def test_a_session_plans_what_the_ones_before_did_not_do() -> None:
    way = Headway(100.0).plan(10, 1_000).advance(4, 400).plan(6, 600)
    assert (way.messages, way.planned_messages) == (4, 10)
    assert (way.octets, way.planned_octets) == (400, 1_000)


@pytest.mark.parametrize(
    ("octets", "now", "rate", "left"),
    [
        (0, 100.0, 0.0, None),  # nothing was done yet: nobody can tell
        (0, 110.0, 0.0, None),
        (400, 100.0, 0.0, None),  # no time has passed
        (400, 90.0, 0.0, None),  # the clock went back
        (400, 110.0, 40.0, 15.0),
        (1_000, 110.0, 100.0, None),  # nothing is left
        (1_200, 110.0, 120.0, None),  # more than was announced
    ],
)
def test_the_time_left_is_said_where_a_rate_is_known(octets: int, now: float, rate: float, left: float | None) -> None:
    way = Headway(100.0).plan(10, 1_000).advance(1, octets)
    assert (way.rate(now), way.seconds_left(now)) == (rate, left)
