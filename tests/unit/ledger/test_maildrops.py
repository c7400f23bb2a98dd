from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from migrator.copy_records import MaildirAnchor
from migrator.errors import FerryError
from migrator.ledger import FILE_NAME, Ledger
from migrator.ledger.copies import CopiesLedger, Judged
from migrator.ledger.maildrops import MaildropLedger
from migrator.model import (
    CopyState,
    Digest,
    KnownMessage,
    ListedMessage,
    MaildirLocator,
    MessageNumber,
    MessageRow,
    Proof,
    UniqueId,
)
from migrator.policy import WhenCopyIsGone
from tests.mail import simple
from tests.unit.ledger.conftest import Place

Lines = Sequence[tuple[bytes, int]]
"""A listing: unique-ids and octets, in the order of the message numbers."""


KEEP = WhenCopyIsGone.KEEP


class Book:
    """A ledger with one account and one destination."""

    def __init__(self, ledger: Ledger, host: str = "h") -> None:
        self.ledger = ledger
        self.drop: MaildropLedger = ledger.maildrop("alice", host, 995, "u")
        self.copies: CopiesLedger = ledger.copies("shelf", "maildir")

    def match(self, lines: Lines) -> int:
        """Hold a listing against what is known; returns how many are unknown."""
        listing = [ListedMessage(MessageNumber(n), UniqueId(uid), size) for n, (uid, size) in enumerate(lines, 1)]
        return self.drop.match(listing)

    def note(self, lines: Lines, now: float = 1.0) -> list[MessageRow]:
        self.match(lines)
        return self.drop.note(now)

    def listed(self) -> list[KnownMessage]:
        return list(self.drop.listed({self.copies.destination_id: WhenCopyIsGone.KEEP}))

    def store(self, *numbers: int) -> None:
        """Have a proven copy of these messages in the destination."""
        messages = [simple(number) for number in numbers]
        ids = self.copies.intended(MaildirAnchor(""), [(message, b"") for message in messages], 1.0)
        self.copies.stored(
            [(ids[message.digest], MaildirLocator(f"f{n}")) for n, message in zip(numbers, messages, strict=True)], []
        )
        self.copies.judged([Judged(copy_id, CopyState.VERIFIED, Proof.EXACT) for copy_id in ids.values()], 1.0)

    def copied(self, *pairs: tuple[int, int], now: float = 2.0) -> None:
        """Note that the message of this row (first) has the content of this number (second), proven."""
        self.drop.copied([(MessageRow(row), simple(number).digest) for row, number in pairs], now)


@pytest.fixture
def book(ledger: Ledger) -> Book:
    return Book(ledger)


def test_what_was_listed_is_known_by_unique_id_and_octets(book: Book) -> None:
    book.note([(b"a", 10), (b"b", 20)])
    assert book.match([(b"a", 10), (b"b", 20)]) == 0
    assert book.match([(b"b", 20), (b"a", 10)]) == 0
    assert book.match([(b"a", 11), (b"b", 20), (b"c", 30)]) == 2


def test_a_long_listing_comes_whole_and_holds_up_no_other_thread_meanwhile(book: Book) -> None:
    lines = [(b"%d" % number, number) for number in range(1, 4_502)]
    book.note(lines)
    listed = book.drop.listed({book.copies.destination_id: WhenCopyIsGone.KEEP})
    first = next(listed)
    with ThreadPoolExecutor(1) as another_thread:
        assert another_thread.submit(book.drop.unique_ids, [first.row]).result(60) == {first.row: b"1"}
    assert [first.octets, *(message.octets for message in listed)] == [octets for _, octets in lines]


def test_a_message_keeps_its_row_wherever_it_stands(book: Book) -> None:
    book.note([(b"a", 10), (b"b", 20)])
    before = {message.unique_id: message.row for message in book.listed()}
    book.note([(b"b", 20), (b"new", 5), (b"a", 10)])
    after = {message.unique_id: message.row for message in book.listed()}
    assert {uid: after[uid] for uid in before} == before
    assert after[UniqueId(b"new")] not in before.values()


def test_matching_changes_nothing_that_lasts(book: Book, place: Place) -> None:
    before = (place / FILE_NAME).read_bytes() if isinstance(place, Path) else b""
    book.match([(b"a", 10)])
    assert [message.row for message in book.listed()] == [1]
    if isinstance(place, Path):
        assert (place / FILE_NAME).read_bytes() == before
    assert rows_of(book, "select count(*) from messages") == [(0,)]
    assert Book(book.ledger).match([(b"a", 10)]) == 1


