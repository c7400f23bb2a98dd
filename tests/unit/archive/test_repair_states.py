"""Whatever the ledger believes and whatever stands there: a repair stores nothing twice, and asked again, nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from migrator.archive.mend import Mender
from migrator.archive.reader import ArchiveFolder, ArchiveReader
from migrator.archive.repair import Repair, Repaired
from migrator.copy_records import Finding, Found, Recollection
from migrator.destinations import Destination
from migrator.errors import FerryError, GoneError, Kind
from migrator.ledger import Ledger
from migrator.ledger.copies import Judged
from migrator.message.body import Body, MemoryBody, Message
from migrator.model import CopyState, ImapLocator, Locator, MaildirLocator, Proof
from migrator.policy import WhenCopyIsGone
from tests.mail import mail, message_of
from tests.memory_destination import MemoryDestination

CONTENTS = [mail(f"number {number}", "some text \rwith a bare CR", Message_ID=f"<{number}@x>") for number in range(4)]
STANDS = {
    "as it was": lambda content: content,
    "altered": lambda content: content.replace(b" \r", b" "),
    "another": lambda content: content.replace(b"some", b"s?me"),
    "unreadable": lambda content: content,
    "taken out": lambda content: content,
}
STATES = [CopyState.STORED, CopyState.VERIFIED, CopyState.UNPROVEN, CopyState.DAMAGED, CopyState.GONE]


@dataclass
class Place(MemoryDestination):
    """A folder or a mailbox in memory; a mailbox drops every bare CR of what is stored in it, where it alters."""

    is_altering: bool = False
    is_down: bool = False
    unreadable: frozenset[str] = frozenset()

    def _name(self, locator: Locator) -> str:
        return locator.base_name if isinstance(locator, MaildirLocator) else str(locator[1])

    def _locator(self, name: str) -> Locator:
        return ImapLocator(9, int(name)) if self.kind == "imap" else MaildirLocator(name)

    def _store(self, message: Message) -> Locator | FerryError:
        name = str(next(self._names) + 1_000)
        content = b"".join(message.body.chunks())
        self.stored[name] = content.replace(b" \r", b" ") if self.is_altering else content
        return self._locator(name)

    def recover(self, recollection: Recollection) -> Iterator[Finding]:
        self.refuse_if_down()
        meant = {one.digest for intent in recollection.intents for one in intent.messages}
        for name, content in self.stored.items():
            found = message_of(content)
            if found.digest in meant:
                yield Found(found.digest, found.header_digest, found.message_id, found.octets, self._locator(name))

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        self.refuse_if_down()
        for name in map(self._name, locators):
            if name in self.unreadable:
                error = FerryError(Kind.TEMPORARY if self.kind == "imap" else Kind.ARCHIVE, "not now")
                error.__cause__ = PermissionError()
                yield error
            elif name in self.stored:
                yield MemoryBody(self.stored[name])
            else:
                yield GoneError("it is gone")

    def count_missing(self, locators: Sequence[Locator]) -> int:
        return sum(self._name(locator) not in self.stored for locator in locators)

    def refuse_if_down(self) -> None:
        if self.is_down:
            raise FerryError(Kind.CONNECT, "nobody answers")


def a_good_copy(ledger: Ledger) -> ArchiveFolder:
    """A folder that holds every message as it was."""
    place = Place(identity="maildir:/good", label="good")
    copies = ledger.copies(place.identity, place.kind)
    for number, message in enumerate(map(message_of, CONTENTS)):
        place.stored[str(number)] = CONTENTS[number]
        locator = MaildirLocator(str(number))
        copies.found([Found(message.digest, message.header_digest, message.message_id, message.octets, locator)], [])
    copies.judged([Judged(copy.copy_id, CopyState.VERIFIED, Proof.EXACT) for copy in copies.all_copies()], 1.0)
    return ArchiveFolder(place, copies, ("alice",))


def a_doubtful_place(ledger: Ledger, place: Place, stands: Sequence[str], states: Sequence[CopyState]) -> ArchiveFolder:
    copies = ledger.copies(place.identity, place.kind)
    for number, (content, how) in enumerate(zip(CONTENTS, stands, strict=True)):
        message, name = message_of(content), str(number)
        if how != "taken out":
            place.stored[name] = STANDS[how](content)
        at = place._locator(name)  # noqa: SLF001
        copies.found([Found(message.digest, message.header_digest, message.message_id, message.octets, at)], [])
    place.unreadable = frozenset(str(number) for number, how in enumerate(stands) if how == "unreadable")
    known = {copy.digest: copy for copy in copies.all_copies()}
    for content, state in zip(CONTENTS, states, strict=True):
        proof = Proof.EXACT if state is CopyState.VERIFIED else Proof.NONE
        if state is not CopyState.STORED:
            copies.judged([Judged(known[message_of(content).digest].copy_id, state, proof)], 1.0)
    return ArchiveFolder(place, copies, ("alice",))


def repaired(ledger: Ledger, *reader: ArchiveFolder) -> Repaired:
    return Repair(ArchiveReader(reader), ledger.archive, Mender(ledger.archive), lambda _name, _wanted: iter(())).make(
        ["alice"]
    )


@pytest.mark.parametrize("kind", ["imap", "maildir"])
@given(
    stands=st.lists(st.sampled_from(list(STANDS)), min_size=4, max_size=4),
    states=st.lists(st.sampled_from(STATES), min_size=4, max_size=4),
    when=st.sampled_from(WhenCopyIsGone),
    is_altering=st.booleans(),
    is_down=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_repair_asked_for_again_changes_nothing(
    kind: str,
    stands: list[str],
    states: list[CopyState],
    when: WhenCopyIsGone,
    is_altering: bool,
    is_down: bool,
) -> None:
    with TemporaryDirectory() as folder, closing(Ledger.open(Path(folder))) as ledger:
        place = Place(identity=f"{kind}:/doubtful", label="doubtful", kind=kind, when_copy_is_gone=when)
        place.is_altering = is_altering and kind == "imap"
        good, doubtful = a_good_copy(ledger), a_doubtful_place(ledger, place, stands, states)
        before = dict(place.stored)
        place.is_down = is_down
        known = states_of(doubtful)
        if is_down:
            done = repaired(ledger, good, doubtful)
            is_asked = kind == "maildir" or CopyState.DAMAGED in states
            assert len(done.unreachable) == 1 or not is_asked
            assert (place.stored, states_of(doubtful)) == (before, known)
            place.is_down = False
        repaired(ledger, good, doubtful)
        after, known = dict(place.stored), states_of(doubtful)
        for _ in range(2):
            repaired(ledger, good, doubtful)
            assert (place.stored, states_of(doubtful)) == (after, known)
        nothing_is_doubled(place, before)
        if kind == "imap":
            what_is_no_damage_stays_alone(place, before, stands, states, when)
        if kind == "maildir":
            assert {message_of(content).digest for content in place.stored.values()} >= {
                message_of(content).digest
                for content, state in zip(CONTENTS, states, strict=True)
                if state in (CopyState.DAMAGED, CopyState.GONE)
            } - {message_of(CONTENTS[int(name)]).digest for name in place.unreadable}


@pytest.mark.parametrize(("when", "left"), [(WhenCopyIsGone.KEEP, (("mailbox", 2),)), (WhenCopyIsGone.ACCEPT, ())])
def test_what_is_left_taken_out_is_said(
    tmp_path: Path, when: WhenCopyIsGone, left: tuple[tuple[str, int], ...]
) -> None:
    gone = [CopyState.GONE, CopyState.GONE, CopyState.VERIFIED, CopyState.VERIFIED]
    stands = ["taken out", "taken out", "as it was", "as it was"]
    with closing(Ledger.open(tmp_path)) as ledger:
        place = Place(identity="imap:/mailbox", label="mailbox", kind="imap", when_copy_is_gone=when)
        done = repaired(ledger, a_good_copy(ledger), a_doubtful_place(ledger, place, stands, gone))
        assert (done.taken_out, len(place.stored)) == (left, 2)


def states_of(archive_folder: ArchiveFolder) -> list[tuple[bytes, CopyState, Locator | None]]:
    return [(copy.digest, copy.state, copy.locator) for copy in archive_folder.copies.all_copies()]


def nothing_is_doubled(place: Place, before: dict[str, bytes]) -> None:
    """No content stands there twice whole, and of no message more than one was added."""
    assert not [content for content, count in Counter(place.stored.values()).items() if count > 1]
    added = Counter(content.partition(b"Message-ID")[2] for name, content in place.stored.items() if name not in before)
    assert not added or max(added.values()) == 1


def what_is_no_damage_stays_alone(
    place: Place, before: dict[str, bytes], stands: Sequence[str], states: Sequence[CopyState], when: WhenCopyIsGone
) -> None:
    """Nothing is added to a mailbox for a copy that is altered, taken out without a setting, or cannot be read."""
    added = [content for name, content in place.stored.items() if name not in before]
    for content, how, state in zip(CONTENTS, stands, states, strict=True):
        message_id = content.partition(b"Message-ID")[2]
        is_added = any(
            one.partition(b"Message-ID")[2].replace(b" \r", b" ") == message_id.replace(b" \r", b" ") for one in added
        )
        was_not_kept = when is WhenCopyIsGone.RESTORE and state in (CopyState.DAMAGED, CopyState.GONE)
        is_restored = how == "taken out" and (state is CopyState.STORED or was_not_kept)  # never shown: not taken out
        is_looked_at = state is CopyState.DAMAGED or (state is CopyState.GONE and when is WhenCopyIsGone.RESTORE)
        is_mended = is_looked_at and how == "another"
        assert is_added == (is_restored or is_mended), (how, state, when)


def as_destination(place: Place) -> Destination:
    """Have mypy hold the fake against the contract."""
    return place
