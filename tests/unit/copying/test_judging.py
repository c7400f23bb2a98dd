"""The one table of what a stored copy is worth."""

from __future__ import annotations

import pytest

from migrator.copying.judging import judge
from migrator.errors import FerryError, GoneError, Kind
from migrator.ledger.copies import Judged
from migrator.model import CopyState, ImapLocator, Locator, MaildirLocator, Proof

FOLDER, MAILBOX = MaildirLocator("name"), ImapLocator(1, 7)
UNREADABLE = FerryError(Kind.ARCHIVE, "unreadable")
STORED, VERIFIED, UNPROVEN, DAMAGED = CopyState.STORED, CopyState.VERIFIED, CopyState.UNPROVEN, CopyState.DAMAGED


@pytest.mark.parametrize(
    ("locator", "before", "read", "required", "state"),
    [
        (FOLDER, STORED, Proof.EXACT, Proof.EXACT, VERIFIED),
        (FOLDER, DAMAGED, Proof.EXACT, Proof.EXACT, VERIFIED),
        (FOLDER, STORED, Proof.NONE, Proof.EXACT, DAMAGED),
        (FOLDER, VERIFIED, Proof.NONE, Proof.EXACT, DAMAGED),
        (MAILBOX, STORED, Proof.EXACT, Proof.EXACT, VERIFIED),
        (MAILBOX, STORED, Proof.CANONICAL, Proof.CANONICAL, VERIFIED),
        (MAILBOX, STORED, Proof.CANONICAL, Proof.EXACT, UNPROVEN),
        (MAILBOX, VERIFIED, Proof.CANONICAL, Proof.EXACT, UNPROVEN),
        (MAILBOX, STORED, Proof.NONE, Proof.SEMANTIC, UNPROVEN),
        (MAILBOX, UNPROVEN, Proof.NONE, Proof.SEMANTIC, UNPROVEN),
        (MAILBOX, VERIFIED, Proof.NONE, Proof.SEMANTIC, DAMAGED),
        (MAILBOX, DAMAGED, Proof.NONE, Proof.SEMANTIC, DAMAGED),
    ],
)
def test_what_was_read_is_worth_what_it_proves(
    locator: Locator, before: CopyState, read: Proof, required: Proof, state: CopyState
) -> None:
    assert judge(3, locator, before, (read, "differs so"), required) == Judged(3, state, read, "differs so")


@pytest.mark.parametrize("locator", [FOLDER, MAILBOX])
def test_what_somebody_took_out_is_gone_and_not_damaged(locator: Locator) -> None:
    judged = judge(3, locator, VERIFIED, GoneError("no more"), Proof.EXACT)
    assert judged == Judged(3, CopyState.GONE, Proof.NONE, "no more")


def test_what_a_folder_does_not_let_read_is_damaged_and_a_mailbox_is_asked_another_time() -> None:
    assert judge(3, FOLDER, VERIFIED, UNREADABLE, Proof.EXACT) == Judged(3, DAMAGED, Proof.NONE, "unreadable")
    assert judge(3, MAILBOX, VERIFIED, UNREADABLE, Proof.EXACT) is None
