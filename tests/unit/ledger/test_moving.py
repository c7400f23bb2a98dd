"""Destinations under another name: what is known of both becomes what is known of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from migrator.copy_records import MboxAnchor, VolumeRecord
from migrator.ledger import Ledger
from migrator.ledger.copies import Judged
from migrator.model import CopyState, MboxLocator, Proof
from tests.mail import simple
from tests.unit.ledger.conftest import Place

OLD, NEW = "mbox:/old", "mbox:/new"


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    with closing(Ledger.open(place)) as ledger:
        yield ledger


def hold(ledger: Ledger, identity: str, numbers: range, volume: str = "1.mbox") -> None:
    """Have messages proven in a volume of a destination; each is 100 bytes long."""
    copies = ledger.copies(identity, "mbox")
    messages = [(simple(number), b"") for number in numbers]
    ids = copies.intended(MboxAnchor(volume, 0), messages, 1.0)
    stored = [(ids[simple(n).digest], MboxLocator(volume, 100 * n, 100, 1)) for n in numbers]
    copies.stored(stored, [VolumeRecord(volume, 100 * numbers.stop, b"tail", f"stamp of {identity}")])
    copies.judged([Judged(number, CopyState.VERIFIED, Proof.EXACT) for number, _ in stored], 1.0)


def places(ledger: Ledger, identity: str) -> dict[bytes, object]:
    return {copy.digest: copy.locator for copy in ledger.copies(identity, "mbox").all_copies()}


def test_a_new_name_takes_all_along_and_nothing_is_to_be_read_again(ledger: Ledger) -> None:
    hold(ledger, OLD, range(3))
    before = ledger.copies(OLD, "mbox").recollection().volumes, places(ledger, OLD)
    assert ledger.moves.moved(ledger.moves.known()[OLD], NEW) == 3
    assert ledger.moves.known().keys() == {NEW}
    assert (ledger.copies(NEW, "mbox").recollection().volumes, places(ledger, NEW)) == before


def test_two_that_are_one_become_one_and_what_both_know_stays_as_the_new_one_has_it(ledger: Ledger) -> None:
    hold(ledger, OLD, range(4))
    hold(ledger, OLD, range(10, 12), volume="2.mbox")
    hold(ledger, NEW, range(2, 6))
    assert ledger.moves.moved(ledger.moves.known()[OLD], NEW) == 4
    assert len(places(ledger, NEW)) == 8
    assert {place.volume for place in places(ledger, NEW).values() if isinstance(place, MboxLocator)} == {
        "1.mbox",
        "2.mbox",
    }
    volumes = {one.name: one.stamp for one in ledger.copies(NEW, "mbox").recollection().volumes}
    assert volumes == {"1.mbox": f"stamp of {NEW}", "2.mbox": f"stamp of {OLD}"}
    assert ledger.integrity_problems() == []


@pytest.mark.parametrize(("intending", "holding"), [(OLD, NEW), (NEW, OLD)])
def test_what_is_only_intended_in_one_gives_way_to_what_stands_in_the_other(
    ledger: Ledger, intending: str, holding: str
) -> None:
    hold(ledger, holding, range(1))
    ledger.copies(intending, "mbox").intended(MboxAnchor("1.mbox", 0), [(simple(0), b""), (simple(1), b"")], 1.0)
    ledger.moves.moved(ledger.moves.known()[OLD], NEW)
    copies = ledger.copies(NEW, "mbox")
    assert [copy.digest for copy in copies.all_copies()] == [simple(0).digest]
    [intent] = copies.recollection().intents
    assert [message.digest for message in intent.messages] == [simple(1).digest]
    copies.intents_resolved()
    assert ledger.integrity_problems() == []


def test_the_former_name_leads_to_the_same_until_it_is_forgotten(ledger: Ledger) -> None:
    hold(ledger, OLD, range(3))
    ledger.moves.moved(ledger.moves.known()[OLD], NEW)
    assert ledger.moves.is_known_as(OLD, NEW)
    assert ledger.copies(OLD, "mbox").copies_known() == 3
    ledger.moves.moved(ledger.moves.known()[NEW], "mbox:/newest")
    assert ledger.moves.former_names() == {OLD: "mbox:/newest", NEW: "mbox:/newest"}
    ledger.moves.forget_former_name(OLD)
    assert ledger.copies(OLD, "mbox").copies_known() == 0


def test_there_and_back_again_is_as_it_was(ledger: Ledger) -> None:
    hold(ledger, OLD, range(3))
    ledger.moves.moved(ledger.moves.known()[OLD], NEW)
    ledger.moves.moved(ledger.moves.known()[NEW], OLD)
    assert ledger.moves.former_names() == {NEW: OLD}
    assert ledger.copies(OLD, "mbox").copies_known() == 3