def test_as_many_repeated_ids_as_known_are_the_known_ones(book: Book) -> None:
    book.note([(b"same", 10)] * 3 + [(b"same", 20)])
    book.store(1, 2, 3)
    book.copied((1, 1), (2, 2), (3, 3))
    assert book.match([(b"same", 10)] * 3 + [(b"same", 20)]) == 0


def test_repeated_ids_of_which_one_is_not_home_are_all_unknown_and_only_content_can_tell(book: Book) -> None:
    book.note([(b"same", 10)] * 3)
    book.store(1, 2)
    book.copied((1, 1), (2, 2))
    assert book.match([(b"same", 10)] * 3) == 3
    assert book.drop.unknown({10}) == {}


@pytest.mark.parametrize("count", [1, 2, 4])
def test_more_or_fewer_repeated_ids_than_known_are_all_unknown(book: Book, count: int) -> None:
    book.note([(b"same", 10)] * 3 + [(b"other", 20)])
    assert book.match([(b"same", 10)] * count + [(b"other", 20)]) == (count if count > 1 else 0)


def test_nothing_is_known_without_a_unique_id(book: Book) -> None:
    book.note([(b"", 10), (b"", 20)])
    assert book.match([(b"", 10), (b"", 20)]) == 2
    book.note([(b"", 10), (b"", 20)])
    assert len(book.listed()) == 2


def test_a_message_is_proven_when_every_destination_asked_about_has_it(book: Book) -> None:
    book.note([(b"a", 10), (b"b", 20)])
    book.store(1)
    book.copied((1, 1))
    assert [message.is_proven for message in book.listed()] == [True, False]
    second = book.ledger.copies("another", "maildir").destination_id
    both = book.drop.listed(dict.fromkeys([book.copies.destination_id, second], WhenCopyIsGone.KEEP))
    assert [message.is_proven for message in both] == [False, False]


def test_a_mismatch_proves_nothing_any_more(book: Book) -> None:
    book.note([(b"a", 10)])
    book.store(1)
    book.copied((1, 1))
    copy = book.copies.find([simple(1).digest])[simple(1).digest]
    book.copies.judged([Judged(copy.copy_id, CopyState.DAMAGED, Proof.NONE, "differs")], 3.0)
    assert [message.is_proven for message in book.listed()] == [False]


def test_days_count_from_the_first_proof_of_this_content(book: Book) -> None:
    book.note([(b"a", 10)])
    book.store(1, 2)
    book.copied((1, 1), now=100.0)
    book.copied((1, 1), now=900.0)
    assert [message.copied_at for message in book.listed()] == [100.0]
    book.copied((1, 2), now=950.0)
    assert [message.copied_at for message in book.listed()] == [950.0]


def test_what_is_no_longer_listed_is_vanished_or_deleted_if_that_was_wished(book: Book) -> None:
    book.note([(b"a", 10), (b"b", 20), (b"c", 30)])
    book.store(1, 2)
    book.copied((1, 1), (2, 2))
    book.drop.deletion_requested([MessageRow(1)])
    assert book.note([(b"c", 30)], now=9.0) == [MessageRow(1)]
    assert states(book) == {1: "deleted", 2: "vanished", 3: "listed"}
    [(uid, digest, confirmed, copies)] = deletions(book)
    assert (uid, digest, confirmed) == (b"a", simple(1).digest, "the next listing lacked it")
    assert json.loads(copies)[0]["file"] == "f1"


def test_a_wish_is_not_taken_for_done_while_an_unknown_message_of_that_size_is_listed(book: Book) -> None:
    book.note([(b"a", 10), (b"b", 20)])
    book.store(1, 2)
    book.copied((1, 1), (2, 2))
    book.drop.deletion_requested([MessageRow(1), MessageRow(2)])
    assert book.note([(b"new", 10)], now=9.0) == [MessageRow(2)]
    assert states(book)[1] == "vanished"


def test_a_recognised_message_keeps_its_row_under_its_new_unique_id(book: Book) -> None:
    book.note([(b"a", 10), (b"b", 20)])
    book.store(1, 2)
    book.copied((1, 1), (2, 2), now=5.0)
    book.drop.deletion_requested([MessageRow(2)])
    assert book.match([(b"x", 20), (b"y", 10), (b"z", 30)]) == 3
    candidates = {candidate.row for candidate in book.drop.last_listed()}
    assert candidates == {1, 2}
    book.drop.recognised([(MessageNumber(1), MessageRow(2)), (MessageNumber(2), MessageRow(1))])
    assert book.drop.note(9.0) == []
    assert [(message.unique_id, message.row, message.is_proven) for message in book.listed()] == [
        (b"x", 2, True),
        (b"y", 1, True),
        (b"z", ANY, False),
    ]
    assert deletions(book) == []
    assert {message.copied_at for message in book.listed()[:2]} == {5.0}


