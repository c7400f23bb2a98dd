from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator.copy_records import Relocated
from migrator.copying.copier import Copier, CopyResult
from migrator.destinations import BatchLimits
from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.message.body import Message
from migrator.model import CopyState, ImapLocator, Proof, StoredCopy
from migrator.policy import WhenCopyIsGone
from tests.mail import simple
from tests.memory_destination import CrashError
from tests.scripted_destination import ScriptedFolder, ScriptedMailbox


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path)) as ledger:
        yield ledger


@pytest.fixture
def folder() -> ScriptedFolder:
    return ScriptedFolder()


def copier(ledger: Ledger, folder: ScriptedFolder, step: Callable[[str], None] = lambda _name: None) -> Copier:
    return Copier(folder, ledger.copies(folder.identity, folder.kind), clock=lambda: 7.0, step=step)


def repairing(ledger: Ledger, folder: ScriptedFolder) -> Copier:
    copies = ledger.copies(folder.identity, folder.kind)
    return Copier(folder, copies, clock=lambda: 7.0, replaces_damaged=True)


def copy_of(ledger: Ledger, folder: ScriptedFolder, one: Message) -> StoredCopy:
    return ledger.copies(folder.identity, folder.kind).find([one.digest])[one.digest]


def kind_of(outcome: object) -> Kind:
    assert isinstance(outcome, FerryError), outcome
    return outcome.kind


def die_at(step: str) -> Callable[[str], None]:
    def die(name: str) -> None:
        if name == step:
            raise CrashError

    return die


ONE, TWO, THREE = (simple(number) for number in (1, 2, 3))


def test_what_is_there_is_neither_looked_for_nor_counted_nor_stored(ledger: Ledger, folder: ScriptedFolder) -> None:
    for batch in ([ONE, TWO], [TWO, THREE], [ONE], []):
        copier(ledger, folder).copy(batch)
    assert folder.calls == ["store 2", "read 2", "store 1", "read 2", "read 1"]
    assert folder.looked_for == [[ONE.digest, TWO.digest], [THREE.digest]]
    assert (folder.recoveries, folder.counted) == (3, 0)


@pytest.mark.parametrize(
    ("when", "calls", "counted"),
    [
        (WhenCopyIsGone.KEEP, ["read 1", "read 1"], 1),
        (WhenCopyIsGone.ACCEPT, ["read 1", "read 1"], 0),
        (WhenCopyIsGone.RESTORE, ["read 1", "store 1", "read 1", "read 1"], 0),
    ],
)
def test_what_is_gone_is_stored_once_where_that_is_wished_and_alarms_once(
    ledger: Ledger, folder: ScriptedFolder, when: WhenCopyIsGone, calls: list[str], counted: int
) -> None:
    copier(ledger, folder).copy([ONE])
    folder.stored.clear()
    folder.when_copy_is_gone = when
    folder.calls.clear()
    for _ in range(2):
        copier(ledger, folder).copy([ONE])
    assert (folder.calls, folder.counted) == (calls, counted)


def test_only_what_is_gone_is_asked_for_again(ledger: Ledger, folder: ScriptedFolder) -> None:
    copier(ledger, folder).copy([ONE, TWO])
    folder.stored["copy-0"] = b"damage"
    folder.when_copy_is_gone = WhenCopyIsGone.RESTORE
    folder.calls.clear()
    assert kind_of(copier(ledger, folder).copy([ONE, TWO])[0]) is Kind.MISMATCH
    assert folder.calls == ["read 2"]


def test_a_copy_that_was_taken_out_is_said_to_be_gone_and_another_error_is_said_as_it_is(
    ledger: Ledger, folder: ScriptedFolder
) -> None:
    copier(ledger, folder).copy([ONE, TWO])
    folder.stored["copy-0"] = b"damage"
    folder.stored.pop("copy-1")
    folder.when_copy_is_gone = WhenCopyIsGone.ACCEPT
    verdicts = copier(ledger, folder).verify_again([ONE.digest, TWO.digest])
    assert kind_of(verdicts[ONE.digest]) is Kind.MISMATCH
    assert verdicts[TWO.digest] is None


def test_a_part_is_full_only_beyond_its_limit(ledger: Ledger, folder: ScriptedFolder) -> None:
    folder.limits = BatchLimits(100, 2 * simple(0).octets)
    assert copier(ledger, folder).copy([simple(n) for n in range(6)]) == [CopyResult.COPIED] * 6
    assert [call for call in folder.calls if call.startswith("store")] == ["store 2"] * 3


def test_what_stands_there_unknown_is_adopted_and_proven_and_not_stored_again(
    ledger: Ledger, folder: ScriptedFolder
) -> None:
    steps: list[str] = []
    folder.strangers = {"found-1": b"".join(ONE.body.chunks())}
    assert copier(ledger, folder, steps.append).copy([ONE, TWO]) == [CopyResult.DUPLICATE, CopyResult.COPIED]
    assert len(folder.stored) == 2
    assert steps[0] == "copies.found"
    assert copy_of(ledger, folder, ONE).state is CopyState.VERIFIED


