"""How many connections a server gets: what is learned from refusals, who waits, and who asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from migrator.errors import Advice, Endpoint, FerryError, Kind
from migrator.run.host_limits import MOST, RISE, TOPIC, HostDownError, HostLimits, is_refusal
from tests.rig import ShortPauses

PLACE = Endpoint("pop.example.org", 995)
HOST = str(PLACE)


@dataclass
class Memory:
    facts: dict[tuple[str, str], dict[str, object]] = field(default_factory=dict)

    def get_all(self, topic: str) -> dict[str, dict[str, object]]:
        return {name: fact for (of, name), fact in self.facts.items() if of == topic}

    def put(self, topic: str, name: str, fact: Mapping[str, object]) -> None:
        self.facts[topic, name] = dict(fact)

    def delete(self, topic: str, name: str) -> None:
        self.facts.pop((topic, name), None)


@dataclass
class Server:
    """Lets so many in at one time, and hangs up on all others."""

    most: int
    inside: int = 0
    tried: int = 0
    at_most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self) -> None:
        with self.lock:
            self.tried += 1
            if self.inside >= self.most:
                raise FerryError(Kind.CONNECT, "hung up")
            self.inside += 1
            self.at_most = max(self.at_most, self.inside)

    def close(self) -> None:
        with self.lock:
            self.inside -= 1


def visit(hosts: HostLimits, server: Server, meanwhile: Callable[[], None] = lambda: None) -> str:
    with hosts.place(PLACE, ShortPauses()) as place:
        try:
            place.open(server.open)
        except FerryError as error:
            return type(error).__name__
        meanwhile()
        server.close()
    return "in"


def stay() -> None:
    """Give the others time to come, too."""
    ShortPauses().wait(0.01)


def crowd(hosts: HostLimits, server: Server, count: int) -> list[str]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: visit(hosts, server, stay), range(count)))


def test_all_get_in_where_the_server_takes_few_at_one_time() -> None:
    hosts, server = HostLimits(), Server(4)
    assert crowd(hosts, server, 12) == ["in"] * 12


def test_a_server_that_lets_nobody_in_is_asked_by_one_at_a_time_and_the_others_hear_of_it() -> None:
    hosts, server = HostLimits(), Server(0)
    heard = crowd(hosts, server, 12)
    assert set(heard) == {"FerryError", "HostDownError"}
    assert server.tried <= MOST + 3


def test_who_asks_alone_is_told_at_once() -> None:
    hosts, server = HostLimits(), Server(0)
    assert [visit(hosts, server) for _ in range(4)] == ["FerryError"] * 3 + ["HostDownError"]
    assert server.tried == 3


def test_what_others_heard_says_what_it_was_and_is_no_matter_for_ever() -> None:
    hosts = HostLimits()

    def refuse() -> None:
        raise FerryError(Kind.CONNECT, "hung up", advice=Advice.NEVER, endpoint=PLACE, finding="host-unreachable")

    for _ in range(3):
        with pytest.raises(FerryError), hosts.place(PLACE, ShortPauses()) as place:
            place.open(refuse)
    with pytest.raises(HostDownError) as caught, hosts.place(PLACE, ShortPauses()) as place:
        place.open(refuse)
    assert (caught.value.finding, caught.value.endpoint, caught.value.advice) == (
        "host-unreachable",
        PLACE,
        Advice.LATER,
    )


def test_a_wrong_password_says_nothing_of_the_server() -> None:
    hosts = HostLimits()

    def refuse() -> None:
        raise FerryError(Kind.AUTH, "wrong")

    for _ in range(5):
        with pytest.raises(FerryError, match="wrong"), hosts.place(PLACE, ShortPauses()) as place:
            place.open(refuse)
    assert hosts.bound(HOST) == MOST


def learned(store: Memory, now: float) -> HostLimits:
    """Let a server refuse the third while two are inside."""
    hosts, server, stop = HostLimits(store=store, wall_clock=lambda: now), Server(2), ShortPauses()
    with hosts.place(PLACE, stop) as one, hosts.place(PLACE, stop) as two:
        one.open(server.open)
        two.open(server.open)
        with ThreadPoolExecutor(1) as pool:
            third = pool.submit(visit, hosts, server)
            while server.tried < 3:
                stop.wait(0.001)
            server.close()
            one.leave()
            assert third.result() == "in"
    return hosts


def test_a_refusal_while_others_are_inside_is_learned_and_kept() -> None:
    store = Memory()
    assert learned(store, 1000.0).bound(HOST) == 2
    assert store.facts == {(TOPIC, HOST): {"bound": 2, "at": 1000.0}}
    assert HostLimits(store=store, wall_clock=lambda: 1001.0).bound(HOST) == 2


@pytest.mark.parametrize(
    ("later", "bound"),
    [(0.0, 2), (RISE - 1, 2), (RISE, 3), (3 * RISE, 5), (100 * RISE, MOST), (-5 * RISE, 2)],
)
def test_what_was_learned_is_tried_again_slowly(later: float, bound: int) -> None:
    store = Memory({(TOPIC, HOST): {"bound": 2, "at": 1000.0}})
    assert HostLimits(store=store, wall_clock=lambda: 1000.0 + later).bound(HOST) == bound


def test_one_refusal_within_what_was_learned_may_be_chance() -> None:
    store = Memory({(TOPIC, HOST): {"bound": 4, "at": time.time()}})
    hosts, server = HostLimits(store=store), Server(4)
    assert crowd(hosts, server, 12) == ["in"] * 12
    server.most = 3
    assert crowd(hosts, server, 12) == ["in"] * 12


def test_a_person_may_allow_fewer() -> None:
    hosts, server = HostLimits({HOST: 2}), Server(9)
    assert crowd(hosts, server, 12) == ["in"] * 12
    assert server.at_most == 2
    assert server.tried == 12


def test_a_place_that_is_held_counts_from_the_start_and_is_given_back() -> None:
    hosts, stop = HostLimits({HOST: 1}), ShortPauses()
    assert hosts.has_room(HOST)
    with hosts.place(PLACE, stop) as place:
        place.hold()
        assert not hosts.has_room(HOST)
    assert hosts.has_room(HOST)


def test_who_waits_is_stopped_by_a_person_and_heard_by_the_watchdog() -> None:
    hosts, stop = HostLimits({HOST: 1}), threading.Event()
    with hosts.place(PLACE, stop) as place:
        place.hold()
        with pytest.raises(FerryError, match="interrupted"), hosts.place(PLACE, stop, stop.set) as other:
            other.open(lambda: None)


def test_what_is_no_error_of_ours_gives_the_place_back() -> None:
    hosts = HostLimits({HOST: 1})

    def defect() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), hosts.place(PLACE, ShortPauses()) as place:
        place.open(defect)
    assert hosts.has_room(HOST)


@pytest.mark.parametrize(
    ("kind", "words", "is_one"),
    [
        (Kind.CONNECT, "", True),
        (Kind.TEMPORARY, "Too many connections from your IP", True),
        (Kind.LOGIN_DELAY, "[SYS/TEMP] too many concurrent sessions", True),
        (Kind.REFUSED, "Maximum number of connections from user+IP exceeded", True),
        (Kind.TEMPORARY, "connection limit reached", True),
        (Kind.TEMPORARY, "try again later", False),
        (Kind.AUTH, "too many connections", False),
        (Kind.TIMEOUT, "", False),
    ],
)
def test_what_counts_as_turned_away(kind: Kind, words: str, is_one: bool) -> None:
    assert is_refusal(FerryError(kind, "no", server_words=words)) is is_one


def test_who_is_turned_away_at_a_place_that_is_held_teaches_how_many_fit() -> None:
    store = Memory()
    hosts, stop = HostLimits(store=store), ShortPauses()
    with hosts.place(PLACE, stop) as one, hosts.place(PLACE, stop) as two, hosts.place(PLACE, stop) as three:
        assert not three.turned_away()  # it holds none
        one.hold()
        assert not one.turned_away()  # nobody else is there: it is not for their sake
        two.hold()
        three.hold()
        assert three.turned_away()
        assert hosts.bound(HOST) == 2
    assert store.facts[TOPIC, HOST]["bound"] == 2


def test_who_waited_for_a_place_gets_it_when_one_leaves() -> None:
    hosts, stop = HostLimits({HOST: 1}), ShortPauses()
    waiting = threading.Event()
    with hosts.place(PLACE, stop) as one, ThreadPoolExecutor(1) as pool:
        one.hold()

        def second() -> bool:
            with hosts.place(PLACE, stop, waiting.set) as place:
                place.hold()
                return True

        done = pool.submit(second)
        assert waiting.wait(60)
        one.leave()
        assert done.result()