def test_a_maildrop_that_showed_nothing_once_is_the_one_it_was_before(book: Book) -> None:
    book.note([(b"a", 10), (b"b", 20)])
    book.store(1, 2)
    book.copied((1, 1), (2, 2))
    book.note([(b"b", 20)], now=5.0)
    book.note([], now=6.0)
    book.match([(b"b", 20)])
    assert [candidate.row for candidate in book.drop.last_listed()] == [2]  # the first was gone before


def test_what_takes_the_place_of_a_vanished_message_with_the_same_content_keeps_its_age(book: Book) -> None:
    book.note([(b"a", 10)])
    book.store(1)
    book.copied((1, 1), now=5.0)
    book.note([(b"x", 10)], now=6.0)
    book.copied((2, 1), now=7.0)
    assert states(book) == {2: "copied"}
    assert [message.copied_at for message in book.listed()] == [5.0]


def test_no_deletion_is_wished_of_what_this_session_has_not_read(book: Book) -> None:
    book.note([(b"a", 10), (b"b", 20)])
    book.store(1, 2)
    book.copied((1, 1), (2, 2))
    book.note([(b"a", 10), (b"b", 20)])
    with pytest.raises(FerryError, match="break its rules: no message is deleted that its session has not read"):
        book.drop.deletion_requested([MessageRow(1)])
    book.copied((1, 1))
    book.drop.headers_read([MessageRow(2)])
    book.drop.deletion_requested([MessageRow(1), MessageRow(2)])
    assert states(book) == {1: "delete-requested", 2: "delete-requested"}


def test_a_recognised_message_was_not_retrieved_under_its_new_unique_id(book: Book) -> None:
    book.note([(b"a", 10)])
    book.store(1)
    book.copied((1, 1))
    assert book.drop.retrieved([MessageRow(1)]) == {1}
    book.match([(b"x", 10)])
    book.drop.recognised([(MessageNumber(1), MessageRow(1))])
    book.drop.note(9.0)
    assert book.drop.retrieved([MessageRow(1)]) == set()


def test_what_a_found_copy_shows_is_known_and_may_not_be_deleted_unread(book: Book) -> None:
    book.note([(b"a", 10), (b"b", 20), (b"c", 30)])
    book.store(1, 2)
    book.copied((2, 2))  # known as something else
    pairs = [(MessageNumber(1), simple(1).digest), (MessageNumber(2), simple(1).digest)]
    pairs.append((MessageNumber(3), simple(3).digest))  # of which there is no copy
    book.drop.taken_over(pairs, {book.copies.destination_id: KEEP}, 9.0)
    assert [(message.digest, message.is_proven, message.copied_at) for message in book.listed()] == [
        (simple(1).digest, True, 9.0),
        (simple(2).digest, True, 2.0),
        (None, False, None),
    ]
    assert book.drop.retrieved([MessageRow(1)]) == set()
    with pytest.raises(FerryError, match="break its rules: no message is deleted that its session has not read"):
        book.drop.deletion_requested([MessageRow(1)])


def test_a_copy_that_one_destination_lacks_makes_nothing_known(book: Book) -> None:
    book.note([(b"a", 10)])
    book.store(1)
    both = dict.fromkeys([book.copies.destination_id, book.ledger.copies("other", "mbox").destination_id], KEEP)
    book.drop.taken_over([(MessageNumber(1), simple(1).digest)], both, 9.0)
    assert states(book) == {1: "listed"}
    assert [message.content for message in book.listed()] == [0]


def test_what_no_destination_lacks_any_more_is_settled_whoever_stored_it(book: Book) -> None:
    book.note([(b"a", 10), (b"b", 20)])
    book.store(1)
    book.drop.identified([(MessageRow(1), simple(1).digest)])
    both = dict.fromkeys([book.copies.destination_id, book.ledger.copies("other", "mbox").destination_id], KEEP)
    book.drop.settle(both, 8.0)
    assert states(book) == {1: "listed", 2: "listed"}
    book.drop.settle({book.copies.destination_id: KEEP}, 9.0)
    assert states(book) == {1: "copied", 2: "listed"}
    assert [message.copied_at for message in book.listed()] == [9.0, None]


