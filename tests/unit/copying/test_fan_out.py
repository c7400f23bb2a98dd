from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator.copying.copier import Copier, CopyResult
from migrator.copying.fan_out import CopyOutcomes, FanOut, Fetched
from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.message.spool import OctetBudget
from migrator.model import MessageNumber, MessageRow
from tests.mail import simple
from tests.memory_destination import MemoryDestination


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path)) as ledger:
        yield ledger


@pytest.fixture
def budget() -> OctetBudget:
    return OctetBudget(1000)


def fetched_batch(*numbers: int, charged: int = 100) -> list[Fetched]:
    return [Fetched(MessageNumber(n), MessageRow(n), simple(n), charged) for n in numbers]


def copiers(ledger: Ledger, *reader: MemoryDestination) -> list[Copier]:
    return [
        Copier(archive_folder, ledger.copies(archive_folder.identity, archive_folder.kind), clock=lambda: 7.0)
        for archive_folder in reader
    ]


def all_of(delivery: FanOut) -> list[CopyOutcomes]:
    found: list[CopyOutcomes] = []
    while not delivery.is_idle:
        delivery.wait(60)
        found += delivery.finished()
    return found


def test_each_destination_gets_everything_in_order(ledger: Ledger, budget: OctetBudget) -> None:
    reader = [MemoryDestination("one"), MemoryDestination("two")]
    with closing(FanOut(copiers(ledger, *reader), budget)) as delivery:
        delivery.submit(fetched_batch(1, 2))
        delivery.submit(fetched_batch(3))
        done = all_of(delivery)
    assert [one.fetched.row for one in done] == [1, 2, 3]
    assert all(one.outcomes == (CopyResult.COPIED, CopyResult.COPIED) and not one.errors for one in done)
    wanted = [b"".join(simple(n).body.chunks()) for n in (1, 2, 3)]
    assert [list(archive_folder.stored.values()) for archive_folder in reader] == [wanted, wanted]


def test_one_broken_destination_does_not_hold_up_the_other(ledger: Ledger, budget: OctetBudget) -> None:
    good, broken = (
        MemoryDestination("good"),
        MemoryDestination("broken", fails_with=FerryError(Kind.DISK_FULL, "no room")),
    )
    with closing(FanOut(copiers(ledger, good, broken), budget)) as delivery:
        delivery.submit(fetched_batch(1, 2))
        delivery.submit(fetched_batch(3))
        done = all_of(delivery)
        assert delivery.broken == {1: broken.fails_with}
        assert not delivery.is_stuck
    assert [one.errors for one in done] == [[(1, broken.fails_with)]] * 3
    assert all(one.is_copied for one in done)
    assert len(good.stored) == 3
    assert broken.calls == ["store 2"]  # it costs one time-out, not one per batch


def test_where_every_destination_is_broken_it_is_stuck(ledger: Ledger, budget: OctetBudget) -> None:
    failure = FerryError(Kind.CONNECT, "down")
    with closing(FanOut(copiers(ledger, MemoryDestination(fails_with=failure)), budget)) as delivery:
        delivery.submit(fetched_batch(1))
        assert [one.errors for one in all_of(delivery)] == [[(0, failure)]]
        assert delivery.is_stuck


def test_a_destination_known_to_be_broken_is_not_asked(ledger: Ledger, budget: OctetBudget) -> None:
    archive_folder, failure = MemoryDestination(), FerryError(Kind.ARCHIVE, "changed")
    with closing(FanOut(copiers(ledger, archive_folder), budget, {0: failure})) as delivery:
        delivery.submit(fetched_batch(1))
        assert all_of(delivery)[0].errors == [(0, failure)]
    assert archive_folder.calls == []


def test_the_budget_comes_back_when_all_destinations_are_done_also_where_they_failed(
    ledger: Ledger, budget: OctetBudget
) -> None:
    reader = [
        MemoryDestination("one", refuses={simple(1).digest}),
        MemoryDestination("two", fails_with=FerryError(Kind.CONNECT, "down")),
    ]
    assert budget.take(200)
    with closing(FanOut(copiers(ledger, *reader), budget)) as delivery:
        delivery.submit(fetched_batch(1, 2))
        all_of(delivery)
    assert budget.take(1000)


def test_a_refused_message_is_an_error_of_its_own(ledger: Ledger, budget: OctetBudget) -> None:
    with closing(FanOut(copiers(ledger, MemoryDestination(refuses={simple(2).digest})), budget)) as delivery:
        delivery.submit(fetched_batch(1, 2, 3))
        done = all_of(delivery)
        assert [bool(one.errors) for one in done] == [False, True, False]
        assert delivery.broken == {}


def test_nothing_submitted_is_nothing_under_way(ledger: Ledger, budget: OctetBudget) -> None:
    with closing(FanOut(copiers(ledger, MemoryDestination()), budget)) as delivery:
        delivery.submit([])
        delivery.wait(0)
        assert (delivery.is_idle, delivery.has_finished, delivery.finished()) == (True, False, [])


def test_what_has_ended_is_handed_back_at_once(ledger: Ledger, budget: OctetBudget) -> None:
    """Several batches that are done are one to whoever writes them down."""
    with closing(FanOut(copiers(ledger, MemoryDestination()), budget)) as delivery:
        for number in (1, 2, 3):
            delivery.submit(fetched_batch(number))
        delivery.ask(0, lambda copier: copier.verify_again([]))  # it is answered behind them
        assert [one.fetched.row for one in delivery.finished()] == [1, 2, 3]
        assert delivery.is_idle
        assert delivery.finished() == []


def test_a_question_is_answered_behind_what_was_submitted_before(ledger: Ledger, budget: OctetBudget) -> None:
    archive_folder = MemoryDestination()
    with closing(FanOut(copiers(ledger, archive_folder), budget)) as delivery:
        delivery.submit(fetched_batch(1, 2))
        assert delivery.ask(0, lambda copier: copier.verify_again([simple(2).digest])) == {simple(2).digest: None}


def test_closing_waits_for_what_is_under_way(ledger: Ledger, budget: OctetBudget) -> None:
    archive_folder = MemoryDestination()
    delivery = FanOut(copiers(ledger, archive_folder), budget)
    delivery.submit(fetched_batch(1, 2, 3))
    delivery.close()
    assert len(archive_folder.stored) == 3
