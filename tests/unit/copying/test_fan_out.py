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
from tests.unit.shelf import ArchiveFolder, simple


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path)) as ledger:
        yield ledger


@pytest.fixture
def budget() -> OctetBudget:
    return OctetBudget(1000)


def parcels(*numbers: int, charged: int = 100) -> list[Fetched]:
    return [Fetched(MessageNumber(n), MessageRow(n), simple(n), charged) for n in numbers]


def carriers(ledger: Ledger, *shelves: ArchiveFolder) -> list[Copier]:
    return [Copier(shelf, ledger.copies(shelf.identity, shelf.kind), clock=lambda: 7.0) for shelf in shelves]


def all_of(delivery: FanOut) -> list[CopyOutcomes]:
    found: list[CopyOutcomes] = []
    while not delivery.is_idle:
        delivery.wait(60)
        found += [one for batch in delivery.finished() for one in batch]
    return found


def test_each_destination_gets_everything_in_order(ledger: Ledger, budget: OctetBudget) -> None:
    shelves = [ArchiveFolder("one"), ArchiveFolder("two")]
    with closing(FanOut(carriers(ledger, *shelves), budget)) as delivery:
        delivery.submit(parcels(1, 2))
        delivery.submit(parcels(3))
        done = all_of(delivery)
    assert [one.parcel.row for one in done] == [1, 2, 3]
    assert all(one.outcomes == (CopyResult.COPIED, CopyResult.COPIED) and not one.errors for one in done)
    wanted = [b"".join(simple(n).body.chunks()) for n in (1, 2, 3)]
    assert [list(shelf.stored.values()) for shelf in shelves] == [wanted, wanted]


def test_one_broken_destination_does_not_hold_up_the_other(ledger: Ledger, budget: OctetBudget) -> None:
    good, broken = ArchiveFolder("good"), ArchiveFolder("broken", fails_with=FerryError(Kind.DISK_FULL, "no room"))
    with closing(FanOut(carriers(ledger, good, broken), budget)) as delivery:
        delivery.submit(parcels(1, 2))
        delivery.submit(parcels(3))
        done = all_of(delivery)
        assert delivery.broken == {1: broken.fails_with}
        assert not delivery.is_stuck
    assert [one.errors for one in done] == [[(1, broken.fails_with)]] * 3
    assert all(one.is_copied for one in done)
    assert len(good.stored) == 3
    assert broken.calls == ["store 2"]  # it costs one time-out, not one per batch


def test_where_every_destination_is_broken_it_is_stuck(ledger: Ledger, budget: OctetBudget) -> None:
    failure = FerryError(Kind.CONNECT, "down")
    with closing(FanOut(carriers(ledger, ArchiveFolder(fails_with=failure)), budget)) as delivery:
        delivery.submit(parcels(1))
        assert [one.errors for one in all_of(delivery)] == [[(0, failure)]]
        assert delivery.is_stuck


def test_a_destination_known_to_be_broken_is_not_asked(ledger: Ledger, budget: OctetBudget) -> None:
    shelf, failure = ArchiveFolder(), FerryError(Kind.ARCHIVE, "changed")
    with closing(FanOut(carriers(ledger, shelf), budget, {0: failure})) as delivery:
        delivery.submit(parcels(1))
        assert all_of(delivery)[0].errors == [(0, failure)]
    assert shelf.calls == []


def test_the_budget_comes_back_when_all_destinations_are_done_also_where_they_failed(
    ledger: Ledger, budget: OctetBudget
) -> None:
    shelves = [
        ArchiveFolder("one", refuses={simple(1).digest}),
        ArchiveFolder("two", fails_with=FerryError(Kind.CONNECT, "down")),
    ]
    assert budget.take(200)
    with closing(FanOut(carriers(ledger, *shelves), budget)) as delivery:
        delivery.submit(parcels(1, 2))
        all_of(delivery)
    assert budget.take(1000)


def test_a_refused_message_is_an_error_of_its_own(ledger: Ledger, budget: OctetBudget) -> None:
    with closing(FanOut(carriers(ledger, ArchiveFolder(refuses={simple(2).digest})), budget)) as delivery:
        delivery.submit(parcels(1, 2, 3))
        done = all_of(delivery)
        assert [bool(one.errors) for one in done] == [False, True, False]
        assert delivery.broken == {}


def test_nothing_submitted_is_nothing_under_way(ledger: Ledger, budget: OctetBudget) -> None:
    with closing(FanOut(carriers(ledger, ArchiveFolder()), budget)) as delivery:
        delivery.submit([])
        delivery.wait(0)
        assert (delivery.is_idle, delivery.has_finished, list(delivery.finished())) == (True, False, [])


def test_a_question_is_answered_behind_what_was_submitted_before(ledger: Ledger, budget: OctetBudget) -> None:
    shelf = ArchiveFolder()
    with closing(FanOut(carriers(ledger, shelf), budget)) as delivery:
        delivery.submit(parcels(1, 2))
        assert delivery.ask(0, lambda carrier: carrier.reprove([simple(2).digest])) == {simple(2).digest: None}


def test_closing_waits_for_what_is_under_way(ledger: Ledger, budget: OctetBudget) -> None:
    shelf = ArchiveFolder()
    delivery = FanOut(carriers(ledger, shelf), budget)
    delivery.submit(parcels(1, 2, 3))
    delivery.close()
    assert len(shelf.stored) == 3
