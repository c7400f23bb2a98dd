from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier, Thread

import pytest

from migrator.copy_records import ImapAnchor
from migrator.copying.census import EVERY_HOUR, LastLook, Numbers, SharedLooks, is_missing, is_worth_a_look, look
from migrator.destinations import Census
from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.ledger.copies import CopiesLedger, Judged
from migrator.model import CopyState, ImapLocator, Locator, Proof
from migrator.policy import WhenCopyIsGone
from tests.mail import simple
from tests.memory_destination import MemoryDestination

KEEP, RESTORE, ACCEPT = WhenCopyIsGone.KEEP, WhenCopyIsGone.RESTORE, WhenCopyIsGone.ACCEPT
MISSING = FerryError(Kind.ARCHIVE, "it is gone", finding="mailbox-missing")
AWAY = FerryError(Kind.CONNECT, "nobody answers", finding="host-unreachable")


@dataclass
class Mailbox(MemoryDestination):
    """A mailbox that says how many messages it holds; None where it is not there."""

    kind: str = "imap"
    numbers: Census | None = None
    gone: frozenset[int] = frozenset()
    asked: list[int] = field(default_factory=list)

    def count_missing(self, locators: Sequence[Locator]) -> int:
        uids = [one.uid for one in locators if isinstance(one, ImapLocator)]
        self.asked.append(len(uids))
        return len(self.gone & set(uids))

    def census(self) -> Census | None:
        return self.numbers

    def missing(self) -> FerryError:
        return MISSING


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[CopiesLedger]:
    with closing(Ledger.open(tmp_path)) as ledger:
        yield ledger.copies("a mailbox", "imap")


def proven(copies: CopiesLedger, count: int) -> None:
    """Let so many copies stand, proven, under UIDVALIDITY 1."""
    messages = [(simple(number), b"") for number in range(1, count + 1)]
    ids = list(copies.intended(ImapAnchor(1, 1), messages, 0.0).values())
    copies.stored([(copy_id, ImapLocator(1, uid)) for uid, copy_id in enumerate(ids, 1)], [])
    copies.judged([Judged(copy_id, CopyState.VERIFIED, Proof.EXACT, "") for copy_id in ids], 0.0)


def found(copies: CopiesLedger, messages: int | None, lacked: int = 0, *, is_dry: bool = False) -> int | str:
    """What a look says of a mailbox with so many messages: how many copies it lacks, or the finding."""
    numbers = None if messages is None else Census(1, 1_000, messages)
    gone = frozenset(range((messages or 0) + 1, copies.copies_known() + 1))
    try:
        return look(mailbox_of(numbers, gone), copies, LastLook(1.0, lacked), 2.0, is_dry=is_dry).lacked
    except FerryError as error:
        return error.finding if error.kind is Kind.ARCHIVE else str(error)


def mailbox_of(numbers: Census | None, gone: frozenset[int] = frozenset()) -> Mailbox:
    return Mailbox("a mailbox", numbers=numbers, gone=gone)


@pytest.mark.parametrize(
    ("known", "messages", "lacked", "expected"),
    [
        (12, 12, 0, 0),
        (12, 500, 0, 0),  # other mail stands there, too
        (12, 3, 0, 9),
        (12, 2, 0, "mailbox-missing"),
        (12, 0, 0, "mailbox-missing"),
        (9, 0, 0, 9),
        (20, 10, 0, 10),  # not more than half
        (21, 10, 0, "mailbox-missing"),
        (30, 2, 20, 28),  # little by little: 8 since the last look
        (30, 0, 15, "mailbox-missing"),
        (5, 5, 12, 0),  # the ledger has learnt since then which copies are gone
        (1, None, 0, "mailbox-missing"),
    ],
)
@pytest.mark.parametrize("is_dry", [False, True])
def test_what_is_missing_at_once(
    copies: CopiesLedger, known: int, messages: int | None, lacked: int, expected: int | str, is_dry: bool
) -> None:
    proven(copies, known)
    assert found(copies, messages, lacked, is_dry=is_dry) == expected
    assert {copy.state for copy in copies.all_copies()} == {CopyState.VERIFIED}


@pytest.mark.parametrize(
    ("known", "gone", "lacked", "expected"),
    [
        (12, 0, 0, 0),
        (12, 9, 0, 9),
        (12, 10, 0, "mailbox-missing"),
        (12, 12, 0, "mailbox-missing"),
        (9, 9, 0, 9),
        (20, 10, 0, 10),
        (20, 20, 12, 20),  # little by little
        (21, 11, 0, "mailbox-missing"),
        (900, 90, 0, 90),  # by a sample of 180
        (900, 452, 0, "mailbox-missing"),
        (900, 900, 0, "mailbox-missing"),
        (900, 450, 0, 450),  # the sample showed a loss, and all were asked for
    ],
)
@pytest.mark.parametrize("is_dry", [False, True])
def test_copies_that_other_mail_hides_are_missed_by_their_uids(
    copies: CopiesLedger, known: int, gone: int, lacked: int, expected: int | str, is_dry: bool
) -> None:
    proven(copies, known)
    mailbox = mailbox_of(Census(1, 9_000, 5_000), frozenset(range(known - gone + 1, known + 1)))
    last = LastLook(1.0, lacked, Numbers(1, 8_999, 5_000, known))
    if isinstance(expected, int):
        seen = look(mailbox, copies, last, 2.0, is_dry=is_dry)
        assert seen == LastLook(2.0, expected, Numbers(1, 9_000, 5_000, known))
    else:
        with pytest.raises(FerryError, match=f"{gone} of them are not there any more") as raised:
            look(mailbox, copies, last, 2.0, is_dry=is_dry)
        assert raised.value.finding == expected


