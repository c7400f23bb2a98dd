from __future__ import annotations

import pytest

from migrator.errors import Advice, FerryError, Kind
from migrator.run.relogin import (
    LONGEST_PART,
    MAX_LOGINS,
    PATIENCE_SECONDS,
    SIZE_TRUST_BOUND,
    Habits,
    Portion,
    beginning,
    pause_before_retry,
)

GIVES_UP = {Kind.AUTH, Kind.TLS, Kind.REFUSED, Kind.LOCKED, Kind.DISK_FULL, Kind.ARCHIVE, Kind.QUOTA, Kind.INTERNAL}
TRIES_AGAIN = {
    Kind.CONNECT,
    Kind.TIMEOUT,
    Kind.PROTOCOL,
    Kind.SHORT,
    Kind.IN_USE,
    Kind.TEMPORARY,
    Kind.LOGIN_DELAY,
}


@pytest.mark.parametrize("kind", sorted(GIVES_UP))
def test_what_time_does_not_heal_is_final_at_once(kind: Kind) -> None:
    assert pause_before_retry(FerryError(kind, "no"), 1, 0.0) is None


@pytest.mark.parametrize("kind", sorted(TRIES_AGAIN))
def test_the_third_fault_is_the_last(kind: Kind) -> None:
    pauses = [pause_before_retry(FerryError(kind, "no"), faults, 0.0) for faults in range(1, MAX_LOGINS + 1)]
    assert pauses[-1] is None
    assert all(pause is not None and pause > 0 for pause in pauses[:-1])
    assert pauses[:-1] == sorted(pause for pause in pauses[:-1] if pause is not None)


def test_patience_ends_only_after_its_last_second() -> None:
    error = FerryError(Kind.CONNECT, "no")
    assert pause_before_retry(error, 1, PATIENCE_SECONDS[Kind.CONNECT]) is not None
    assert pause_before_retry(error, 1, PATIENCE_SECONDS[Kind.CONNECT] + 1) is None


def test_a_dead_server_ends_an_account_within_90_seconds() -> None:
    # Connecting takes 20 seconds at most, for each try; the last may begin just before patience ends.
    error, elapsed, faults = FerryError(Kind.CONNECT, "no"), 0.0, 0
    while True:
        elapsed, faults = elapsed + 20.0, faults + 1
        pause = pause_before_retry(error, faults, elapsed)
        if pause is None:
            break
        elapsed += pause
    assert elapsed < 90.0


def test_a_stalling_server_ends_an_account_within_4_minutes() -> None:
    error, elapsed, faults = FerryError(Kind.TIMEOUT, "silent"), 0.0, 0
    while True:
        elapsed, faults = elapsed + 20.0 + 45.0, faults + 1
        pause = pause_before_retry(error, faults, elapsed)
        if pause is None:
            break
        elapsed += pause
    assert elapsed < 240.0


@pytest.mark.parametrize(("asked", "pause"), [(2.0, 3.0), (60.0, 61.0), (61.0, None), (3600.0, None)])
def test_a_login_delay_is_waited_out_up_to_a_minute(asked: float, pause: float | None) -> None:
    assert pause_before_retry(FerryError(Kind.LOGIN_DELAY, "later", wait=asked), 1, 0.0) == pause


def test_an_error_may_say_of_itself_that_now_is_the_time() -> None:
    error = FerryError(Kind.REFUSED, "QUIT", advice=Advice.NOW)
    assert pause_before_retry(error, 1, 0.0) is not None


def test_a_server_is_believed_to_announce_any_size_only_after_two_more_that_differ() -> None:
    habits = Habits()
    assert not habits.announces_any_size
    assert not habits.after_sizes(fitting=0, differing=1).announces_any_size
    assert habits.after_sizes(fitting=0, differing=2).announces_any_size
    assert not habits.after_sizes(fitting=5, differing=6).announces_any_size


def test_trust_in_sizes_is_bound_so_that_it_can_be_lost_and_won_again() -> None:
    trusted = Habits().after_sizes(fitting=10_000, differing=0)
    assert trusted.size_trust == SIZE_TRUST_BOUND
    assert trusted.after_sizes(fitting=1, differing=0) is trusted
    lost = trusted.after_sizes(fitting=0, differing=10_000)
    assert lost.announces_any_size
    assert not lost.after_sizes(fitting=SIZE_TRUST_BOUND, differing=0).announces_any_size


def test_a_listing_of_known_length_is_not_looked_at_twice() -> None:
    fresh = Habits()
    assert fresh.wants_another_session(10, 1)
    looked = fresh.after_another_session(10, showed_new=False)
    assert not looked.wants_another_session(10, 1)
    assert not looked.wants_another_session(20, 1)
    assert looked.wants_another_session(21, 1)
    assert looked.after_another_session(5, showed_new=False).complete_up_to == 10


def test_a_listing_longer_than_any_part_is_the_whole() -> None:
    assert Habits().wants_another_session(LONGEST_PART, 1)
    assert not Habits().wants_another_session(LONGEST_PART + 1, 1)


def test_nobody_is_looked_at_again_once_a_run_has_logged_in_three_times() -> None:
    assert Habits().wants_another_session(10, MAX_LOGINS - 1)
    assert not Habits().wants_another_session(10, MAX_LOGINS)


def test_a_known_view_of_parts_is_followed_however_long_it_is() -> None:
    assert Habits(shows_part=True).wants_another_session(LONGEST_PART + 1, 1)


def test_a_server_that_shows_parts_is_looked_at_until_nothing_new_shows() -> None:
    partial = Habits().after_another_session(10, showed_new=True)
    assert partial.shows_part
    assert partial.wants_another_session(10, logins=99)


def test_what_runs_side_by_side_find_out_adds_up() -> None:
    mine = Habits(complete_up_to=30, size_trust=5)
    seen = mine.with_those_seen_by(Habits(shows_part=True, complete_up_to=20, size_trust=-9))
    assert seen == Habits(shows_part=True, complete_up_to=30, size_trust=5)
    assert mine.with_those_seen_by(Habits(complete_up_to=40)).complete_up_to == 40


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
