from __future__ import annotations

import pytest

from migrator.run.portion import Portion, beginning


@pytest.mark.parametrize(("idle", "place"), [(0, 0), (1, 5), (2, 9), (3, 9)])
def test_sessions_after_one_that_achieved_nothing_begin_elsewhere(idle: int, place: int) -> None:
    assert beginning(idle, 10) == place
    assert beginning(idle, 0) == 0


def test_a_portion_is_unlimited_until_a_session_was_too_long() -> None:
    assert not Portion().is_limited
    assert Portion().after_full_session() == Portion()
    assert Portion().shortened(0) == Portion(1)
    assert Portion(5).shortened(9).most == 5


def test_a_portion_grows_again_and_each_time_that_was_too_much_more_slowly() -> None:
    portion = Portion().shortened(10)
    assert portion.after_full_session() == Portion(20)
    portion = portion.after_full_session().shortened(10)
    lengths = []
    for _ in range(4):
        lengths.append(portion.most)
        portion = portion.after_full_session()
    assert lengths == [10, 10, 20, 20]
    portion = portion.shortened(10)
    for _ in range(3):
        assert (portion.most, portion.patience) == (10, 4)
        portion = portion.after_full_session()
    assert (portion.most, portion.after_full_session().most) == (10, 20)
    for _ in range(20):
        portion = portion.shortened(10)
    assert portion.patience == 64