def test_a_copy_that_was_gone_and_is_found_again_counts_as_there(ledger: Ledger, folder: ScriptedFolder) -> None:
    copier(ledger, folder).copy([ONE])
    folder.strangers = {"put-back": folder.stored.pop("copy-0")}
    assert copier(ledger, folder).copy([ONE]) == [CopyResult.TAKEN_OUT]
    assert copier(ledger, folder).copy([ONE]) == [CopyResult.DUPLICATE]
    assert list(folder.stored) == ["put-back"]


def test_where_most_copies_vanish_at_once_though_not_all_nothing_is_taken_for_gone(
    ledger: Ledger, folder: ScriptedFolder
) -> None:
    many = [simple(n) for n in range(12)]
    copier(ledger, folder).copy(many)
    folder.stored = {"copy-11": folder.stored["copy-11"]}
    with pytest.raises(FerryError, match="was emptied: 11 of the 12"):
        copier(ledger, folder).copy(many)
    assert {copy_of(ledger, folder, one).state for one in many} == {CopyState.VERIFIED}


def test_a_copy_that_was_meant_and_never_made_is_no_copy(ledger: Ledger, folder: ScriptedFolder) -> None:
    folder.fails_with = FerryError(Kind.DISK_FULL, "no room")
    with pytest.raises(FerryError):
        copier(ledger, folder).copy([ONE])
    assert kind_of(copier(ledger, folder).verify_again([ONE.digest])[ONE.digest]) is Kind.MISMATCH
    assert copier(ledger, folder).stored_body(ONE.digest) is None
    assert folder.calls == ["store 1", "read 0"]


def test_what_stands_there_is_given_as_far_as_it_can_be_read(ledger: Ledger, folder: ScriptedFolder) -> None:
    copier(ledger, folder).copy([ONE, TWO])
    folder.stored.pop("copy-1")
    body = copier(ledger, folder).stored_body(ONE.digest)
    assert body is not None
    assert b"".join(body.chunks()) == b"".join(ONE.body.chunks())
    assert copier(ledger, folder).stored_body(TWO.digest) is None
    assert copier(ledger, folder).stored_body(THREE.digest) is None


def test_a_copy_that_stays_unreadable_is_recorded_once(ledger: Ledger, folder: ScriptedFolder) -> None:
    copier(ledger, folder).copy([ONE])
    for words in ("first words", "other words"):
        folder.read_errors = {"copy-0": FerryError(Kind.ARCHIVE, words)}
        assert kind_of(copier(ledger, folder).copy([ONE])[0]) is Kind.ARCHIVE
    assert copy_of(ledger, folder, ONE).state is CopyState.DAMAGED
    assert copy_of(ledger, folder, ONE).reason == "first words"


# Repairs.


def test_a_repair_stores_a_damaged_copy_once_more_and_no_other(ledger: Ledger, folder: ScriptedFolder) -> None:
    copier(ledger, folder).copy([ONE, TWO])
    folder.stored["copy-0"] = b"damage"
    assert kind_of(copier(ledger, folder).copy([ONE])[0]) is Kind.MISMATCH
    folder.calls.clear()
    assert repairing(ledger, folder).copy([ONE, TWO]) == [CopyResult.COPIED, CopyResult.DUPLICATE]
    assert folder.calls == ["read 1", "store 1", "read 2"]
    assert repairing(ledger, folder).copy([ONE, TWO]) == [CopyResult.DUPLICATE, CopyResult.DUPLICATE]
    assert len(folder.stored) == 3


def test_without_a_repair_a_damaged_copy_is_read_once_and_left(ledger: Ledger, folder: ScriptedFolder) -> None:
    copier(ledger, folder).copy([ONE])
    folder.stored["copy-0"] = b"damage"
    folder.calls.clear()
    for _ in range(2):
        assert kind_of(copier(ledger, folder).copy([ONE])[0]) is Kind.MISMATCH
    assert folder.calls == ["read 1", "read 1"]


def test_a_repair_does_not_store_what_was_brought_back_meanwhile(ledger: Ledger, folder: ScriptedFolder) -> None:
    copier(ledger, folder).copy([ONE])
    whole, folder.stored["copy-0"] = folder.stored["copy-0"], b"damage"
    copier(ledger, folder).copy([ONE])
    folder.stored["copy-0"] = whole
    assert repairing(ledger, folder).copy([ONE]) == [CopyResult.DUPLICATE]
    assert len(folder.stored) == 1


# Mailboxes.


@pytest.fixture
def mailbox() -> ScriptedMailbox:
    return ScriptedMailbox(alter=lambda content: content.removesuffix(b"\r\n"))


@pytest.mark.parametrize("step", [None, "copies.written", "copies.stored"])
def test_a_mailbox_is_only_inspected_where_an_upload_was_cut_short(
    ledger: Ledger, mailbox: ScriptedMailbox, step: str | None
) -> None:
    if step is None:
        copier(ledger, mailbox).copy([ONE])
    else:
        with pytest.raises(CrashError):
            copier(ledger, mailbox, die_at(step)).copy([ONE])
    before = mailbox.recoveries
    assert copier(ledger, mailbox).inspect() == []
    assert mailbox.recoveries - before == (0 if step is None else 1)
    assert copy_of(ledger, mailbox, ONE).state is CopyState.VERIFIED


