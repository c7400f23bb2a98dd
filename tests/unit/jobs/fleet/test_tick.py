"""Who is queued: what is due, as far as its hosts have room, what has waited longest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import psycopg
import pytest

from jobs.fleet import accounts, circuits
from jobs.fleet.accounts import BUSIEST, SHARED, Listed, pools
from jobs.fleet.dispatch import PgQueuer
from jobs.fleet.presence import check_key
from jobs.fleet.settling import Settled
from jobs.fleet.tick import due_accounts
from jobs.schedule.account_state import AccountState
from jobs.schedule.circuit_breaker import THRESHOLD
from jobs.schedule.retry import Scheduled
from migrator.backoff import HOST
from migrator.errors import ConfigError

NOW = 1_000_000.0


def listed(name: str, source: str = "a:995", *destinations: str, configured: str = "1") -> Listed:
    return Listed(name, source, destinations, configured)


def tick(connection: psycopg.Connection, now: float = NOW, per_host: int = 2) -> list[str]:
    """Queue who is due; return their names, in order."""
    queue = PgQueuer("", 1)
    with connection.transaction():
        due = due_accounts(connection, now, per_host=per_host)
        assert due is not None
        queue.offer(due, connection)
    return [one.name for one in due]


def register(connection: psycopg.Connection, *rows: Listed, limits: Mapping[str, int] | None = None) -> None:
    accounts.register(connection, rows, limits or {}, NOW)


def due_at(connection: psycopg.Connection, **moments: float) -> None:
    for name, moment in moments.items():
        accounts.postpone(connection, name, moment)


def done(connection: psycopg.Connection, *names: str, due: float = NOW + 900) -> None:
    """These have been worked."""
    connection.execute("delete from pgqueuer where dedupe_key = any(%s)", [list(names)])
    for name in names:
        accounts.settle(connection, name, Settled(AccountState(), Scheduled(0.0), due))


def test_what_has_waited_longest_comes_first_and_no_more_than_there_is_room_for(connection: psycopg.Connection) -> None:
    register(connection, *(listed(f"n{number}") for number in range(9)))
    due_at(connection, n7=NOW - 9, n3=NOW - 8, n5=NOW - 7, n0=NOW - 6)
    assert tick(connection) == ["n7", "n3", "n5", "n0"]
    assert tick(connection) == []
    done(connection, "n3")
    assert tick(connection) == ["n1"]


def test_what_is_not_due_is_not_queued(connection: psycopg.Connection) -> None:
    register(connection, listed("ann"), listed("bob"))
    due_at(connection, ann=NOW + 1, bob=float("inf"))
    assert tick(connection) == []
    assert tick(connection, NOW + 1) == ["ann"]


def test_a_small_host_is_served_beside_a_large_one(connection: psycopg.Connection) -> None:
    register(connection, *(listed(f"l{number}", "large:995") for number in range(50)), listed("small", "small:995"))
    assert "small" in tick(connection)


def test_a_limit_that_somebody_has_set_holds(connection: psycopg.Connection) -> None:
    rows = [listed(f"n{number}", "a:995") for number in range(9)]
    register(connection, *rows, limits={"a:995": 1})
    assert len(tick(connection)) == 2
    assert accounts.limits_of_pools(connection, 4) == {"host a:995": 1}
    register(connection, *rows)
    assert accounts.limits_of_pools(connection, 4) == {"host a:995": 4}


def test_a_destination_gets_as_many_runs_as_it_takes_from_wherever_they_come(connection: psycopg.Connection) -> None:
    register(connection, *(listed(f"n{number}", f"s{number}:995", "imap:993") for number in range(9)))
    assert len(tick(connection)) == 2
    assert tick(connection) == []
    done(connection, "n0")
    assert tick(connection) == ["n2"]


def test_who_waits_for_a_full_destination_keeps_nobody_from_another(connection: psycopg.Connection) -> None:
    register(
        connection,
        *(listed(f"f{number}", "a:995", "full:993") for number in range(9)),
        listed("z", "a:995", "other:993"),
    )
    assert tick(connection) == ["f0", "f1"]
    assert tick(connection) == ["z"]


def test_nobody_is_queued_for_a_host_that_is_down_and_one_asks_when_its_pause_is_over(
    connection: psycopg.Connection,
) -> None:
    register(connection, *(listed(f"n{number}", "a:995", "imap:993") for number in range(5)), listed("b", "b:995"))
    for _ in range(THRESHOLD):
        circuits.failed(connection, ["imap:993"], NOW, "no answer")
    assert tick(connection) == ["b"]
    [(host, circuit)] = circuits.down(connection).items()
    assert (host, circuit.failures, circuit.message) == ("imap:993", THRESHOLD, "no answer")
    assert circuit.open_until == NOW + HOST.first
    assert tick(connection, NOW + HOST.first) == ["n0"]
    assert tick(connection, NOW + HOST.first) == []
    circuits.failed(connection, ["imap:993"], NOW + HOST.first, "still")
    done(connection, "n0")
    assert tick(connection, NOW + 2 * HOST.first) == []
    circuits.answered(connection, ["imap:993"], NOW)
    assert circuits.down(connection) == {}
    assert tick(connection, NOW + 2 * HOST.first) == ["n1", "n2"]


def test_who_failed_because_of_a_host_begins_at_once_when_it_is_back(connection: psycopg.Connection) -> None:
    register(connection, listed("ann", "a:995"), listed("bob", "a:995"), listed("eve", "a:995"))
    for name, host in (("ann", "a:995"), ("bob", "other:993")):
        failing = AccountState(attempts=2, host=host)
        accounts.settle(connection, name, Settled(failing, Scheduled(0.0), NOW + 5000))
    accounts.settle(connection, "eve", Settled(AccountState(), Scheduled(0.0), NOW + 5000))
    for _ in range(THRESHOLD):
        circuits.failed(connection, ["a:995"], NOW, "down")
    circuits.answered(connection, ["a:995"], NOW + 100)
    assert tick(connection, NOW + 100) == ["ann"]


def test_one_worker_ticks_at_a_time(fleet_dsn: str, connection: psycopg.Connection) -> None:
    register(connection, listed("ann"))
    with psycopg.connect(fleet_dsn) as other:
        assert due_accounts(other, NOW, per_host=2) is not None
        with connection.transaction():
            assert due_accounts(connection, NOW, per_host=2) is None


def test_a_change_of_an_account_lets_it_run_at_once_and_its_parking_end(connection: psycopg.Connection) -> None:
    register(connection, listed("ann"), listed("bob"))
    parked = AccountState(parked="hash", attempts=3, worked_with="hash", not_before=NOW + 5000, message="refused")
    for name in ("ann", "bob"):
        accounts.settle(connection, name, Settled(parked, Scheduled(0.0), NOW + 5000))
    register(connection, listed("ann", configured="2"), listed("bob"))
    assert tick(connection) == ["ann"]
    ann, bob = accounts.row_of(connection, "ann"), accounts.row_of(connection, "bob")
    assert ann is not None
    assert bob is not None
    assert (ann.state.is_parked, ann.state.not_before, ann.state.message) == (False, 0.0, "refused")
    assert bob.state == parked
    register(connection, listed("bob"))
    assert accounts.row_of(connection, "ann") is None


def test_what_one_machine_cannot_read_stays_for_the_others(connection: psycopg.Connection) -> None:
    register(connection, listed("ann"), listed("bob"), listed("eve"))
    parked = AccountState(parked="hash")
    accounts.settle(connection, "ann", Settled(parked, Scheduled(0.0), NOW + 5000))
    accounts.register(connection, [listed("bob")], {}, NOW, unreadable=["ann"])
    ann = accounts.row_of(connection, "ann")
    assert ann is not None
    assert ann.state == parked
    assert accounts.row_of(connection, "eve") is None


def test_a_person_lets_an_account_run_at_once(connection: psycopg.Connection) -> None:
    register(connection, listed("ann"), listed("bob"))
    failing = AccountState(attempts=2, parked="hash", not_before=NOW + 5000)
    polite = AccountState(gap=600.0, not_before=NOW + 500)
    accounts.settle(connection, "ann", Settled(failing, Scheduled(0.0), NOW + 5000))
    accounts.settle(connection, "bob", Settled(polite, Scheduled(0.0), NOW + 900))
    accounts.try_now(connection, ["ann", "bob"], NOW)
    assert tick(connection) == ["ann"]
    assert tick(connection, NOW + 500) == ["bob"]


def test_what_failed_and_was_worked_by_hand_goes_on_at_once_and_nothing_else(connection: psycopg.Connection) -> None:
    register(connection, listed("ann"), listed("bob"))
    accounts.settle(connection, "ann", Settled(AccountState(attempts=2, parked="hash"), Scheduled(0.0), NOW + 5000))
    accounts.settle(connection, "bob", Settled(AccountState(), Scheduled(0.0), NOW + 900))
    accounts.logged_in(connection, ["ann", "bob"], NOW)
    assert tick(connection) == ["ann"]


def test_parked_accounts_look_again_when_they_are_asked_to(connection: psycopg.Connection) -> None:
    register(connection, listed("ann"), listed("bob"))
    accounts.settle(connection, "ann", Settled(AccountState(parked="hash"), Scheduled(0.0), NOW + 5000))
    accounts.settle(connection, "bob", Settled(AccountState(), Scheduled(0.0), NOW + 900))
    accounts.look_again(connection, NOW)
    assert tick(connection) == ["ann"]


def test_a_wish_to_end_a_run_reaches_whoever_has_it_and_ends_with_it(connection: psycopg.Connection) -> None:
    register(connection, listed("ann"), listed("bob"))
    accounts.stop_run(connection, "ann")
    assert accounts.to_stop(connection, ["ann", "bob"]) == ["ann"]
    done(connection, "ann")
    assert accounts.to_stop(connection, ["ann"]) == []


def test_who_keeps_others_from_a_destination_is_cut_short_too(connection: psycopg.Connection) -> None:
    register(connection, listed("ann", "a:995", "imap:993"), listed("bob", "b:995", "imap:993"), listed("eve", "e:995"))
    assert tick(connection, per_host=1) == ["ann", "eve"]
    connection.execute("update pgqueuer set status = 'picked'")
    assert accounts.others_wait(connection, ["ann", "eve"], NOW) == ["ann"]


def test_only_who_keeps_others_waiting_at_its_source_is_cut_short(connection: psycopg.Connection) -> None:
    register(connection, listed("ann", "a:995"), listed("bob", "a:995"), listed("eve", "e:995"))
    assert tick(connection, per_host=2) == ["ann", "bob", "eve"]
    connection.execute("update pgqueuer set status = 'picked' where dedupe_key in ('ann', 'eve')")
    assert accounts.others_wait(connection, ["ann", "eve"], NOW) == ["ann"]
    assert accounts.others_wait(connection, ["ann", "eve"], NOW - 1) == []
    assert PgQueuer("", 1).depth(connection) == {"host a:995": 1}


@pytest.mark.parametrize("sources", [1, BUSIEST, BUSIEST + 500])
def test_the_busiest_sources_have_a_pool_of_their_own(sources: int) -> None:
    rows = _spread(sources)
    by_source = pools(rows)
    counts = Counter(by_source.values())
    assert sum(counts.values()) == sources
    assert sum(pool.startswith("host ") for pool in counts) == min(sources, BUSIEST)
    assert len(counts) <= BUSIEST + SHARED
    assert by_source["s0:995"] == "host s0:995"
    assert by_source == pools(list(reversed(rows)))


def _spread(sources: int) -> Sequence[Listed]:
    busy = [listed(f"busy{number}", "s0:995") for number in range(5)]
    others = [
        listed(f"n{number}{extra}", f"s{number}:995") for number in range(1, sources) for extra in range(number % 3 + 1)
    ]
    return [*busy, *others] if sources <= BUSIEST else [*busy, *others, *busy]


def test_all_workers_hash_by_one_key(connection: psycopg.Connection) -> None:
    check_key(connection, b"key")
    check_key(connection, b"key")
    with pytest.raises(ConfigError, match="copy theirs"):
        check_key(connection, b"another")
    assert not any(b"key" in str(row).encode() for row in connection.execute("select * from fleet_key"))
