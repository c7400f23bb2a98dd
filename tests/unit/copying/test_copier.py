from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator.copying.copier import Copier, CopyResult
from migrator.destinations import BatchLimits
from migrator.errors import FerryError, GoneError, Kind
from migrator.ledger import Ledger
from migrator.ledger.copies import Judged
from migrator.message.body import Message
from migrator.model import CopyState, Proof
from migrator.policy import WhenCopyIsGone
from tests.mail import message_of, simple
from tests.memory_destination import CrashError, MemoryDestination


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path)) as ledger:
        yield ledger


@pytest.fixture
def archive_folder() -> MemoryDestination:
    return MemoryDestination()


def copier(
    ledger: Ledger, archive_folder: MemoryDestination, step: Callable[[str], None] = lambda _name: None
) -> Copier:
    return Copier(
        archive_folder, ledger.copies(archive_folder.identity, archive_folder.kind), clock=lambda: 7.0, step=step
    )


ONE, TWO, THREE = (simple(number) for number in (1, 2, 3))


def test_what_is_lacking_is_stored_and_what_is_there_is_not_stored_again(
    ledger: Ledger, archive_folder: MemoryDestination
) -> None:
    assert copier(ledger, archive_folder).copy([ONE, TWO]) == [CopyResult.COPIED, CopyResult.COPIED]
    assert copier(ledger, archive_folder).copy([TWO, THREE]) == [CopyResult.DUPLICATE, CopyResult.COPIED]
    assert len(archive_folder.stored) == 3
    assert archive_folder.calls == ["store 2", "read 2", "store 1", "read 2"]


def test_equal_messages_of_one_batch_are_stored_once(ledger: Ledger, archive_folder: MemoryDestination) -> None:
    assert copier(ledger, archive_folder).copy([ONE, TWO, ONE, ONE]) == [
        CopyResult.COPIED,
        CopyResult.COPIED,
        CopyResult.DUPLICATE,
        CopyResult.DUPLICATE,
    ]
    assert len(archive_folder.stored) == 2


def test_every_effect_stands_in_the_ledger_before_the_next(ledger: Ledger, archive_folder: MemoryDestination) -> None:
    steps: list[tuple[str, set[str]]] = []

    def note(name: str) -> None:
        with ledger._connection.reading() as sql:  # noqa: SLF001  # the test looks behind the curtain
            steps.append((name, {row[0] for row in sql.execute("select state from copies")}))

    copier(ledger, archive_folder, note).copy([ONE])
    assert steps == [
        ("copies.intended", {"intended"}),
        ("copies.written", {"intended"}),
        ("copies.stored", {"stored"}),
        ("copies.read-back", {"stored"}),
        ("copies.judged", {"verified"}),
    ]


def test_one_refused_message_does_not_hold_up_the_others(ledger: Ledger, archive_folder: MemoryDestination) -> None:
    archive_folder.refuses = {TWO.digest}
    first, second, third = copier(ledger, archive_folder).copy([ONE, TWO, THREE])
    assert (first, third) == (CopyResult.COPIED, CopyResult.COPIED)
    assert isinstance(second, FerryError)
    assert second.kind is Kind.REFUSED
    archive_folder.refuses = set()
    assert copier(ledger, archive_folder).copy([TWO]) == [CopyResult.COPIED]


def test_a_destination_that_fails_as_a_whole_raises_and_the_next_run_stores_once(
    ledger: Ledger, archive_folder: MemoryDestination
) -> None:
    archive_folder.fails_with = FerryError(Kind.DISK_FULL, "no room")
    with pytest.raises(FerryError, match="no room"):
        copier(ledger, archive_folder).copy([ONE, TWO])
    archive_folder.fails_with = None
    assert copier(ledger, archive_folder).copy([ONE, TWO]) == [CopyResult.COPIED, CopyResult.COPIED]
    assert len(archive_folder.stored) == 2


def test_what_a_crashed_run_stored_is_adopted_and_proven_and_not_stored_again(
    ledger: Ledger, archive_folder: MemoryDestination
) -> None:
    archive_folder.dies_after_store = True
    with pytest.raises(CrashError):
        copier(ledger, archive_folder).copy([ONE, TWO])
    archive_folder.dies_after_store = False
    assert copier(ledger, archive_folder).copy([ONE, TWO]) == [CopyResult.DUPLICATE, CopyResult.DUPLICATE]
    assert len(archive_folder.stored) == 2


def test_a_copy_that_was_stored_but_never_read_back_is_proven_later(
    ledger: Ledger, archive_folder: MemoryDestination
) -> None:
    def die(name: str) -> None:
        if name == "copies.stored":
            raise CrashError

    with pytest.raises(CrashError):
        copier(ledger, archive_folder, die).copy([ONE])
    copies = ledger.copies(archive_folder.identity, archive_folder.kind)
    assert copies.find([ONE.digest])[ONE.digest].state is CopyState.STORED
    assert copier(ledger, archive_folder).copy([ONE]) == [CopyResult.DUPLICATE]
    assert copies.find([ONE.digest])[ONE.digest].state is CopyState.VERIFIED
    assert len(archive_folder.stored) == 1