def moved(ledger: Ledger, mailbox: ScriptedMailbox) -> None:
    """Give the copy of ONE another place, as after a new UIDVALIDITY."""
    copy_id = copy_of(ledger, mailbox, ONE).copy_id
    mailbox.stored = {"copy-40": mailbox.stored["copy-0"]}
    mailbox.moves = [[Relocated(copy_id, ImapLocator(2, 41))]]


@pytest.mark.parametrize("ask", ["bring", "reprove", "stored_body"])
def test_a_copy_whose_place_changed_is_found_before_anything_is_asked_of_it(
    ledger: Ledger, mailbox: ScriptedMailbox, ask: str
) -> None:
    asked = copier(ledger, mailbox)
    asked.copy([ONE])
    moved(ledger, mailbox)
    match ask:
        case "bring":
            assert asked.copy([ONE]) == [CopyResult.DUPLICATE]
        case "reprove":
            assert asked.verify_again([ONE.digest]) == {ONE.digest: None}
        case _:
            assert asked.stored_body(ONE.digest) is not None


@pytest.mark.parametrize(
    ("required", "place", "cure"),
    [
        (Proof.EXACT, "", 'to accept it, write proof = "canonical"'),
        (Proof.EXACT, "in a.toml, line 7", 'to accept it, write proof = "canonical" in a.toml, line 7'),
        (Proof.CANONICAL, "", None),
        (Proof.SEMANTIC, "", None),
    ],
)
def test_what_a_server_alters_is_proven_as_far_as_is_asked_or_waits_for_a_setting(
    ledger: Ledger, mailbox: ScriptedMailbox, required: Proof, place: str, cure: str | None
) -> None:
    mailbox.alters, mailbox.required_proof, mailbox.setting_place = {ONE.digest}, required, place
    [outcome] = copier(ledger, mailbox).copy([ONE])
    copy = copy_of(ledger, mailbox, ONE)
    if cure is None:
        assert (outcome, copy.state, copy.proof) == (CopyResult.COPIED, CopyState.VERIFIED, Proof.CANONICAL)
    else:
        assert isinstance(outcome, FerryError)
        assert (outcome.kind, outcome.cure, copy.state) == (Kind.UNPROVEN, cure, CopyState.UNPROVEN)
    copier(ledger, mailbox).copy([ONE])
    assert len(mailbox.stored) == 1


@pytest.mark.parametrize("required", [Proof.EXACT, Proof.CANONICAL])
def test_only_the_original_proves_again_what_a_server_altered_and_the_others_are_read(
    ledger: Ledger, mailbox: ScriptedMailbox, required: Proof
) -> None:
    mailbox.alters, mailbox.required_proof = {ONE.digest}, required
    copier(ledger, mailbox).copy([ONE, TWO, THREE])
    mailbox.stored["copy-2"] = b"damage"
    before = copy_of(ledger, mailbox, ONE)
    verdicts = copier(ledger, mailbox).verify_again([ONE.digest, TWO.digest, THREE.digest])
    assert kind_of(verdicts[ONE.digest]) is Kind.UNPROVEN
    assert verdicts[TWO.digest] is None
    assert kind_of(verdicts[THREE.digest]) is Kind.MISMATCH
    assert copy_of(ledger, mailbox, ONE) == before
    assert copy_of(ledger, mailbox, THREE).state is CopyState.DAMAGED


def test_an_altered_copy_that_was_never_read_back_waits_for_its_original(
    ledger: Ledger, mailbox: ScriptedMailbox
) -> None:
    mailbox.alters = {ONE.digest}
    with pytest.raises(CrashError):
        copier(ledger, mailbox, die_at("copies.stored")).copy([ONE])
    copier(ledger, mailbox).inspect()
    assert copy_of(ledger, mailbox, ONE).state is CopyState.STORED
    copier(ledger, mailbox).copy([ONE])
    assert copy_of(ledger, mailbox, ONE).state is CopyState.UNPROVEN


def test_what_differs_in_a_folder_is_damaged_whether_its_original_is_at_hand_or_not(
    ledger: Ledger, folder: ScriptedFolder
) -> None:
    with pytest.raises(CrashError):
        copier(ledger, folder, die_at("copies.stored")).copy([ONE])
    folder.stored["copy-0"] = b"damage"
    copier(ledger, folder).inspect()
    assert copy_of(ledger, folder, ONE).state is CopyState.DAMAGED


def test_a_mailbox_that_does_not_show_a_copy_now_makes_it_nothing_else(
    ledger: Ledger, mailbox: ScriptedMailbox
) -> None:
    copier(ledger, mailbox).copy([ONE])
    mailbox.read_errors = {"copy-0": FerryError(Kind.TEMPORARY, "not now")}
    assert kind_of(copier(ledger, mailbox).copy([ONE])[0]) is Kind.TEMPORARY
    assert copy_of(ledger, mailbox, ONE).state is CopyState.VERIFIED
