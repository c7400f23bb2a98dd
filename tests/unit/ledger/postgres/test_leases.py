"""Leases: one owner at a time, an epoch that counts up, and a fence that no transaction of the past gets through."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TypeVar

import psycopg
import pytest

from migrator.errors import FerryError, Kind
from migrator.ledger.lease import EFFECT_SECONDS, KernelLocks, LeaseLostError, insist
from migrator.ledger.postgres.leases import (
    FENCE,
    LOST,
    Deadline,
    Fence,
    HeldLease,
    Leases,
    Ownership,
    boot_time,
    prepare,
)
from tests.servers.postgres import Postgres

NAME = "account ann"
_T = TypeVar("_T")
StartLeases = Callable[..., Leases]


@pytest.fixture
def dsn(database: str) -> str:
    with psycopg.connect(database) as connection:
        prepare(connection)
        prepare(connection)
        connection.execute("create table effects (number bigint generated always as identity, epoch bigint)")
    return database


@pytest.fixture
def leases_of(dsn: str) -> Iterator[StartLeases]:
    with ExitStack() as stack:

        def start(holder: str = "one", seconds: float = 60.0) -> Leases:
            leases = Leases(partial(psycopg.connect, dsn, autocommit=True), holder, seconds=seconds)
            stack.callback(leases.close)
            return leases

        yield start


def take(leases: Leases, name: str = NAME) -> HeldLease:
    lease = leases.take(name)
    assert lease is not None
    return lease


def test_one_owner_at_a_time(leases_of: StartLeases) -> None:
    one, two = leases_of("one"), leases_of("two")
    lease = take(one)
    assert lease.fence == Fence(NAME, 1)
    assert lease.holds(EFFECT_SECONDS)
    assert two.take(NAME) is None
    assert take(two, "account bob").fence == Fence("account bob", 1)
    one.release(lease)
    assert not lease.holds(0)
    assert take(two).fence == Fence(NAME, 2)


def test_the_same_worker_gets_no_second_lease_while_its_first_run_sleeps(leases_of: StartLeases) -> None:
    one = leases_of("one")
    take(one)
    assert one.take(NAME) is None


def test_a_lease_that_ran_out_is_taken_over_and_its_first_owner_learns_of_it(leases_of: StartLeases) -> None:
    one, two = leases_of("one", seconds=0.2), leases_of("two")
    first = HeldLease(take(one).fence, boot_time() + 60)  # it believes that it has it for much longer
    one.close()  # and renews nothing
    second = _wait_for(lambda: two.take(NAME))
    assert second.fence.epoch == first.fence.epoch + 1


def test_who_is_overtaken_hears_of_it_at_the_next_renewal(leases_of: StartLeases, dsn: str) -> None:
    one = leases_of("one")
    lease, other = take(one), take(one, "account bob")
    with psycopg.connect(dsn) as connection:
        connection.execute("update leases set epoch = epoch + 1 where name = %s", [NAME])
    assert one.renew()
    assert lease.is_lost
    assert not lease.holds(0)
    assert other.holds(EFFECT_SECONDS)


def test_a_release_frees_nothing_that_another_has_taken_over(leases_of: StartLeases, dsn: str) -> None:
    one, two = leases_of("one"), leases_of("two")
    lease = take(one)
    with psycopg.connect(dsn) as connection:
        connection.execute("update leases set until = '-infinity'")
    take(two)
    one.release(lease)
    assert one.take(NAME) is None


def test_a_lease_is_renewed_until_it_is_released(leases_of: StartLeases) -> None:
    one, two = leases_of("one", seconds=0.6), leases_of("two")
    lease = take(one)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert two.take(NAME) is None
        assert lease.holds(0.1)
        time.sleep(0.05)
    one.release(lease)
    take(two)


def test_a_renewal_waits_for_no_transaction_of_our_own(leases_of: StartLeases, dsn: str) -> None:
    one = leases_of("one")
    busy, idle = take(one), take(one, "account bob")
    until = busy.until, idle.until
    with psycopg.connect(dsn) as connection:
        connection.execute(FENCE, busy.fence)
        assert not one.renew()  # the rest of it in a moment
        assert busy.until == until[0]
        assert idle.until > until[1]
    assert one.renew()
    assert busy.until > until[0]


def test_while_the_database_is_away_a_lease_runs_out_and_when_it_is_back_it_is_renewed(
    leases_of: StartLeases, postgres: Postgres
) -> None:
    one = leases_of("one", seconds=3)
    lease = take(one)
    postgres.restart()
    end = time.monotonic() + 5
    while time.monotonic() < end:
        time.sleep(0.05)
    assert lease.holds(0.5)
    postgres.stop()
    _wait_for(lambda: not lease.holds(0))
    postgres.start()
    _wait_for(lambda: lease.holds(0.5))  # nobody has taken it over


def test_what_is_released_while_the_database_is_away_is_free_once_it_is_back(
    leases_of: StartLeases, postgres: Postgres
) -> None:
    lease = take(one := leases_of("one"))
    take(one, "account bob")
    postgres.stop()
    one.release(lease)
    assert not lease.holds(0)
    with pytest.raises(psycopg.OperationalError):
        one.renew()
    postgres.start()
    two = leases_of("two")
    assert two.take(NAME) is None
    assert one.renew()
    assert take(two).fence == Fence(NAME, 2)
    assert one.renew()
    assert two.renew()
    assert leases_of("three").take(NAME) is None


def test_the_fence_lets_its_own_epoch_through_and_no_other(leases_of: StartLeases, dsn: str) -> None:
    lease = take(leases_of("one"))
    with psycopg.connect(dsn) as connection:
        connection.execute(FENCE, lease.fence)
    for past in (Fence(NAME, 0), Fence(NAME, 2), Fence("account bob", 1)):
        with psycopg.connect(dsn) as connection, pytest.raises(psycopg.Error) as refused:
            connection.execute(FENCE, past)
        assert refused.value.sqlstate == LOST


def test_owning_waits_as_long_as_it_may_and_says_who_is_at_it(leases_of: StartLeases) -> None:
    one, two = Ownership(leases_of("one")), Ownership(leases_of("two"))
    with one.owning(NAME):
        assert one.fences == [Fence(NAME, 1)]
        began = time.monotonic()
        with pytest.raises(FerryError, match="another mailferry is working account ann") as caught, two.owning(NAME):
            pass
        assert time.monotonic() - began < 1
        assert caught.value.kind is Kind.LOCKED
        with pytest.raises(FerryError), two.owning(NAME, patience=0.2):
            pass
    with two.owning(NAME, patience=5), two.owning("destination x"):
        assert {fence.name for fence in two.fences} == {NAME, "destination x"}
        assert two.holds(EFFECT_SECONDS)
    assert not two.fences


def test_what_is_owned_holds_only_while_all_of_it_does(leases_of: StartLeases, dsn: str) -> None:
    leases = leases_of("one")
    own = Ownership(leases)
    with own.owning(NAME), own.owning("destination x"):
        insist(own, "QUIT")
        assert own.as_known_now().holds(EFFECT_SECONDS)
        with psycopg.connect(dsn) as connection:
            connection.execute("update leases set epoch = epoch + 1 where name = 'destination x'")
        leases.renew()
        assert not own.as_known_now().holds(0)
        with pytest.raises(LeaseLostError, match="silent for too long before QUIT"):
            insist(own, "QUIT")


def test_a_lease_that_runs_out_in_a_moment_is_good_for_nothing_that_takes_longer() -> None:
    assert Deadline(boot_time() + EFFECT_SECONDS + 1).holds(EFFECT_SECONDS)
    assert not Deadline(boot_time() + EFFECT_SECONDS - 1).holds(EFFECT_SECONDS)
    assert Deadline(float("inf")).as_known_now().holds(1e9)
    assert KernelLocks().as_known_now().holds(1e9)


class Sleeper:
    """``tests.unit.ledger.postgres.sleeper``, which a test stops and wakes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.epoch = int(self.heard().removeprefix("owned "))

    def heard(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def told(self, what: str) -> str:
        self.tell(what)
        return self.heard()

    def tell(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()

    def freeze(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)


@contextmanager
def asleep(dsn: str, seconds: float) -> Iterator[Sleeper]:
    command = [sys.executable, "-m", "tests.unit.ledger.postgres.sleeper", dsn, str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Sleeper(process)
        finally:
            process.kill()


def test_frozen_between_two_transactions_it_is_overtaken_and_its_next_one_refused(
    leases_of: StartLeases, dsn: str
) -> None:
    with asleep(dsn, 1.0) as sleeper:
        assert sleeper.told("write") == "written"
        sleeper.freeze()
        new = _wait_for(lambda: leases_of("two").take(NAME))
        assert new.fence.epoch == sleeper.epoch + 1
        sleeper.wake()
        assert sleeper.told("ask") == "lost"
        assert sleeper.told("write") == f"refused {LOST}"
    assert _effects(dsn) == [1]


def test_frozen_inside_a_transaction_it_holds_the_takeover_up_until_the_server_ends_its_session(
    leases_of: StartLeases, dsn: str
) -> None:
    limited = f"{dsn}&options=-c%20idle_in_transaction_session_timeout%3D2000"
    with asleep(limited, 0.5) as sleeper:
        assert sleeper.told("begin") == "begun"
        sleeper.freeze()
        began = time.monotonic()
        new = _wait_for(lambda: leases_of("two").take(NAME))
        assert time.monotonic() - began > 1.0
        assert new.fence.epoch == sleeper.epoch + 1
        sleeper.wake()
        assert sleeper.told("commit").startswith("refused")
        assert sleeper.told("ask") == "lost"
    assert _effects(dsn) == []


def test_a_transaction_that_was_begun_before_the_takeover_is_before_it(leases_of: StartLeases, dsn: str) -> None:
    with asleep(dsn, 60.0) as sleeper:
        assert sleeper.told("begin") == "begun"
        with psycopg.connect(dsn) as connection:
            connection.execute("set lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute("update leases set epoch = epoch + 1")
        assert leases_of("two").take(NAME) is None
        assert sleeper.told("commit") == "committed"
    assert _effects(dsn) == [1]


def _effects(dsn: str) -> list[int]:
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute("select epoch from effects order by number")]


def _wait_for(question: Callable[[], _T | None]) -> _T:
    end = time.monotonic() + 20
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end
        time.sleep(0.05)
