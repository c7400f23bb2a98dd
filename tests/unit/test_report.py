from __future__ import annotations

from migrator.report import Storing


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_is_being_stored_is_known_with_the_time_it_takes() -> None:
    clock = Clock()
    storing = Storing(clock)
    assert (storing.octets, storing.seconds_left) == (0, None)
    storing.begun(1000)
    assert (storing.octets, storing.seconds_left) == (1000, None)
    clock.now += 2.0
    storing.ended(400)
    assert (storing.octets, storing.seconds_left) == (600, 3.0)
