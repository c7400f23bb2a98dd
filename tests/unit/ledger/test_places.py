"""How far a mailbox was looked through, who the strangers in it are, and where its copies went."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from migrator.copy_records import Found, Lost, Relocated, Stranger
from migrator.ledger import Ledger
from migrator.ledger.copies import CopiesLedger, Judged
from migrator.model import CopyState, ImapLocator, Proof
from tests.mail import simple
from tests.unit.ledger.conftest import Place

KEY, OTHER = b"k" * 16, b"o" * 16


@pytest.fixture
def copies(place: Place) -> Iterator[CopiesLedger]:
    with closing(Ledger.open(place)) as ledger:
        yield ledger.copies("imap:ann@h/INBOX", "imap")


def store(copies: CopiesLedger, *places: ImapLocator) -> None:
    """Have a verified copy of another message at each place."""
    first = len(list(copies.all_copies()))
    messages = [simple(number) for number in range(first, first + len(places))]
    copies.found([Found(*one[:4], place) for one, place in zip(messages, places, strict=True)], [])
    copies.judged([Judged(copy.copy_id, CopyState.VERIFIED, Proof.EXACT) for copy in copies.to_be_read_back()], 1.0)


def uids(copies: CopiesLedger) -> list[int]:
    """The strangers that are remembered."""
    return sorted(one.uid for one in copies.strangers([KEY, OTHER], [(0, 1_000_000)]))


def test_what_was_seen_is_not_to_be_looked_at_again(copies: CopiesLedger) -> None:
    assert copies.seen_up_to(9) == 1
    copies.seen(9, 1, [Stranger(3, 10, KEY)])
    assert copies.seen_up_to(9) == 1
    copies.seen(9, 20, [])
    assert (copies.seen_up_to(9), uids(copies)) == (20, [3])


def test_copies_that_follow_without_a_gap_are_no_news(copies: CopiesLedger) -> None:
    store(copies, *(ImapLocator(9, uid) for uid in range(1, 6)))
    assert copies.seen_up_to(9) == 6
    copies.seen(9, 7, [Stranger(uid, 10, KEY) for uid in range(1, 7)])
    assert uids(copies) == [6]
    store(copies, ImapLocator(9, 7), ImapLocator(9, 8))
    assert copies.seen_up_to(9) == 9
    store(copies, ImapLocator(9, 11))
    assert copies.seen_up_to(9) == 7


def test_a_new_uid_validity_forgets_the_strangers_of_the_one_before(copies: CopiesLedger) -> None:
    copies.seen(9, 20, [Stranger(3, 10, KEY)])
    copies.seen(10, 1, [Stranger(4, 10, KEY)])
    copies.seen(10, 1, [Stranger(5, 10, KEY)])
    assert (copies.seen_up_to(9), copies.seen_up_to(10), uids(copies)) == (1, 1, [4, 5])


def test_strangers_are_asked_by_message_id_or_by_size_where_they_have_none(copies: CopiesLedger) -> None:
    named, other, small, large = (
        Stranger(1, 10, KEY),
        Stranger(2, 10, OTHER),
        Stranger(3, 10, b""),
        Stranger(4, 99, b""),
    )
    copies.seen(9, 5, [named, other, small, large])
    assert copies.strangers([KEY], []) == [named]
    assert copies.strangers([KEY, b""], [(10, 10), (5, 10)]) == [named, small]
    assert copies.strangers([], [(11, 99)]) == [large]
    copies.strangers_gone([1, 4])
    assert uids(copies) == [2, 3]


def test_a_stranger_that_turns_out_to_be_a_copy_is_none_any_more(copies: CopiesLedger) -> None:
    copies.seen(9, 5, [Stranger(1, 10, KEY), Stranger(2, 10, KEY)])
    store(copies, ImapLocator(9, 2))
    assert uids(copies) == [1]
    assert copies.unknown_uids(9, [3, 2, 1]) == [3, 1]
    assert copies.unknown_uids(8, [2]) == [2]


def test_copies_of_another_uid_validity_are_told_until_they_were_found_or_lost(copies: CopiesLedger) -> None:
    old = [ImapLocator(validity, uid) for validity in (3, 9) for uid in (1, 2)]
    store(copies, *old, ImapLocator(5, 1))
    first, second, third, fourth = copies.moved(5)
    assert [one.locator for one in (first, second, third, fourth)] == old
    assert (first.digest, first.proof, first.state) == (simple(0).digest, Proof.EXACT, CopyState.VERIFIED)
    copies.relocated([Relocated(first.copy_id, ImapLocator(5, 7)), Relocated(second.copy_id, ImapLocator(5, 1))])
    assert [one.copy_id for one in copies.moved(5)] == [second.copy_id, third.copy_id, fourth.copy_id]
    copies.lost([Lost(one.copy_id, one.locator, was_proven=True) for one in (first, third)])
    assert [one.copy_id for one in copies.moved(5)] == [second.copy_id, fourth.copy_id]
    states = {copy.copy_id: copy.state for copy in copies.all_copies()}
    assert (states[first.copy_id], states[third.copy_id]) == (CopyState.VERIFIED, CopyState.GONE)


def test_copies_may_be_relocated_while_they_are_told(copies: CopiesLedger) -> None:
    store(copies, *(ImapLocator(9, uid) for uid in range(1, 5_001)))
    told: list[int] = []
    for one in copies.moved(10):
        told.append(one.copy_id)
        if len(told) % 500 == 0:
            copies.relocated([Relocated(one.copy_id, ImapLocator(10, one.locator.uid + 3))])
    assert len(set(told)) == len(told) == 5_000


def test_a_place_where_only_gone_copies_are_known_has_none(copies: CopiesLedger) -> None:
    assert not copies.has_copies()
    store(copies, ImapLocator(9, 1))
    assert copies.has_copies()
    copies.lost([Lost(one.copy_id, one.locator, was_proven=True) for one in copies.moved(0)])
    assert not copies.has_copies()
