"""What every destination promises (``migrator.destinations``): one class that each implementation joins.

A kind joins by a subclass whose fixture ``place`` says how to open it as a new run would, and how somebody else puts
mail there: see ``test_destinations.py``. What only some can promise stands in a flag of ``Place``; a test of it says
what holds with the flag, and what without, so that no promise is left out anywhere.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from migrator.copy_records import Finding, Found
from migrator.destinations import Destination, Stored
from migrator.errors import FerryError, Kind
from migrator.message.body import Message
from migrator.model import Digest
from tests.contract.support import Memory, content_of, read, recover, store
from tests.mail import ODD_MESSAGES, Pieces, message_of, simple

THEIRS = [b"Subject: theirs %d\r\n\r\nx\r\n" % number for number in range(3)]


def open_handles() -> int:
    """Return how many files and sockets this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # a listing keeps its own handle open otherwise


def settled(measure: Callable[[], int]) -> int:
    """Return a number once it has stayed the same for a moment."""
    seen: list[int] = []
    while len(seen) < 8 or len(set(seen[-8:])) > 1:
        seen.append(measure())
        time.sleep(0.02)
    return seen[-1]


@dataclass(frozen=True)
class Place:
    """One kind of destination at one place. ``reopen`` gives a new object for the same place, as a new run does.

    ``may_change`` names the odd messages that it may refuse or alter; all others come back to
    the byte. ``adopts_mail``: it is ours
    alone, so that ``recover`` finds whatever stands there; a mailbox belongs to its owner, and ``recover`` looks there
    only for what was meant to be stored.
    """

    reopen: Callable[[], Destination]
    another: Callable[[], Destination]
    put_by_somebody: Callable[[bytes], object]
    lose_everything: Callable[[], object]
    may_change: frozenset[str] = frozenset()
    adopts_mail: bool = True
    handles: Callable[[], int] = open_handles

    def adopted(self, messages: list[Message]) -> list[Digest]:
        """Return the digests of those messages that recovery finds without having been told of them, sorted."""
        return sorted(each.digest for each in messages) if self.adopts_mail else []


def found_digests(findings: list[Finding]) -> list[Digest]:
    return sorted(finding.digest for finding in findings if isinstance(finding, Found))


def ready(place: Place, memory: Memory) -> Destination:
    """Open the destination and recover, as every run does first."""
    destination = place.reopen()
    recover(destination, memory)
    return destination


