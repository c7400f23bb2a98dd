from __future__ import annotations

import pytest

from migrator.copy_records import MaildirAnchor
from migrator.ledger import Ledger
from migrator.ledger.copies import Judged
from migrator.ledger.receipts import Filter, KeptCopy
from migrator.model import (
    CopyState,
    Digest,
    ListedMessage,
    MaildirLocator,
    MessageNumber,
    Proof,
    UniqueId,
)
from tests.mail import simple

MANY = 1_203
"""More than two pages."""


def delete(ledger: Ledger, count: int, account: str = "alice", *, by_quit: bool = True) -> list[Digest]:
    """Have ``count`` messages of an account copied to a Maildir and deleted at their source."""
    drop = ledger.maildrop(account, "pop.example.org", 995, account)
    drop.match([ListedMessage(MessageNumber(n), UniqueId(b"%d" % n), 10) for n in range(1, count + 1)])
    drop.note(1.0)
    copies = ledger.copies("maildir:/srv/mail", "maildir")
    rows = [message.row for message in drop.listed({})]
    messages = [simple(number) for number in range(count)]
    known = copies.find([message.digest for message in messages])
    fresh = [message for message in messages if message.digest not in known]
    ids = copies.intended(MaildirAnchor(""), [(message, b"") for message in fresh], 1.0)
    copies.stored([(number, MaildirLocator(f"f{number}")) for number in ids.values()], [])
    copies.judged([Judged(number, CopyState.VERIFIED, Proof.EXACT) for number in ids.values()], 2.0)
    drop.copied([(row, message.digest) for row, message in zip(rows, messages, strict=True)], 2.0)
    drop.deletion_requested(rows)
    if by_quit:
        drop.deleted(rows, "bye", 3.0)
    else:
        drop.match([])
        drop.note(4.0)
    return [message.digest for message in messages]


def test_a_log_of_several_pages_comes_whole_and_in_order(ledger: Ledger) -> None:
    digests = delete(ledger, MANY)
    found = list(ledger.receipts.deletions(Filter()))
    assert [one.digest for one in found] == digests
    assert [one.unique_id for one in found[:2]] == [b"1", b"2"]
    assert found[0].octets == simple(0).octets
    copy = KeptCopy("maildir:/srv/mail", "verified", 2.0, file="f1")
    assert found[0].copies == (copy,)
    assert found[0].confirmed_by == "QUIT: bye"


def test_a_page_is_read_while_others_write(ledger: Ledger) -> None:
    delete(ledger, MANY)
    reading = ledger.receipts.deletions(Filter())
    next(reading)
    ledger.history.run_started("alice", 5.0)
    assert sum(1 for _ in reading) == MANY - 1


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Filter(("bob",)), 2),
        (Filter(("alice", "bob")), 5),
        (Filter(since=3.5), 2),
        (Filter(("alice",), since=3.5), 0),
        (Filter(digests=(simple(0).digest, simple(0).digest)), 2),
    ],
)
def test_only_what_was_asked_for_is_read(ledger: Ledger, wanted: Filter, count: int) -> None:
    delete(ledger, 3)
    delete(ledger, 2, "bob", by_quit=False)
    assert len(list(ledger.receipts.deletions(wanted))) == count
    assert ledger.receipts.accounts() == ["alice", "bob"]


def test_a_copy_is_shown_as_it_is_now(ledger: Ledger) -> None:
    delete(ledger, 1)
    copies = ledger.copies("maildir:/srv/mail", "maildir")
    copies.vanished(["f1"], "no longer there")
    [deletion] = ledger.receipts.deletions(Filter())
    assert [(copy.state, copy.verified_at) for copy in deletion.copies] == [("gone", 2.0)]


def test_what_the_ledger_knows_no_more_stands_where_the_log_has_it(ledger: Ledger) -> None:
    delete(ledger, 1)
    [copy] = ledger.copies("maildir:/srv/mail", "maildir").find([simple(0).digest]).values()
    ledger.copies("maildir:/srv/mail", "maildir").never_there([copy.copy_id])
    [deletion] = ledger.receipts.deletions(Filter())
    assert deletion.copies == (KeptCopy("maildir:/srv/mail", "", None, file="f1"),)


def test_what_the_next_listing_lacked_says_so(ledger: Ledger) -> None:
    delete(ledger, 1, by_quit=False)
    [deletion] = ledger.receipts.deletions(Filter())
    assert deletion.confirmed_by == "the next listing lacked it"


def test_the_newest_come_first_page_by_page_and_none_twice(ledger: Ledger) -> None:
    delete(ledger, 5)
    delete(ledger, 4, "bob")
    pages: list[list[int]] = []
    before = None
    while page := ledger.receipts.newest(Filter(), 4, before):
        pages.append([one.number for one in page])
        before = page[-1].number
    assert pages == [[9, 8, 7, 6], [5, 4, 3, 2], [1]]
    assert [one.account for one in ledger.receipts.newest(Filter(("alice",)), 1)] == ["alice"]


def test_a_moment_before_which_is_left_out_itself(ledger: Ledger) -> None:
    delete(ledger, 2)
    assert len(list(ledger.receipts.deletions(Filter(until=3.0)))) == 0
    assert len(list(ledger.receipts.deletions(Filter(since=3.0, until=3.5)))) == 2
