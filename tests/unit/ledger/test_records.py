"""The copies in the volumes of an archive, as they are read for a check: all of them, in order, in parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from migrator.copy_records import Found, PlacedRecord, VolumeRecord
from migrator.ledger import Ledger, volumes
from migrator.ledger.copies import CopiesLedger, Judged
from migrator.model import CopyState, MboxLocator, Proof
from tests.mail import simple
from tests.unit.ledger.conftest import Place


@pytest.fixture
def copies(place: Place) -> Iterator[CopiesLedger]:
    with closing(Ledger.open(place)) as ledger:
        ledger.copies("mbox:/other", "mbox").found(
            [Found(*simple(99)[:4], MboxLocator("a.mbox", 0, 10, 1))], [VolumeRecord("a.mbox", 10, b"", "")]
        )
        yield ledger.copies("mbox:/archive", "mbox")


def store(copies: CopiesLedger) -> None:
    """Have seven copies in two volumes, noted in another order than that in which they stand."""
    places = [MboxLocator("b.mbox", 0, 50, 7), *(MboxLocator("a.mbox", 100 * at, 100, at) for at in (3, 1, 0, 2, 5, 4))]
    found = [Found(*simple(number)[:4], place) for number, place in enumerate(places)]
    copies.found(found, [VolumeRecord("a.mbox", 600, b"", ""), VolumeRecord("b.mbox", 50, b"", "")])


@pytest.mark.parametrize("part", [1, 2, 6, 100])
def test_every_copy_in_a_volume_is_read_once_in_its_order(
    part: int, copies: CopiesLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "_PART", part)
    store(copies)
    parts = list(copies.records())
    assert max(len(records) for _, records in parts) <= part
    told = [(name, record.offset, record.frame_crc) for name, records in parts for record in records]
    assert told == [("a.mbox", 100 * at, at) for at in range(6)] + [("b.mbox", 0, 7)]
    assert list(copies.copies_outside_volumes()) == []


def test_a_record_says_what_a_copy_does(copies: CopiesLedger) -> None:
    store(copies)
    first, second, third, *_ = (copy.copy_id for copy in copies.all_copies())
    copies.judged([Judged(first, CopyState.VERIFIED, Proof.EXACT), Judged(second, CopyState.DAMAGED, Proof.NONE)], 5.0)
    records = {record.copy_id: record for _, part in copies.records() for record in part}
    for copy in copies.all_copies():
        assert isinstance(copy.locator, MboxLocator)
        place = (copy.locator.offset, copy.locator.length, copy.locator.frame_crc)
        is_proven = copy.copy_id == first
        record = PlacedRecord(copy.copy_id, copy.digest, copy.octets, *place, is_proven, copy.verified_at)
        assert records.pop(copy.copy_id) == record
    assert records == {}
    assert [copy.copy_id for copy in copies.numbered([third, first])] == [first, third]
    assert copies.numbered([]) == []