def test_a_mailbox_that_shows_the_same_numbers_is_asked_nothing_more(copies: CopiesLedger) -> None:
    proven(copies, 12)
    mailbox = mailbox_of(Census(1, 9_000, 5_000))
    first = look(mailbox, copies, LastLook(), 1.0, is_dry=False)
    assert look(mailbox, copies, first, 2.0, is_dry=False) == replace(first, well_at=2.0)
    assert mailbox.asked == [12]
    mailbox.numbers = Census(1, 9_001, 5_000)  # one came and one went
    look(mailbox, copies, first, 3.0, is_dry=False)
    assert mailbox.asked == [12, 12]


def test_a_large_mailbox_is_asked_for_a_sample_while_it_shows_no_loss(copies: CopiesLedger) -> None:
    proven(copies, 900)
    mailbox = mailbox_of(Census(1, 9_000, 5_000), frozenset(range(1, 900, 5)))
    look(mailbox, copies, LastLook(), 1.0, is_dry=False)
    assert mailbox.asked == [180]
    mailbox.gone = frozenset(range(500, 901))
    look(mailbox, copies, LastLook(), 2.0, is_dry=False)
    assert mailbox.asked == [180, 180, 900]


def test_a_dry_run_does_not_count_the_copies_of_a_mailbox_that_was_made_again(copies: CopiesLedger) -> None:
    proven(copies, 12)
    mailbox = mailbox_of(Census(2, 9_000, 5_000))
    assert look(mailbox, copies, LastLook(), 1.0, is_dry=True).lacked == 0
    assert mailbox.asked == []


def test_a_place_without_numbers_lacks_nothing(copies: CopiesLedger) -> None:
    proven(copies, 12)
    assert look(MemoryDestination("a folder"), copies, LastLook(), 2.0, is_dry=False) == LastLook(2.0)
    assert not is_worth_a_look(MemoryDestination("a folder"), copies)


@pytest.mark.parametrize(("gone", "is_worth_it"), [(KEEP, True), (RESTORE, False), (ACCEPT, False)])
def test_a_mailbox_is_looked_at_where_copies_are_known_that_are_to_be_kept(
    copies: CopiesLedger, gone: WhenCopyIsGone, is_worth_it: bool
) -> None:
    mailbox = Mailbox("a mailbox", when_copy_is_gone=gone)
    assert not is_worth_a_look(mailbox, copies)
    proven(copies, 1)
    assert is_worth_a_look(mailbox, copies) == is_worth_it


@pytest.mark.parametrize(("now", "is_fresh"), [(999, False), (1_000, True), (4_599, True), (4_600, False)])
def test_a_look_is_good_for_an_hour(now: float, is_fresh: bool) -> None:
    assert LastLook(1_000.0).is_fresh(now, EVERY_HOUR) == is_fresh
    assert not LastLook(1_000.0).is_fresh(1_000.0, SharedLooks().good_for)
    assert not LastLook().is_fresh(1_000.0, EVERY_HOUR)


@dataclass
class Looking:
    """Looks that are counted, and say what they are told to."""

    says: FerryError | None = None
    looks: list[str] = field(default_factory=list)

    def at(self, name: str) -> Callable[[], None]:
        def look() -> None:
            self.looks.append(name)
            if self.says:
                raise self.says

        return look


def said(looks: SharedLooks, name: str, looking: Looking) -> FerryError | None:
    try:
        looks.once(name, looking.at(name))
    except FerryError as error:
        return error
    return None


@pytest.mark.parametrize(("says", "count"), [(None, 1), (MISSING, 1), (AWAY, 2)])
def test_what_was_seen_is_shared_and_what_could_not_be_seen_is_looked_at_again(
    says: FerryError | None, count: int
) -> None:
    looks, looking = SharedLooks(), Looking(says)
    assert [said(looks, "one", looking) for _ in range(2)] == [says, says]
    assert looking.looks == ["one"] * count
    assert is_missing(MISSING)
    assert not is_missing(AWAY)


def test_two_runs_that_look_at_the_same_time_look_once() -> None:
    looks, looking, start = SharedLooks(), Looking(), Barrier(8)

    def run() -> None:
        start.wait()
        said(looks, "one", looking)
        said(looks, "other", looking)

    threads = [Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(looking.looks) == ["one", "other"]
