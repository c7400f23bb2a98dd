from __future__ import annotations

import pytest

from migrator.errors import Advice, FerryError, Kind
from migrator.run.relogin import (
    MAX_LOGINS,
    PATIENCE_SECONDS,
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
