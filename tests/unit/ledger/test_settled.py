"""A destination that is worth less unsettles the listings that were settled by it, and no others."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from migrator.copy_records import Lost, MaildirAnchor, VolumeRecord, VolumeState
from migrator.errors import Kind
from migrator.ledger import Ledger
from migrator.ledger.archive import DoubtfulMessage
from migrator.ledger.copies import CopiesLedger, Judged
from migrator.ledger.maildrops import MaildropLedger
from migrator.ledger.volume_comparison import Compared
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
from migrator.policy import WhenCopyIsGone
from migrator.report import Problem
from tests.mail import simple

VOLUME = VolumeRecord("2026-11.mbox", 10, b"tail", "stamp", VolumeState.OPEN)

MESSAGE = simple(1)


class Office:
    """Ann writes to both destinations, bob to the first, carl to the second; each has one message of one content."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.first = self._copies("maildir:/first")
        self.second = self._copies("maildir:/second")
        self.copy_of = {copies.destination_id: _stored(copies) for copies in (self.first, self.second)}
        both, one, other = (self.first, self.second), (self.first,), (self.second,)
        self.writes_to = {"ann": both, "bob": one, "carl": other}
        self.drops = {name: self._maildrop(name) for name in self.writes_to}

    def _copies(self, identity: str) -> CopiesLedger:
        return self.ledger.copies(identity, "maildir")

    def _maildrop(self, name: str) -> MaildropLedger:
        drop = self.ledger.maildrop(name, "h", 995, name)
        drop.match([ListedMessage(MessageNumber(1), UniqueId(b"a"), 10)])
        drop.note(1.0)
        return drop

    def key(self, name: str) -> bytes:
        """Return what a run of this account would know its listing by."""
        wishes = {copies.destination_id: WhenCopyIsGone.KEEP for copies in self.writes_to[name]}
        return repr((wishes, self.drops[name].revisions(wishes))).encode()

    def settle(self) -> None:
        for name, drop in self.drops.items():
            drop.listing_settled(self.key(name), 1, until=100.0)

    def settled(self) -> set[str]:
        return {name for name, drop in self.drops.items() if drop.settled(self.key(name), 99.0) is not None}

    def judge(self, state: CopyState) -> None:
        copies = self.first
        proof = Proof.EXACT if state is CopyState.VERIFIED else Proof.NONE
        copies.judged([Judged(self.copy_of[copies.destination_id], state, proof)], 3.0)

    def row_of(self, name: str) -> MessageRow:
        return MessageRow(list(self.drops).index(name) + 1)


def _stored(copies: CopiesLedger) -> int:
    [copy_id] = copies.intended(MaildirAnchor(""), [(MESSAGE, b"")], 1.0).values()
    copies.stored([(copy_id, MaildirLocator("f1"))], [])
    copies.judged([Judged(copy_id, CopyState.VERIFIED, Proof.EXACT)], 1.0)
    return copy_id


@pytest.fixture
def office(ledger: Ledger) -> Office:
    office = Office(ledger)
    office.settle()
    assert office.settled() == {"ann", "bob", "carl"}
    return office


def moved(office: Office) -> None:
    moves = office.ledger.moves
    moves.moved(moves.known()["maildir:/first"], "maildir:/third")


def merged(office: Office) -> None:
    moves = office.ledger.moves
    third = office.ledger.copies("maildir:/third", "maildir")
    moves.moved(moves.known()["maildir:/third"], "maildir:/first")
    assert third.destination_id not in {one.number for one in moves.known().values()}


def lost(office: Office) -> None:
    copy_id = office.copy_of[office.first.destination_id]
    office.first.lost([Lost(copy_id, ImapLocator(1, 1), was_proven=True)])


@pytest.mark.parametrize(
    "happens",
    [
        lambda office: office.judge(CopyState.UNPROVEN),
        lambda office: office.judge(CopyState.DAMAGED),
        lambda office: office.first.vanished(["f1"], "gone"),
        lambda office: office.first.volume_changed(VOLUME, "shorter"),
        lambda office: office.first.volume_reread(VOLUME, Compared([], [], [], []), "shorter"),
        lambda office: office.ledger.archive.lost_for_good(office.first.destination_id),
        lambda office: office.ledger.archive.relearning(office.first.destination_id).finished([]),
        lost,
        moved,
        merged,
    ],
)
def test_only_who_writes_to_a_destination_looks_again_when_it_is_worth_less(
    office: Office, happens: Callable[[Office], object]
) -> None:
    happens(office)
    assert office.settled() == {"carl"}


def test_a_copy_that_is_proven_again_unsettles_nobody(office: Office) -> None:
    office.judge(CopyState.VERIFIED)
    assert office.settled() == {"ann", "bob", "carl"}


def test_a_run_that_planned_before_a_copy_was_found_damaged_settles_nothing(office: Office) -> None:
    planned = {name: office.key(name) for name in office.drops}
    office.judge(CopyState.DAMAGED)
    for name, drop in office.drops.items():
        drop.listing_settled(planned[name], 1, until=100.0)
    assert office.settled() == {"carl"}


def retry(office: Office, name: str) -> None:
    office.ledger.history.retry(office.row_of(name))


def accept(office: Office, name: str) -> None:
    office.ledger.history.accept(office.row_of(name), 4.0)


def accept_doubtful(office: Office, name: str) -> None:
    office.ledger.archive.accept_doubtful(
        DoubtfulMessage(
            office.row_of(name),
            UniqueId(b"a"),
            10,
            MESSAGE.digest,
            "maildir:/first",
            CopyState.GONE,
            Proof.NONE,
            "",
            1.0,
            is_listed=True,
        ),
        4.0,
    )


@pytest.mark.parametrize(("decides", "name"), list(product([retry, accept, accept_doubtful], ["ann", "bob", "carl"])))
def test_what_a_person_decides_about_a_message_concerns_its_maildrop(
    office: Office, decides: Callable[[Office, str], None], name: str
) -> None:
    office.ledger.history.failed([(office.row_of(name), Problem(Kind.REFUSED, "why"))], 2.0)
    decides(office, name)
    assert office.settled() == {"ann", "bob", "carl"} - {name}