def test_a_copy_that_a_person_took_out_keeps_proves_or_lacks_as_the_owner_says(book: Book) -> None:
    book.note([(b"a", 10)])
    book.store(1)
    book.copied((1, 1))
    copy = book.copies.find([simple(1).digest])[simple(1).digest]
    book.copies.judged([Judged(copy.copy_id, CopyState.GONE, Proof.NONE, "gone")], 3.0)
    number = book.copies.destination_id
    seen = [next(book.drop.listed({number: when})) for when in (KEEP, WhenCopyIsGone.ACCEPT, WhenCopyIsGone.RESTORE)]
    assert [(one.is_kept, one.is_proven) for one in seen] == [(True, False), (False, True), (False, False)]


def test_a_run_tells_when_the_last_one_began_and_since_when_the_clock_is_doubted(book: Book) -> None:
    assert book.drop.clock() == (None, None)
    book.drop.run_began(5.0)
    book.drop.clock_doubted(6.0)
    moved = Book(book.ledger, host="new-host")
    assert moved.drop.clock() == (5.0, 6.0)
    moved.drop.run_began(4.0)
    moved.drop.clock_doubted(None)
    assert book.drop.clock() == (4.0, None)


def test_what_this_program_deleted_is_no_candidate(book: Book) -> None:
    book.note([(b"a", 10)])
    book.store(1)
    book.copied((1, 1))
    book.drop.deletion_requested([MessageRow(1)])
    book.drop.deleted([MessageRow(1)], "+OK bye", 3.0)
    book.match([(b"x", 10)])
    assert book.drop.last_listed() == []
    assert [confirmed for _, _, confirmed, _ in deletions(book)] == ["QUIT: +OK bye"]


def test_a_move_to_another_host_finds_its_mail_again(book: Book) -> None:
    book.note([(b"a", 10)])
    book.store(1)
    book.copied((1, 1))
    moved = Book(book.ledger, host="new-host")
    assert moved.match([(b"x", 10)]) == 1
    assert [candidate.row for candidate in moved.drop.last_listed()] == [1]
    moved.drop.recognised([(MessageNumber(1), MessageRow(1))])
    moved.drop.note(9.0)
    assert [(message.row, message.is_proven) for message in moved.listed()] == [(1, True)]


def test_another_account_recognises_nothing_of_mine(book: Book) -> None:
    book.note([(b"a", 10)])
    book.store(1)
    book.copied((1, 1))
    other = book.ledger.maildrop("bob", "h", 995, "u")
    other.match([ListedMessage(MessageNumber(1), UniqueId(b"a"), 10)])
    assert other.last_listed() == []


def test_a_settled_listing_is_known_by_its_fingerprint_until_something_falls_due(book: Book) -> None:
    book.drop.listing_settled(b"print", 7, until=100.0)
    assert book.drop.settled(b"print", 99.0) == 7
    assert book.drop.settled(b"print", 100.0) is None
    assert book.drop.settled(b"other", 99.0) is None
    assert book.ledger.maildrop("alice", "new-host", 995, "u").settled(b"print", 99.0) is None


def test_what_one_destination_has_and_another_lacks_is_told_in_archive_order(book: Book) -> None:
    book.note([(b"a", 10), (b"b", 20)])
    book.store(1, 2)
    book.copied((1, 1), (2, 2))
    target = book.ledger.copies("another", "maildir").destination_id
    source = book.copies.destination_id
    lacking = book.drop.lacking(target, source, restores_gone=False)
    assert [content.digest for content in lacking] == [simple(1).digest, simple(2).digest]
    assert book.drop.lacking(source, source, restores_gone=False) == []


def test_a_copy_that_is_not_proven_cannot_be_wished_away(book: Book) -> None:
    book.note([(b"a", 10)])
    with pytest.raises(Exception, match="refused a step that would break its rules"):
        book.drop.deletion_requested([MessageRow(1)])


def states(book: Book) -> dict[int, str]:
    return dict(rows_of(book, "select id, state from messages"))


def deletions(book: Book) -> list[tuple[bytes, Digest, str, str]]:
    return rows_of(book, "select unique_id, digest, confirmed_by, copies from deletions order by id")


def rows_of(book: Book, query: str) -> list[Any]:
    with book.ledger._connection.reading() as sql:  # noqa: SLF001  # the test looks behind the curtain
        return sql.execute(query).fetchall()


def test_a_ledger_without_the_account_gives_a_dry_run_rows_that_nothing_known_has(book: Book, place: Place) -> None:
    book.note([(b"a", 10)])
    with closing(Ledger.open_dry(place)) as dry:
        drop = dry.maildrop("alice", "new-host", 995, "u")
        drop.match([ListedMessage(MessageNumber(1), UniqueId(b"a"), 10)])
        assert [message.row for message in drop.listed({})] == [2]
    assert rows_of(book, "select count(*) from maildrops") == [(1,)]
