from __future__ import annotations

import pytest

from migrator.copy_records import MaildirAnchor
from migrator.errors import Kind
from migrator.ledger import Ledger
from migrator.ledger.acceptance import is_label_of
from migrator.ledger.copies import CopiesLedger, Judged
from migrator.ledger.maildrops import MaildropLedger
from migrator.model import (
    CopyState,
    ImapLocator,
    ListedMessage,
    MaildirLocator,
    MessageNumber,
    MessageRow,
    Proof,
    UniqueId,
)
from migrator.report import Problem
from tests.mail import simple

HERE = "maildir:/srv/mail"
MAILBOX = "imap:ann@imap.example.org/INBOX"
IN_HERE = "maildir /srv/mail"


class Book:
    """Three messages of alice, each with a copy in a Maildir and in a mailbox."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.drop: MaildropLedger = ledger.maildrop("alice", "pop.example.org", 995, "alice")
        self.drop.match([ListedMessage(MessageNumber(n), UniqueId(b"%d" % n), 10) for n in (1, 2, 3)])
        self.rows = self.drop.note(1.0) or [MessageRow(n) for n in (1, 2, 3)]
        self.maildir = ledger.copies(HERE, "maildir")
        self.mailbox = ledger.copies(MAILBOX, "imap")
        self.messages = [simple(number) for number in (1, 2, 3)]
        self.in_maildir = self._stored(self.maildir, [MaildirLocator(f"f{n}") for n in (1, 2, 3)])
        self.in_mailbox = self._stored(self.mailbox, [ImapLocator(7, n) for n in (1, 2, 3)])
        pairs = [(MessageRow(n), message.digest) for n, message in enumerate(self.messages, 1)]
        self.drop.identified(pairs)

    def _stored(self, copies: CopiesLedger, places: list[MaildirLocator] | list[ImapLocator]) -> list[int]:
        ids = copies.intended(MaildirAnchor(""), [(message, b"") for message in self.messages], 1.0)
        numbers = [ids[message.digest] for message in self.messages]
        copies.stored(list(zip(numbers, places, strict=True)), [])
        copies.judged([Judged(number, CopyState.VERIFIED, Proof.EXACT) for number in numbers], 1.0)
        return numbers

    def fails(self, row: int, kind: Kind, destination: str) -> None:
        self.ledger.history.failed([(MessageRow(row), Problem(kind, "why", destination=destination))], 2.0)

    def altered(self, row: int, proof: Proof = Proof.CANONICAL) -> None:
        verdict = Judged(self.in_mailbox[row - 1], CopyState.UNPROVEN, proof, "changed by the server")
        self.mailbox.judged([verdict], 2.0)
        self.fails(row, Kind.UNPROVEN, "INBOX of ann at imap.example.org")

    def is_accepted(self, row: int) -> bool:
        return {one.row: one.is_accepted for one in self.ledger.history.set_aside(["alice"])}[MessageRow(row)]


@pytest.fixture
def book(ledger: Ledger) -> Book:
    return Book(ledger)


def test_what_is_accepted_neither_waits_nor_failed_and_the_numbers_add_up(book: Book) -> None:
    book.fails(1, Kind.REFUSED, "")
    book.fails(2, Kind.REFUSED, "")
    book.ledger.history.accept(MessageRow(1), 3.0)
    numbers = book.ledger.history.numbers("alice")
    assert (numbers.on_server, numbers.safe, numbers.waiting, numbers.failed, numbers.accepted) == (3, 0, 1, 1, 1)
    book.ledger.history.accept(MessageRow(2), 3.0)
    book.ledger.history.accept(MessageRow(3), 3.0)
    assert book.ledger.history.numbers("alice").failed == 0


def test_only_what_is_not_accepted_is_the_oldest_that_is_unsafe(book: Book) -> None:
    for row in (1, 2, 3):
        book.fails(row, Kind.REFUSED, "")
        assert book.ledger.history.numbers("alice").oldest_unsafe == 1.0
        book.ledger.history.accept(MessageRow(row), 3.0)
    assert book.ledger.history.numbers("alice").oldest_unsafe is None


def test_accepted_damage_counts_no_more_where_it_was_accepted(book: Book) -> None:
    book.maildir.judged([Judged(book.in_maildir[0], CopyState.DAMAGED, Proof.NONE, "differs")], 2.0)
    book.fails(1, Kind.MISMATCH, IN_HERE)
    assert book.ledger.state_store.mismatches() == {HERE: 1}
    book.ledger.history.accept(MessageRow(1), 3.0)
    assert book.ledger.state_store.mismatches() == {}
    assert book.ledger.overview.doubts() == {}
    assert book.maildir.accepted(CopyState.DAMAGED) == {book.in_maildir[0]}


def test_damage_in_another_destination_was_accepted_by_nobody(book: Book) -> None:
    book.altered(1)
    book.ledger.history.accept(MessageRow(1), 3.0)
    book.maildir.judged([Judged(book.in_maildir[0], CopyState.DAMAGED, Proof.NONE, "differs")], 4.0)
    assert book.ledger.state_store.mismatches() == {HERE: 1}
    doubts = book.ledger.overview.doubts()
    assert (list(doubts), doubts[HERE].damaged) == ([HERE], 1)
    assert book.maildir.accepted(CopyState.DAMAGED) == set()
    assert book.mailbox.accepted(CopyState.UNPROVEN) == {book.in_mailbox[0]}


@pytest.mark.parametrize(
    ("proof", "required", "stays"),
    [
        (Proof.CANONICAL, [Proof.EXACT], True),
        (Proof.CANONICAL, [Proof.EXACT, Proof.CANONICAL], False),
        (Proof.SEMANTIC, [Proof.EXACT, Proof.CANONICAL], True),
        (Proof.SEMANTIC, [Proof.EXACT, Proof.CANONICAL, Proof.SEMANTIC], False),
        (Proof.NONE, [Proof.EXACT, Proof.CANONICAL, Proof.SEMANTIC], True),
    ],
)
def test_an_acceptance_lapses_once_the_copy_reaches_what_is_required(
    book: Book, proof: Proof, required: list[Proof], stays: bool
) -> None:
    book.altered(1, proof)
    book.ledger.history.accept(MessageRow(1), 3.0)
    book.drop.let_acceptances_lapse({book.mailbox.destination_id: required})
    assert book.is_accepted(1) is stays


def test_an_acceptance_for_another_reason_never_lapses(book: Book) -> None:
    book.altered(1)
    book.fails(1, Kind.CHANGED, "")
    book.ledger.history.accept(MessageRow(1), 3.0)
    book.drop.let_acceptances_lapse({book.mailbox.destination_id: list(Proof)})
    assert book.is_accepted(1)


@pytest.mark.parametrize(
    ("label", "identity", "expected"),
    [
        ("mbox /srv/mail", "mbox:/srv/mail", True),
        ("maildir /srv/mail", "mbox:/srv/mail", False),
        ("mbox /srv/a:b", "mbox:/srv/a:b", True),
        ("inbox of ann@example.org at IMAP.example.org", "imap:ann@example.org@imap.example.org/INBOX", True),
        ("Old/ of ann at imap.example.org", MAILBOX, False),
        ("", MAILBOX, False),
    ],
)
def test_a_destination_is_known_by_what_a_person_calls_it(label: str, identity: str, expected: bool) -> None:
    assert is_label_of(label, identity) is expected


def test_an_altered_copy_is_doubtful_whether_or_not_its_source_still_lists_the_message(book: Book) -> None:
    places = [HERE, MAILBOX]
    verdict = Judged(book.in_mailbox[0], CopyState.UNPROVEN, Proof.CANONICAL, "changed by the server")
    book.mailbox.judged([verdict], 2.0)
    book.maildir.vanished(["f2"], "no longer there")
    found = [(one.row, one.state, one.is_listed) for one in book.ledger.archive.doubtful("alice", places)]
    assert found == [(1, CopyState.UNPROVEN, True), (2, CopyState.GONE, True)]
    book.drop.match([])
    book.drop.note(3.0)
    altered, gone = book.ledger.archive.doubtful("alice", places)
    assert (altered.is_listed, gone.is_listed) == (False, False)
    assert 0.0 < altered.first_seen == gone.first_seen
    assert book.ledger.archive.doubtful("bob", places) == []

    assert set(book.ledger.overview.doubts()) == {HERE, MAILBOX}
    for message in (altered, gone):
        book.ledger.archive.accept_doubtful(message, 4.0)
    assert book.ledger.overview.doubts() == {}
    assert [(one.row, one.kind) for one in book.ledger.history.set_aside(["alice"])] == [
        (1, Kind.UNPROVEN),
        (2, Kind.MISMATCH),
    ]


def test_the_message_that_was_seen_last_stands_for_those_that_are_listed_no_more(book: Book) -> None:
    book.mailbox.judged([Judged(book.in_mailbox[0], CopyState.GONE, Proof.NONE, "gone")], 2.0)
    for unique_id in (b"x", b"y"):
        book.drop.match([ListedMessage(MessageNumber(1), UniqueId(unique_id), 10)])
        [row] = book.drop.note(3.0) or [max(message.row for message in book.drop.listed({}))]
        book.drop.identified([(row, book.messages[0].digest)])
    assert [one.unique_id for one in book.ledger.archive.doubtful("alice", [MAILBOX])] == [b"y"]
    book.drop.match([])
    book.drop.note(4.0)
    assert [one.unique_id for one in book.ledger.archive.doubtful("alice", [MAILBOX])] == [b"y"]
