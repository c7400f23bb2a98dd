from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator.copy_records import ImapAnchor, Lost, Relocated, VolumeRecord
from migrator.copying.relocating import refuse_if_emptied, relocate
from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.ledger.copies import CopiesLedger, Judged
from migrator.model import CopyState, ImapLocator, Locator, Proof, StoredCopy
from migrator.policy import WhenCopyIsGone
from tests.mail import simple
from tests.scripted_destination import ScriptedFolder, ScriptedMailbox

NO_VOLUMES: list[VolumeRecord] = []


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[CopiesLedger]:
    with closing(Ledger.open(tmp_path)) as ledger:
        yield ledger.copies("a mailbox", "imap")


def proven(copies: CopiesLedger, count: int) -> list[StoredCopy]:
    """Let so many copies stand, proven, under UIDVALIDITY 1."""
    messages = [simple(number) for number in range(1, count + 1)]
    ids = copies.intended(ImapAnchor(1, 1), [(message, b"") for message in messages], 0.0)
    copies.stored([(copy_id, ImapLocator(1, n)) for n, copy_id in enumerate(ids.values(), 1)], NO_VOLUMES)
    copies.judged([Judged(copy_id, CopyState.VERIFIED, Proof.EXACT, "") for copy_id in ids.values()], 0.0)
    return list(copies.find([message.digest for message in messages]).values())


def lost(copy: StoredCopy) -> Lost:
    assert isinstance(copy.locator, ImapLocator)
    return Lost(copy.copy_id, copy.locator, was_proven=True)


def states(copies: CopiesLedger) -> list[tuple[CopyState, Locator | None]]:
    return [(copy.state, copy.locator) for copy in copies.all_copies()]


def test_each_copy_has_its_new_place_or_is_gone(copies: CopiesLedger) -> None:
    first, second, third = proven(copies, 3)
    places = [Relocated(one.copy_id, ImapLocator(2, 40 + at)) for at, one in enumerate((first, third))]
    relocate(ScriptedMailbox(moves=[[places[0], lost(second)], [places[1]]]), copies)
    after = {copy.copy_id: (copy.state, copy.locator) for copy in copies.all_copies()}
    assert after[first.copy_id] == (CopyState.VERIFIED, ImapLocator(2, 40))
    assert after[second.copy_id][0] is CopyState.GONE
    assert after[third.copy_id] == (CopyState.VERIFIED, ImapLocator(2, 41))


def test_a_place_that_cannot_lose_its_meaning_is_not_asked(copies: CopiesLedger) -> None:
    proven(copies, 1)
    before = states(copies)
    relocate(ScriptedFolder(), copies)
    assert states(copies) == before


def test_a_mailbox_that_was_emptied_is_an_error_and_none_of_its_copies_is_gone(copies: CopiesLedger) -> None:
    all_of_them = proven(copies, 12)
    found = Relocated(all_of_them[0].copy_id, ImapLocator(2, 5))
    mailbox = ScriptedMailbox(moves=[[found], [lost(one) for one in all_of_them[1:]]])
    with pytest.raises(FerryError, match="11 of the 12"):
        relocate(mailbox, copies)
    after = states(copies)
    assert {state for state, _ in after} == {CopyState.VERIFIED}
    assert (CopyState.VERIFIED, ImapLocator(2, 5)) in after  # what was found stays found


def test_of_copies_that_were_never_proven_any_number_may_be_gone(copies: CopiesLedger) -> None:
    all_of_them = proven(copies, 12)
    relocate(ScriptedMailbox(moves=[[lost(one)._replace(was_proven=False) for one in all_of_them]]), copies)
    assert {state for state, _ in states(copies)} == {CopyState.GONE}


KEEP, RESTORE, ACCEPT = WhenCopyIsGone.KEEP, WhenCopyIsGone.RESTORE, WhenCopyIsGone.ACCEPT


@pytest.mark.parametrize(
    ("when", "gone", "known", "is_refused"),
    [
        (KEEP, 10, 19, True),
        (KEEP, 10, 20, False),
        (KEEP, 9, 9, False),
        (KEEP, 100, 250, False),
        (KEEP, 100, 150, True),
        (KEEP, 100, 100, True),
        (RESTORE, 100, 100, False),
        (ACCEPT, 100, 100, False),
    ],
)
def test_ten_or_more_that_are_more_than_half_are_no_tidying_up(
    when: WhenCopyIsGone, gone: int, known: int, is_refused: bool
) -> None:
    folder = ScriptedFolder(when_copy_is_gone=when)
    if not is_refused:
        refuse_if_emptied(folder, gone, known)
        return
    with pytest.raises(FerryError) as caught:
        refuse_if_emptied(folder, gone, known)
    assert caught.value.kind is Kind.ARCHIVE


@pytest.mark.parametrize(
    ("place", "cure_ends"), [("", '"accept"'), ("in config.toml, line 9", '"accept" in config.toml, line 9')]
)
def test_the_cure_says_where_the_setting_is_to_be_written(place: str, cure_ends: str) -> None:
    with pytest.raises(FerryError) as caught:
        refuse_if_emptied(ScriptedFolder(setting_place=place), 100, 100)
    assert caught.value.cure.endswith(cure_ends)
