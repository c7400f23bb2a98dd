"""What every destination promises (``migrator.destinations``), held against each implementation.

An implementation joins by a ``Kind`` in ``KINDS``: how to open it as a new run would, and how somebody else puts mail
there. A destination that cannot give back the exact bytes says so by its ``required_proof``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from migrator.copy_records import Found
from migrator.destinations import Destination, Stored
from migrator.destinations.maildir.destination import MaildirDestination
from migrator.destinations.mbox.destination import MboxDestination
from migrator.errors import FerryError, Kind
from migrator.message.body import Message
from migrator.model import Proof
from tests.contract.support import (
    NOW,
    Memory,
    Pieces,
    content_of,
    message,
    read,
    recover,
    simple,
    store,
)
from tests.unit.destinations.mbox.test_mboxrd import ODD_MESSAGES


@dataclass(frozen=True)
class Place:
    """One kind of destination at one place. ``reopen`` gives a new object for the same place, as a new run does."""

    reopen: Callable[[], Destination]
    another: Callable[[], Destination]
    put_by_somebody: Callable[[bytes], None]
    lose_everything: Callable[[], None]


def mbox_place(folder: Path) -> Place:
    def opened(name: str = "archive") -> MboxDestination:
        return MboxDestination(folder / name, state_dir=folder / "state", clock=lambda: NOW, lock_timeout=0.05)

    def put(content: bytes) -> None:
        (folder / "archive").mkdir(exist_ok=True)
        record = b"From somebody@example.org Mon Nov 23 12:00:05 2026\n" + content.replace(b"\r\n", b"\n") + b"\n"
        with (folder / "archive" / "2026-11-001.mbox").open("ab") as volume:
            volume.write(record)

    def lose() -> None:
        for volume in (folder / "archive").glob("*.mbox"):
            volume.write_bytes(b"")

    return Place(opened, lambda: opened("another"), put, lose)


def maildir_place(folder: Path) -> Place:
    def opened(name: str = "archive") -> MaildirDestination:
        return MaildirDestination(folder / name, state_dir=folder / "state", clock=lambda: NOW, lock_timeout=0.05)

    def put(content: bytes) -> None:
        for name in ("tmp", "new", "cur"):
            (folder / "archive" / name).mkdir(parents=True, exist_ok=True)
        number = len(list((folder / "archive" / "new").iterdir()))
        file = folder / "archive" / "tmp" / f"1795000000.{number}.somebody"
        file.write_bytes(content.replace(b"\r\n", b"\n"))
        file.rename(folder / "archive" / "new" / file.name)

    def lose() -> None:
        for file in (folder / "archive" / "new").iterdir():
            file.unlink()

    return Place(opened, lambda: opened("another"), put, lose)


KINDS = {"mbox": mbox_place, "maildir": maildir_place}


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return KINDS[str(request.param)](tmp_path)


@pytest.fixture
def memory() -> Memory:
    return Memory()


def found_digests(findings: list[object]) -> list[bytes]:
    return sorted(finding.digest for finding in findings if isinstance(finding, Found))


def ready(place: Place, memory: Memory) -> Destination:
    """Open the destination and recover, as every run does first."""
    destination = place.reopen()
    recover(destination, memory)
    return destination


def test_it_says_what_it_is(place: Place) -> None:
    destination = place.reopen()
    assert destination.identity.startswith(f"{destination.kind}:")
    assert destination.identity == place.reopen().identity != place.another().identity
    assert destination.label
    assert destination.limits.messages >= 1
    assert destination.limits.octets >= 1 << 20


def test_what_is_stored_is_read_back_in_order(place: Place, memory: Memory) -> None:
    destination = ready(place, memory)
    messages = [simple(number) for number in range(40)]
    stored = store(destination, memory, messages)
    assert len({str(outcome) for outcome in stored.outcomes}) == 40
    assert read(destination, stored) == [content_of(each.body) for each in messages]
    backwards = Stored(tuple(reversed(stored.outcomes)))
    assert read(destination, backwards) == [content_of(each.body) for each in reversed(messages)]


def test_a_later_run_reads_what_an_earlier_one_stored(place: Place, memory: Memory) -> None:
    stored = store(ready(place, memory), memory, [simple(1), simple(2)])
    assert read(place.reopen(), stored) == [content_of(simple(n).body) for n in (1, 2)]


@pytest.mark.parametrize("content", ODD_MESSAGES.values(), ids=ODD_MESSAGES.keys())
def test_odd_messages_come_back_exactly_where_exactness_is_promised(
    place: Place, memory: Memory, content: bytes
) -> None:
    destination = ready(place, memory)
    if destination.required_proof is Proof.EXACT:
        for body in (None, Pieces(content, 40_009)):
            stored = store(destination, memory, [message(content, body)])
            assert read(destination, stored) == [content]


def test_a_large_message_streams(place: Place, memory: Memory) -> None:
    content = b"Subject: large\r\n\r\n" + b"From a\rb\r\n" * 400_000
    destination = ready(place, memory)
    stored = store(destination, memory, [simple(1), message(content, Pieces(content)), simple(2)])
    locators = [outcome for outcome in stored.outcomes if not isinstance(outcome, FerryError)]
    bodies = destination.read(locators)
    assert content_of(next(bodies)) == content_of(simple(1).body)
    large = next(bodies)
    assert not isinstance(large, FerryError)
    assert large.octets == len(content)
    assert max(map(len, large.chunks())) <= 2 << 20
    assert b"".join(large.chunks()) == content
    assert content_of(next(bodies)) == content_of(simple(2).body)


def test_an_empty_batch_is_nothing(place: Place, memory: Memory) -> None:
    destination = ready(place, memory)
    with destination.exclusive():
        assert destination.store([]).outcomes == ()
    assert list(destination.read([])) == []


def test_nothing_new_is_nothing_found(place: Place, memory: Memory) -> None:
    assert recover(place.reopen(), memory) == []
    destination = ready(place, memory)
    for number in range(3):
        store(destination, memory, [simple(number)])
    assert recover(place.reopen(), memory) == []


def test_a_batch_that_the_ledger_did_not_hear_of_is_found_once(place: Place, memory: Memory) -> None:
    store(ready(place, memory), memory, [simple(0)])
    destination = ready(place, memory)
    messages = [simple(1), simple(2)]
    with destination.exclusive():
        memory.intend(destination, destination.begin(messages), messages)
        destination.store(messages)
    later = place.reopen()
    assert found_digests(list(recover(later, memory))) == sorted(each.digest for each in messages)
    assert recover(place.reopen(), memory) == []
    for each in messages:
        (copy,) = later.read(memory.copies[each.digest])
        assert content_of(copy) == content_of(each.body)


def test_an_intent_without_any_store_leaves_nothing_to_find(place: Place, memory: Memory) -> None:
    store(ready(place, memory), memory, [simple(0)])
    destination = ready(place, memory)
    with destination.exclusive():
        memory.intend(destination, destination.begin([simple(1)]), [simple(1)])
    assert found_digests(list(recover(place.reopen(), memory))) == []
    stored = store(ready(place, memory), memory, [simple(1)])
    assert read(place.reopen(), stored) == [content_of(simple(1).body)]


def test_without_a_ledger_everything_is_found(place: Place, memory: Memory) -> None:
    messages = [simple(number) for number in range(7)]
    stored = store(ready(place, memory), memory, messages)
    lost = Memory()
    assert found_digests(list(recover(place.reopen(), lost))) == sorted(each.digest for each in messages)
    assert lost.copies == {each.digest: [outcome] for each, outcome in zip(messages, stored.outcomes, strict=True)}
    assert recover(place.reopen(), lost) == []


def test_found_messages_are_described_as_they_were_stored(place: Place, memory: Memory) -> None:
    store(ready(place, memory), memory, [simple(1)])
    (found,) = [finding for finding in recover(place.reopen(), Memory()) if isinstance(finding, Found)]
    one = simple(1)
    assert (found.header_digest, found.message_id, found.octets) == (one.header_digest, one.message_id, one.octets)


def test_mail_that_somebody_else_put_there_is_found(place: Place, memory: Memory) -> None:
    store(ready(place, memory), memory, [simple(0)])
    place.put_by_somebody(b"Subject: theirs\r\n\r\nx\r\n")
    destination = place.reopen()
    theirs = message(b"Subject: theirs\r\n\r\nx\r\n")
    assert theirs.digest in found_digests(list(recover(destination, memory)))
    (copy,) = destination.read(memory.copies[theirs.digest])
    assert content_of(copy) == content_of(theirs.body)
    store(destination, memory, [simple(1)])
    assert simple(0).digest in memory.copies


def test_mail_that_stood_there_before_the_first_run_is_found(place: Place, memory: Memory) -> None:
    contents = [b"Subject: %d\r\n\r\nx\r\n" % number for number in range(3)]
    for content in contents:
        place.put_by_somebody(content)
    assert found_digests(list(recover(place.reopen(), memory))) == sorted(message(c).digest for c in contents)
    assert recover(place.reopen(), memory) == []


def test_mail_put_there_during_a_run_is_found_by_a_later_one(place: Place, memory: Memory) -> None:
    destination = ready(place, memory)
    store(destination, memory, [simple(0)])
    place.put_by_somebody(b"Subject: theirs\r\n\r\nx\r\n")
    store(destination, memory, [simple(1)])
    assert message(b"Subject: theirs\r\n\r\nx\r\n").digest in found_digests(list(recover(place.reopen(), memory)))


def test_a_lost_copy_is_an_error_of_its_own(place: Place, memory: Memory) -> None:
    destination = ready(place, memory)
    stored = store(destination, memory, [simple(1), simple(2)])
    place.lose_everything()
    locators = [outcome for outcome in stored.outcomes if not isinstance(outcome, FerryError)]
    for copy in destination.read(locators):
        assert isinstance(copy, FerryError)
        assert copy.kind is Kind.MISMATCH
        assert copy.cure


def test_two_runs_exclude_each_other_and_other_places_are_free(place: Place) -> None:
    with place.reopen().exclusive():
        with pytest.raises(FerryError) as caught, place.reopen().exclusive():
            pytest.fail("two at once")
        assert caught.value.kind is Kind.LOCKED
        with place.another().exclusive():
            pass
    with place.reopen().exclusive():
        pass


def test_probing_changes_nothing(place: Place, tmp_path: Path) -> None:
    facts = place.reopen().probe()
    assert facts
    assert list(tmp_path.iterdir()) == []


def test_closing_never_raises(place: Place, memory: Memory) -> None:
    destination = ready(place, memory)
    with destination.exclusive():
        destination.begin([simple(1)])
        destination.close()
    destination.close()


def test_no_handle_stays_open(place: Place, memory: Memory) -> None:
    def handles() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # a listing keeps its own handle open otherwise

    before = handles()
    destination = ready(place, memory)
    stored = store(destination, memory, [simple(1), message(b"x" * 3_000_000)])
    locators = [outcome for outcome in stored.outcomes if not isinstance(outcome, FerryError)]
    list(destination.read(locators))
    unfinished = destination.read(locators)
    next(unfinished)
    unfinished_large = destination.read(locators[1:])
    next(unfinished_large)
    del unfinished, unfinished_large
    recover(place.reopen(), Memory())
    destination.close()
    assert handles() == before


def test_one_batch_after_another_under_one_lock(place: Place, memory: Memory) -> None:
    destination = ready(place, memory)
    batches: list[list[Message]] = [[simple(number), simple(number + 100)] for number in range(4)]
    with destination.exclusive():
        for messages in batches:
            memory.intend(destination, destination.begin(messages), messages)
            memory.note(messages, destination.store(messages))
    for messages in batches:
        places = [memory.copies[each.digest][0] for each in messages]
        assert [content_of(copy) for copy in destination.read(places)] == [content_of(m.body) for m in messages]
