from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.lookout import NAME, IsOver, LookEndedError, Lookout, until
from jobs.schedule.workers import Liveness
from migrator.config import load
from migrator.errors import FerryError, Kind
from tests.unit.jobs.test_service import written

PATIENCE = 60.0


@contextmanager
def started(lookout: Lookout) -> Iterator[Lookout]:
    lookout.start()
    try:
        yield lookout
    finally:
        assert lookout.stop(PATIENCE)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.lookout.SECONDS", 0.01)


@pytest.mark.parametrize("error", [FerryError(Kind.TEMPORARY, "the disk is away"), ZeroDivisionError("a defect")])
def test_a_look_that_fails_is_taken_again(error: Exception) -> None:
    looks, done = [error, None], threading.Event()

    def look(_is_over: IsOver) -> None:
        if not looks:
            done.set()
        elif (failure := looks.pop(0)) is not None:
            raise failure

    with started(Lookout(look, Liveness())) as lookout:
        assert done.wait(PATIENCE)
        assert lookout.is_alive()


def test_a_look_that_hangs_is_seen_and_one_that_rests_is_not() -> None:
    liveness, begun, may_end, ended = Liveness(), threading.Event(), threading.Event(), threading.Event()

    def look(_is_over: IsOver) -> None:
        if may_end.is_set():
            ended.set()
        begun.set()
        assert may_end.wait(PATIENCE)

    with started(Lookout(look, liveness)):
        assert begun.wait(PATIENCE)
        assert liveness.stuck(-1) == [NAME]
        may_end.set()
        assert ended.wait(PATIENCE)
    assert liveness.stuck(-1) == []


def test_a_stop_ends_a_look_between_two_accounts() -> None:
    begun = threading.Event()

    def look(is_over: IsOver) -> None:
        begun.set()
        while not is_over():
            pass
        raise LookEndedError

    with started(Lookout(look, Liveness())):
        assert begun.wait(PATIENCE)


def test_accounts_are_gone_through_until_it_is_over(tmp_path: Path) -> None:
    over = False
    config = load(written(tmp_path))
    seen = until(lambda: over, config)
    assert list(seen.accounts) == list(config.accounts)
    assert seen.accounts[0] == config.accounts[0]
    assert list(seen.names()) == ["ann"]
    assert (seen.named("ann"), seen.named("bob")) == (config.accounts[0], None)
    over = True
    with pytest.raises(LookEndedError):
        list(seen.accounts)
