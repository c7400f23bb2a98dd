"""The threads beside the runs: the outbox, the pings, the upkeep, and the notes they share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from jobs.alerting.channels import Channel
from jobs.alerting.heartbeat import TRIES, Ping, Pinger
from jobs.alerting.notification import Notification
from jobs.alerting.outbox import KEPT_SECONDS, Outbox
from jobs.maintenance.upkeep import (
    MOST_TRIES,
    PARTS,
    RETRY_SECONDS,
    Round,
    Slice,
    StoppedError,
    Upkeep,
    completed,
    pause_after,
)
from jobs.schedule.state_store import BufferedStateStore
from migrator.config.secrets import TextSecret
from migrator.errors import FerryError, Kind
from tests.unit.jobs.office import MemoryStateStore

NOTE = Notification("title", "body\n")
DAY = 86_400.0


@dataclass
class Way:
    name: str
    taken: list[Notification] = field(default_factory=list)
    is_broken: bool = False

    def send(self, notification: Notification) -> None:
        if self.is_broken:
            raise FerryError(Kind.CONNECT, "no answer")
        self.taken.append(notification)

    def probe(self) -> None:
        if self.is_broken:
            raise FerryError(Kind.CONNECT, "no answer")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def outbox(store: MemoryStateStore, *ways: Way, clock: Clock | None = None) -> Outbox:
    listed: list[Channel] = list(ways)
    return Outbox(store, lambda: listed, clock or Clock())


def test_a_note_is_delivered_on_every_way_once() -> None:
    store, mail, chat = MemoryStateStore(), Way("mail"), Way("chat")
    box = outbox(store, mail, chat)
    box.put(NOTE)
    assert box.deliver()
    assert box.deliver()
    assert (mail.taken, chat.taken) == ([NOTE], [NOTE])


def test_a_way_that_fails_is_tried_again_alone_in_the_next_life_too() -> None:
    store, mail, chat = MemoryStateStore(), Way("mail"), Way("chat", is_broken=True)
    box = outbox(store, mail, chat)
    box.put(NOTE)
    assert not box.deliver()
    chat.is_broken = False
    assert outbox(store, mail, chat).deliver()
    assert (mail.taken, chat.taken) == ([NOTE], [NOTE])
    assert store.get_all("outbox") == {}


def test_a_note_that_nobody_takes_is_given_up_after_days() -> None:
    store, clock = MemoryStateStore(), Clock()
    box = outbox(store, Way("mail", is_broken=True), clock=clock)
    box.put(NOTE)
    clock.now += KEPT_SECONDS - 1
    assert not box.deliver()
    clock.now += 2
    assert box.deliver()
    assert store.get_all("outbox") == {}


def test_without_a_way_nothing_is_kept() -> None:
    store = MemoryStateStore()
    outbox(store).put(NOTE)
    assert store.get_all("outbox") == {}


def test_the_thread_delivers_what_is_put() -> None:
    arrived = threading.Event()

    class Ringing(Way):
        def send(self, notification: Notification) -> None:
            arrived.set()

    box = outbox(MemoryStateStore(), Ringing("mail"))
    box.start()
    box.put(NOTE)
    assert arrived.wait(30)
    assert box.stop(30)


URL = TextSecret("https://hc.example.org/ping/5f3c-hunter2/")


def test_a_ping_says_start_success_or_fail_with_its_run() -> None:
    addresses = [Ping(URL, suffix, "rid-1", "ann").address() for suffix in ("start", "", "fail")]
    base = "https://hc.example.org/ping/5f3c-hunter2"
    assert addresses == [f"{base}/start?rid=rid-1", f"{base}?rid=rid-1", f"{base}/fail?rid=rid-1"]
    assert Ping(URL, "", "", "").address() == base


def test_pings_arrive_in_order() -> None:
    calls: list[str] = []
    pinger = Pinger(calls.append)
    for suffix in ("start", "fail"):
        pinger.send(Ping(URL, suffix, "", "ann"))
    pinger.start()
    assert pinger.stop(30)
    assert [call.rpartition("/")[2] for call in calls] == ["start", "fail"]


def test_a_ping_that_fails_is_tried_a_few_times_and_its_url_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []

    def call(address: str) -> None:
        calls.append(address)
        raise OSError(f"cannot reach {address}")

    with caplog.at_level("INFO", "jobs"):
        Pinger(call, pause=0.0).deliver(Ping(URL, "start", "", "ann"))
    assert len(calls) == TRIES
    assert [record.message for record in caplog.records] == ["worker.ping.failed"]
    assert "hunter2" not in str(caplog.records[0].__dict__)


class Full(MemoryStateStore):
    """A ledger on a full disk."""

    is_full = True

    def put(self, topic: str, name: str, fact: Mapping[str, object]) -> None:
        if self.is_full:
            raise FerryError(Kind.DISK_FULL, "there is no room")
        super().put(topic, name, fact)

    def delete(self, topic: str, name: str) -> None:
        if self.is_full:
            raise FerryError(Kind.DISK_FULL, "there is no room")
        super().delete(topic, name)


def test_what_cannot_be_noted_now_is_noted_later() -> None:
    durable = Full()
    store = BufferedStateStore(durable)
    store.put("a", "x", {"n": 1})
    store.put("a", "y", {"n": 2})
    store.delete("a", "y")
    assert store.problem == "there is no room"
    assert store.get_all("a") == {"x": {"n": 1}}
    durable.is_full = False
    store.catch_up()
    assert store.problem == ""
    assert durable.get_all("a") == {"x": {"n": 1}}


@dataclass
class Archive:
    """Plays ``migrator.archive``: tells which parts were verified."""

    clock: Clock
    parts: list[int] = field(default_factory=list)
    answer: Slice | Exception = field(default_factory=lambda: Slice(10, 0))
    indexed: int = 0

    def verify(self, part: int, parts: int, should_stop: Callable[[], bool]) -> Slice:
        assert parts == PARTS
        assert not should_stop()
        self.parts.append(part)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def index(self) -> None:
        self.indexed += 1


def upkeep(archive: Archive, store: MemoryStateStore, names: tuple[str, ...] = ("ann", "bob")) -> Upkeep:
    return Upkeep(
        store,
        names=lambda: names,
        verify_every=lambda: 30 * DAY,
        verify=archive.verify,
        index=archive.index,
        clock=archive.clock,
    )


def test_every_part_is_verified_once_in_a_period() -> None:
    clock, store = Clock(), MemoryStateStore()
    archive = Archive(clock)
    quiet = upkeep(archive, store)
    begun = clock.now
    while clock.now < begun + 30 * DAY - 3600:
        quiet.verify_once()
        clock.now += 600
    assert archive.parts == list(range(PARTS))
    assert set(completed(store)) == {"ann", "bob"}
    assert begun + 29 * DAY < completed(store)["ann"] < begun + 30 * DAY


def test_a_verification_goes_on_where_an_earlier_life_ended() -> None:
    clock, store = Clock(), MemoryStateStore()
    first = Archive(clock)
    for _ in range(3):
        upkeep(first, store).verify_once()
        clock.now += 4 * 3600
    second = Archive(clock)
    upkeep(second, store).verify_once()
    assert (first.parts, second.parts) == ([0, 1, 2], [3])


def test_what_was_missed_while_the_machine_was_off_is_caught_up() -> None:
    clock, store = Clock(), MemoryStateStore()
    archive = Archive(clock)
    upkeep(archive, store).verify_once()
    clock.now += 10 * DAY
    for _ in range(100):
        upkeep(archive, store).verify_once()
        clock.now += 60
    assert len(archive.parts) == 81


def test_a_slice_that_was_told_to_stop_is_done_again() -> None:
    clock, store = Clock(), MemoryStateStore()
    archive = Archive(clock, answer=StoppedError())
    for _ in range(2):
        upkeep(archive, store).verify_once()
    assert archive.parts == [0, 0]


def test_a_destination_that_stays_away_delays_no_other_for_ever() -> None:
    clock, store = Clock(), MemoryStateStore()
    archive = Archive(clock, answer=Slice(10, 0, frozenset({"bob"})))
    quiet = upkeep(archive, store)
    for _ in range(MOST_TRIES):
        quiet.verify_once()
        quiet.verify_once()  # not before a while has passed
        clock.now += RETRY_SECONDS
    assert archive.parts == [0] * MOST_TRIES
    archive.answer = Slice(10, 0)
    clock.now += 40 * DAY
    for _ in range(PARTS):
        quiet.verify_once()
    assert set(completed(store)) == {"ann"}


def test_a_failure_of_the_whole_slice_is_an_unreachable_archive() -> None:
    clock, store = Clock(), MemoryStateStore()
    archive = Archive(clock, answer=FerryError(Kind.ARCHIVE, "the folder is gone"))
    upkeep(archive, store).verify_once()
    assert Round.from_fact(store.get_all("verification")["whole"]).tries == 1


def test_new_mail_is_indexed_without_waiting() -> None:
    archive = Archive(Clock())
    indexed = threading.Event()
    archive.index = indexed.set  # type: ignore[method-assign]  # told when it happens
    quiet = upkeep(archive, MemoryStateStore())
    quiet.start()
    assert indexed.wait(30)
    indexed.clear()
    quiet.has_news()
    assert indexed.wait(30)
    assert quiet.stop(30)


def test_news_that_never_ends_leaves_most_of_the_time_to_the_runs() -> None:
    archive = Archive(Clock())
    indexed = threading.Event()

    def index() -> None:
        archive.indexed += 1
        indexed.set()

    quiet = Upkeep(
        MemoryStateStore(),
        names=lambda: (),
        verify_every=lambda: 30 * DAY,
        verify=archive.verify,
        index=index,
        clock=archive.clock,
        stopwatch=iter([0.0, 3.0]).__next__,
    )
    quiet.start()
    assert indexed.wait(30)
    quiet.has_news()
    assert quiet.stop(10)  # the pause of half a minute ends at once
    assert archive.indexed == 1


@pytest.mark.parametrize(("indexing", "pause"), [(0.0, 0.0), (0.05, 0.5), (3.0, 30.0), (3600.0, 60.0)])
def test_indexing_is_followed_by_a_pause_of_ten_times_its_time_up_to_a_minute(indexing: float, pause: float) -> None:
    assert pause_after(indexing) == pause