@pytest.mark.parametrize("one", [ONE, message_of(b"Subject: not as received\r\n")], ids=["compared", "hashed"])
def test_a_copy_that_differs_is_a_mismatch_and_is_never_stored_a_second_time(
    ledger: Ledger, archive_folder: MemoryDestination, one: Message
) -> None:
    archive_folder.alters = {one.digest}
    for _ in range(3):
        [outcome] = copier(ledger, archive_folder).copy([one])
        assert isinstance(outcome, FerryError)
        assert outcome.kind is Kind.MISMATCH
    assert len(archive_folder.stored) == 1
    copies = ledger.copies(archive_folder.identity, archive_folder.kind)
    assert copies.find([one.digest])[one.digest].state is CopyState.DAMAGED


def test_bytes_of_which_the_digest_was_not_taken_prove_nothing(
    ledger: Ledger, archive_folder: MemoryDestination
) -> None:
    other = ONE._replace(digest=TWO.digest)
    [outcome] = copier(ledger, archive_folder).copy([other])
    assert isinstance(outcome, FerryError)
    assert outcome.kind is Kind.MISMATCH


def test_what_the_source_changed_proves_the_copy_of_what_was_recorded(
    ledger: Ledger, archive_folder: MemoryDestination
) -> None:
    copier(ledger, archive_folder).copy([ONE])
    as_shown_now = TWO._replace(digest=ONE.digest)
    assert copier(ledger, archive_folder).copy([as_shown_now]) == [CopyResult.DUPLICATE]


def test_a_mismatch_that_reads_equal_later_is_proven(ledger: Ledger, archive_folder: MemoryDestination) -> None:
    assert copier(ledger, archive_folder).copy([ONE]) == [CopyResult.COPIED]
    [(name, content)] = archive_folder.stored.items()
    archive_folder.stored[name] = b"damage"
    assert isinstance(copier(ledger, archive_folder).copy([ONE])[0], FerryError)
    archive_folder.stored[name] = content
    assert copier(ledger, archive_folder).copy([ONE]) == [CopyResult.DUPLICATE]


@pytest.mark.parametrize(
    ("when", "outcome", "stored"),
    [
        (WhenCopyIsGone.KEEP, CopyResult.TAKEN_OUT, 0),
        (WhenCopyIsGone.ACCEPT, CopyResult.DUPLICATE, 0),
        (WhenCopyIsGone.RESTORE, CopyResult.COPIED, 1),
    ],
)
def test_a_copy_that_was_taken_out_counts_for_what_its_owner_says(
    ledger: Ledger, archive_folder: MemoryDestination, when: WhenCopyIsGone, outcome: CopyResult, stored: int
) -> None:
    assert copier(ledger, archive_folder).copy([ONE]) == [CopyResult.COPIED]
    archive_folder.stored.clear()
    archive_folder.when_copy_is_gone = when
    for expected in (outcome, CopyResult.DUPLICATE if outcome is CopyResult.COPIED else outcome):
        assert copier(ledger, archive_folder).copy([ONE]) == [expected]
    assert len(archive_folder.stored) == stored


@pytest.mark.parametrize("when", WhenCopyIsGone)
def test_what_was_never_shown_was_not_taken_out_by_anybody(
    ledger: Ledger, archive_folder: MemoryDestination, when: WhenCopyIsGone
) -> None:
    archive_folder.when_copy_is_gone = when
    archive_folder.drops = {ONE.digest}
    for _ in range(2):
        [outcome] = copier(ledger, archive_folder).copy([ONE])
        assert isinstance(outcome, FerryError)
        assert outcome.kind is Kind.MISMATCH
        assert isinstance(copier(ledger, archive_folder).verify_again([ONE.digest])[ONE.digest], FerryError)
    archive_folder.drops.clear()
    assert copier(ledger, archive_folder).copy([ONE]) == [CopyResult.COPIED]
    assert len(archive_folder.stored) == 1


def test_only_a_copy_that_was_proven_may_be_missing_and_count_as_there(
    ledger: Ledger, archive_folder: MemoryDestination
) -> None:
    copier(ledger, archive_folder).copy([ONE])
    copies = ledger.copies(archive_folder.identity, archive_folder.kind)
    copies.stored([(copy.copy_id, copy.locator) for copy in copies.all_copies() if copy.locator], [])
    copies.judged([Judged(copy.copy_id, CopyState.GONE, Proof.NONE) for copy in copies.all_copies()], 8.0)
    archive_folder.stored.clear()
    archive_folder.when_copy_is_gone = WhenCopyIsGone.ACCEPT
    assert copier(ledger, archive_folder).copy([ONE]) == [CopyResult.TAKEN_OUT]
    assert isinstance(copier(ledger, archive_folder).verify_again([ONE.digest])[ONE.digest], GoneError)