class DestinationContract:
    """Its subclasses are named ``Test…`` and have a fixture ``place``."""

    @pytest.fixture
    def memory(self) -> Memory:
        return Memory()

    def test_it_says_what_it_is(self, place: Place) -> None:
        destination = place.reopen()
        assert destination.identity.startswith(f"{destination.kind}:")
        assert destination.identity == place.reopen().identity != place.another().identity
        assert destination.label
        assert destination.limits.messages >= 1
        assert destination.limits.octets >= 1 << 20

    def test_what_is_stored_is_read_back_in_order(self, place: Place, memory: Memory) -> None:
        destination = ready(place, memory)
        messages = [simple(number) for number in range(40)]
        stored = store(destination, memory, messages)
        assert len({str(outcome) for outcome in stored.outcomes}) == 40
        assert read(destination, stored) == [content_of(each.body) for each in messages]
        backwards = Stored(tuple(reversed(stored.outcomes)))
        assert read(destination, backwards) == [content_of(each.body) for each in reversed(messages)]

    def test_a_later_run_reads_what_an_earlier_one_stored(self, place: Place, memory: Memory) -> None:
        stored = store(ready(place, memory), memory, [simple(1), simple(2)])
        assert read(place.reopen(), stored) == [content_of(simple(n).body) for n in (1, 2)]

    def test_odd_messages_come_back_exactly_but_for_those_that_it_names(self, place: Place, memory: Memory) -> None:
        destination = ready(place, memory)
        for oddity, content in ODD_MESSAGES.items():
            for body in (None, Pieces(content, 40_009)):
                stored = store(destination, memory, [message_of(content, body)])
                assert len(stored.outcomes) == 1, oddity
                assert read(destination, stored) == [content] or oddity in place.may_change, oddity
        assert read(destination, store(destination, memory, [simple(1)])) == [content_of(simple(1).body)]

    def test_a_large_message_streams(self, place: Place, memory: Memory) -> None:
        content = b"Subject: large\r\n\r\n" + b"From a\rb\r\n" * 400_000
        destination = ready(place, memory)
        stored = store(destination, memory, [simple(1), message_of(content, Pieces(content)), simple(2)])
        locators = [outcome for outcome in stored.outcomes if not isinstance(outcome, FerryError)]
        bodies = destination.read(locators)
        assert content_of(next(bodies)) == content_of(simple(1).body)
        large = next(bodies)
        assert not isinstance(large, FerryError)
        assert large.octets == len(content)
        assert max(map(len, large.chunks())) <= 2 << 20
        assert b"".join(large.chunks()) == content
        assert content_of(next(bodies)) == content_of(simple(2).body)

    def test_an_empty_batch_is_nothing(self, place: Place, memory: Memory) -> None:
        destination = ready(place, memory)
        with destination.exclusive():
            assert destination.store([]).outcomes == ()
        assert list(destination.read([])) == []

    def test_nothing_new_is_nothing_found(self, place: Place, memory: Memory) -> None:
        assert recover(place.reopen(), memory) == []
        destination = ready(place, memory)
        for number in range(3):
            store(destination, memory, [simple(number)])
        assert recover(place.reopen(), memory) == []

    def test_a_batch_that_the_ledger_did_not_hear_of_is_found_once(self, place: Place, memory: Memory) -> None:
        store(ready(place, memory), memory, [simple(0)])
        destination = ready(place, memory)
        messages = [simple(1), simple(2)]
        with destination.exclusive():
            memory.intend(destination, destination.begin(messages), messages)
            destination.store(messages)
        later = place.reopen()
        assert found_digests(recover(later, memory)) == sorted(each.digest for each in messages)
        assert recover(place.reopen(), memory) == []
        for each in messages:
            (copy,) = later.read(memory.copies[each.digest])
            assert content_of(copy) == content_of(each.body)

    def test_an_intent_without_any_store_leaves_nothing_to_find(self, place: Place, memory: Memory) -> None:
        store(ready(place, memory), memory, [simple(0)])
        destination = ready(place, memory)
        with destination.exclusive():
            memory.intend(destination, destination.begin([simple(1)]), [simple(1)])
        assert found_digests(recover(place.reopen(), memory)) == []
        stored = store(ready(place, memory), memory, [simple(1)])
        assert read(place.reopen(), stored) == [content_of(simple(1).body)]

    def test_without_a_ledger_everything_is_found_where_mail_is_adopted(self, place: Place, memory: Memory) -> None:
        messages = [simple(number) for number in range(7)]
        stored = store(ready(place, memory), memory, messages)
        lost = Memory()
        assert found_digests(recover(place.reopen(), lost)) == place.adopted(messages)
        if place.adopts_mail:
            assert lost.copies == {m.digest: [outcome] for m, outcome in zip(messages, stored.outcomes, strict=True)}
        assert recover(place.reopen(), lost) == []

    def test_found_messages_are_described_as_they_were_stored(self, place: Place, memory: Memory) -> None:
        one, destination = simple(1), ready(place, memory)
        with destination.exclusive():
            memory.intend(destination, destination.begin([one]), [one])
            destination.store([one])
        (found,) = [finding for finding in recover(place.reopen(), memory) if isinstance(finding, Found)]
        assert (found.header_digest, found.message_id, found.octets) == (one.header_digest, one.message_id, one.octets)

    def test_mail_that_somebody_else_put_there_is_found_where_mail_is_adopted(
        self, place: Place, memory: Memory
    ) -> None:
        store(ready(place, memory), memory, [simple(0)])
        place.put_by_somebody(THEIRS[0])
        destination, theirs = place.reopen(), message_of(THEIRS[0])
        assert found_digests(recover(destination, memory)) == place.adopted([theirs])
        for copy in destination.read(memory.copies.get(theirs.digest, [])):
            assert content_of(copy) == THEIRS[0]
        stored = store(destination, memory, [simple(1)])
        assert read(destination, stored) == [content_of(simple(1).body)]
        assert [content_of(copy) for copy in destination.read(memory.copies[simple(0).digest])] == [
            content_of(simple(0).body)
        ]

    def test_mail_that_stood_there_before_the_first_run_is_found_where_mail_is_adopted(
        self, place: Place, memory: Memory
    ) -> None:
        for content in THEIRS:
            place.put_by_somebody(content)
        assert found_digests(recover(place.reopen(), memory)) == place.adopted([message_of(c) for c in THEIRS])
        assert recover(place.reopen(), memory) == []

    def test_mail_put_there_during_a_run_is_found_by_a_later_one_where_mail_is_adopted(
        self, place: Place, memory: Memory
    ) -> None:
        destination = ready(place, memory)
        store(destination, memory, [simple(0)])
        place.put_by_somebody(THEIRS[0])
        store(destination, memory, [simple(1)])
        later = place.reopen()
        found = found_digests(recover(later, memory))
        assert (message_of(THEIRS[0]).digest in found) is place.adopts_mail
        for number in range(2):
            (copy,) = later.read(memory.copies[simple(number).digest])
            assert content_of(copy) == content_of(simple(number).body)

    def test_a_lost_copy_is_an_error_of_its_own(self, place: Place, memory: Memory) -> None:
        destination = ready(place, memory)
        stored = store(destination, memory, [simple(1), simple(2)])
        place.lose_everything()
        locators = [outcome for outcome in stored.outcomes if not isinstance(outcome, FerryError)]
        for copy in destination.read(locators):
            assert isinstance(copy, FerryError)
            assert copy.kind is Kind.MISMATCH
            assert copy.cure

    def test_two_runs_exclude_each_other_and_other_places_are_free(self, place: Place) -> None:
        with place.reopen().exclusive():
            with pytest.raises(FerryError) as caught, place.reopen().exclusive():
                pytest.fail("two at once")
            assert caught.value.kind is Kind.LOCKED
            with place.another().exclusive():
                pass
        with place.reopen().exclusive():
            pass

    def test_probing_changes_nothing(self, place: Place, tmp_path: Path) -> None:
        facts = place.reopen().probe()
        assert facts
        assert list(tmp_path.iterdir()) == []

    def test_closing_never_raises(self, place: Place, memory: Memory) -> None:
        destination = ready(place, memory)
        with destination.exclusive():
            destination.begin([simple(1)])
            destination.close()
        destination.close()

    def test_no_handle_stays_open(self, place: Place, memory: Memory) -> None:
        before = place.handles()
        destination = ready(place, memory)
        stored = store(destination, memory, [simple(1), message_of(b"x" * 3_000_000)])
        locators = [outcome for outcome in stored.outcomes if not isinstance(outcome, FerryError)]
        list(destination.read(locators))
        unfinished = destination.read(locators)
        next(unfinished)
        unfinished_large = destination.read(locators[1:])
        next(unfinished_large)
        del unfinished, unfinished_large
        recover(place.reopen(), Memory())
        destination.close()
        assert place.handles() == before

    def test_one_batch_after_another_under_one_lock(self, place: Place, memory: Memory) -> None:
        destination = ready(place, memory)
        batches: list[list[Message]] = [[simple(number), simple(number + 100)] for number in range(4)]
        with destination.exclusive():
            for messages in batches:
                memory.intend(destination, destination.begin(messages), messages)
                memory.note(messages, destination.store(messages))
        for messages in batches:
            places = [memory.copies[each.digest][0] for each in messages]
            assert [content_of(copy) for copy in destination.read(places)] == [content_of(m.body) for m in messages]