def test_a_destination_that_was_emptied_is_an_error_and_nothing_is_taken_for_gone(
    ledger: Ledger, archive_folder: MemoryDestination
) -> None:
    many = [simple(n) for n in range(12)]
    copier(ledger, archive_folder).copy(many)
    kept = dict(archive_folder.stored)
    archive_folder.stored.clear()
    with pytest.raises(FerryError, match="was emptied: 12 of the 12") as caught:
        copier(ledger, archive_folder).copy(many)
    assert caught.value.kind is Kind.ARCHIVE
    archive_folder.stored = kept
    assert copier(ledger, archive_folder).copy(many) == [CopyResult.DUPLICATE] * 12


def test_bytes_that_changed_between_digest_and_storing_are_never_taken_for_proven(
    ledger: Ledger, archive_folder: MemoryDestination
) -> None:
    flipped = ONE._replace(body=TWO.body)
    assert isinstance(copier(ledger, archive_folder).copy([flipped])[0], FerryError)
    assert (
        ledger.copies(archive_folder.identity, archive_folder.kind).find([ONE.digest])[ONE.digest].state
        is CopyState.DAMAGED
    )


def test_a_copy_that_was_taken_out_is_proven_again_only_where_that_is_accepted(
    ledger: Ledger, archive_folder: MemoryDestination
) -> None:
    copier(ledger, archive_folder).copy([ONE])
    archive_folder.stored.clear()
    kinds: list[Kind | None] = []
    for archive_folder.when_copy_is_gone in (WhenCopyIsGone.KEEP, WhenCopyIsGone.ACCEPT, WhenCopyIsGone.RESTORE):
        [error] = copier(ledger, archive_folder).verify_again([ONE.digest]).values()
        kinds.append(None if error is None else error.kind)
    assert kinds == [Kind.MISMATCH, None, Kind.UNPROVEN]


def test_a_batch_is_handed_over_in_parts_that_the_destination_likes(
    ledger: Ledger, archive_folder: MemoryDestination
) -> None:
    archive_folder.limits = BatchLimits(2, 1_000_000)
    assert copier(ledger, archive_folder).copy([simple(n) for n in range(5)]) == [CopyResult.COPIED] * 5
    assert [call for call in archive_folder.calls if call.startswith("store")] == ["store 2", "store 2", "store 1"]


def test_a_message_larger_than_any_batch_goes_alone(ledger: Ledger, archive_folder: MemoryDestination) -> None:
    archive_folder.limits = BatchLimits(100, 50)
    large = message_of(b"Subject: large\r\n\r\n" + b"x" * 500 + b"\r\n")
    assert copier(ledger, archive_folder).copy([ONE, large, TWO]) == [CopyResult.COPIED] * 3
    assert [call for call in archive_folder.calls if call.startswith("store")] == ["store 1"] * 3


def test_reading_again_tells_equal_from_damaged_from_absent(ledger: Ledger, archive_folder: MemoryDestination) -> None:
    copier(ledger, archive_folder).copy([ONE, TWO])
    damaged = next(name for name, content in archive_folder.stored.items() if b"message 2" in content)
    archive_folder.stored[damaged] = b"damage"
    verdicts = copier(ledger, archive_folder).verify_again([ONE.digest, TWO.digest, THREE.digest])
    assert verdicts[ONE.digest] is None
    assert [verdicts[digest].kind for digest in (TWO.digest, THREE.digest) if verdicts[digest]] == [  # type: ignore[union-attr]  # asked
        Kind.MISMATCH,
        Kind.MISMATCH,
    ]
    assert len(archive_folder.stored) == 2


def test_two_accounts_share_the_copies_of_one_place(ledger: Ledger, archive_folder: MemoryDestination) -> None:
    other = MemoryDestination(stored=archive_folder.stored)
    assert copier(ledger, archive_folder).copy([ONE]) == [CopyResult.COPIED]
    assert copier(ledger, other).copy([ONE]) == [CopyResult.DUPLICATE]
    elsewhere = MemoryDestination(identity="elsewhere")
    assert copier(ledger, elsewhere).copy([ONE]) == [CopyResult.COPIED]


class Provider(MemoryDestination):
    """A mailbox whose provider lets a user upload only so much."""

    stores: list[object]

    def meter(self, store: object) -> None:
        self.stores.append(store)


@pytest.mark.parametrize("is_shared", [True, False])
def test_what_a_provider_allows_is_counted_where_all_machines_see_it(
    tmp_path: Path, request: pytest.FixtureRequest, is_shared: bool
) -> None:
    place: Path | str = request.getfixturevalue("database") if is_shared else tmp_path
    mailbox = Provider("imap:ann@host/INBOX", kind="imap")
    mailbox.stores = []
    with closing(Ledger.open(place)) as ledger:
        Copier(mailbox, ledger.copies(mailbox.identity, mailbox.kind), clock=lambda: 7.0)
    assert [type(store).__name__ for store in mailbox.stores] == ["SharedAllowances"] * is_shared
