"""Archives that were away, put back old, or changed by others: a carrier stores nothing twice and forgets nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.copying.copier import Copier, CopyResult
from migrator.destinations.maildir.destination import MaildirDestination
from migrator.destinations.mbox.destination import MboxDestination
from migrator.errors import AwayError, FerryError, Kind
from migrator.ledger import Ledger
from migrator.message.body import Message
from migrator.model import CopyState
from tests.faults import flip_bit
from tests.mail import simple
from tests.rig import mboxrd

FOREIGN = b"From friend@example.org Mon Nov 23 12:00:05 2026\nSubject: theirs\n\nx\n\n"
MANY = [simple(number) for number in range(1, 13)]


@dataclass
class Archive:
    """One archive folder with a ledger, each of which a test may take away, put back or copy."""

    root: Path
    kind: str
    state: str = "state"
    limit: int = 2_000_000_000

    @property
    def folder(self) -> Path:
        return self.root / "archive"

    def destination(self) -> MboxDestination | MaildirDestination:
        state = self.root / self.state
        if self.kind == "maildir":
            return MaildirDestination(self.folder, state_dir=state, clock=_now)
        return MboxDestination(self.folder, state_dir=state, clock=_now, volume_limit=self.limit)

    def work(self, action: Callable[[Copier], object]) -> object:
        """Do something with a carrier as a run has it, with the ledger opened for it."""
        with closing(Ledger.open(self.root / self.state)) as ledger:
            destination = self.destination()
            copies = ledger.copies(destination.identity, destination.kind)
            return action(Copier(destination, copies, clock=lambda: 7.0))

    def inspect(self) -> list[FerryError]:
        troubles = self.work(lambda copier: copier.inspect())
        assert isinstance(troubles, list)
        return troubles

    def copy(self, messages: list[Message]) -> list[object]:
        outcomes = self.work(lambda copier: [copier.inspect(), *copier.copy(messages)])
        assert isinstance(outcomes, list)
        return outcomes[1:]

    def states(self) -> dict[bytes, CopyState]:
        states = self.work(lambda copier: {copy.digest: copy.state for copy in copier.copies.all_copies()})
        assert isinstance(states, dict)
        return states

    def count(self) -> int:
        """Return how many messages stand in the folder, by an independent reader."""
        if self.kind == "maildir":
            return sum(1 for name in ("new", "cur") for _ in (self.folder / name).iterdir())
        return sum(len(mboxrd(volume.read_bytes())) for volume in self.folder.glob("*.mbox"))

    def keep(self, name: str) -> None:
        """Copy the archive or the state folder aside, with all time stamps."""
        shutil.copytree(self.root / name, self.root / f"kept-{name}")

    def put_back(self, name: str) -> None:
        shutil.rmtree(self.root / name)
        (self.root / f"kept-{name}").rename(self.root / name)


def _now() -> datetime:
    return datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(params=["mbox", "maildir"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    return Archive(tmp_path, str(request.param))


@pytest.fixture
def mbox(tmp_path: Path) -> Archive:
    return Archive(tmp_path, "mbox")


@pytest.fixture
def maildir(tmp_path: Path) -> Archive:
    return Archive(tmp_path, "maildir")


def all_verified(archive: Archive, count: int) -> bool:
    states = archive.states()
    return len(states) == count and set(states.values()) == {CopyState.VERIFIED}


# ------------------------------------------------------------------------------------------------ both kinds


@pytest.mark.parametrize("is_mount_point_there", [False, True])
def test_an_archive_that_is_away_is_one_error_and_fine_when_it_is_back(
    archive: Archive, is_mount_point_there: bool
) -> None:
    archive.copy(MANY)
    archive.folder.rename(archive.root / "unmounted")
    if is_mount_point_there:
        archive.folder.mkdir()
    for _ in range(2):
        with pytest.raises(AwayError, match="12 messages are known to be in it"):
            archive.inspect()
        with pytest.raises(AwayError):
            archive.work(lambda copier: copier.copy([simple(99)]))
    assert all_verified(archive, 12)
    assert list(archive.root.glob("archive/*")) == []
    shutil.rmtree(archive.folder, ignore_errors=True)
    (archive.root / "unmounted").rename(archive.folder)
    assert archive.inspect() == []
    assert archive.copy([*MANY, simple(99)]) == [*[CopyResult.DUPLICATE] * 12, CopyResult.COPIED]
    assert archive.count() == 13


def test_with_an_older_ledger_nothing_is_stored_twice(archive: Archive) -> None:
    archive.copy(MANY[:3])
    archive.keep("state")
    archive.copy(MANY[3:])
    archive.put_back("state")
    assert archive.copy(MANY) == [CopyResult.DUPLICATE] * 12
    assert archive.count() == 12
    assert all_verified(archive, 12)


def test_with_no_ledger_nothing_is_stored_twice(archive: Archive) -> None:
    archive.copy(MANY)
    shutil.rmtree(archive.root / "state")
    assert archive.copy(MANY) == [CopyResult.DUPLICATE] * 12
    assert archive.count() == 12


def test_two_machines_with_a_copied_state_folder_store_nothing_twice(archive: Archive) -> None:
    archive.copy(MANY[:2])
    shutil.copytree(archive.root / "state", archive.root / "state of the other")
    other = Archive(archive.root, archive.kind, state="state of the other")
    for number in range(2, 12):
        (archive if number % 2 else other).copy(MANY[number : number + 1])
    assert archive.copy(MANY) == other.copy(MANY) == [CopyResult.DUPLICATE] * 12
    assert archive.count() == 12


def test_a_copy_that_was_damaged_and_is_brought_back_is_well_at_the_next_run(archive: Archive) -> None:
    archive.copy(MANY)
    [file] = [path for path in archive.folder.rglob("*") if path.is_file()][:1]
    before = file.stat()
    flip_bit(file, -5)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # so that only reading tells
    archive.work(lambda copier: copier.verify_again([message.digest for message in MANY]))
    assert list(archive.states().values()).count(CopyState.DAMAGED) == 1
    archive.inspect()
    assert list(archive.states().values()).count(CopyState.DAMAGED) == 1
    flip_bit(file, -5)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert archive.inspect() == []
    assert all_verified(archive, 12)


# ------------------------------------------------------------------------------------------------------ mbox


def test_a_volume_put_back_old_is_told_and_what_it_lacks_is_damaged(mbox: Archive) -> None:
    mbox.copy(MANY[:4])
    mbox.keep("archive")
    mbox.copy(MANY[4:])
    mbox.put_back("archive")
    for _ in range(2):
        [trouble] = mbox.inspect()
        assert "8 of its 12 messages are damaged or missing" in trouble.message
        assert "mailferry repair" in trouble.message
    states = mbox.states()
    assert {states[message.digest] for message in MANY[:4]} == {CopyState.VERIFIED}
    assert {states[message.digest] for message in MANY[4:]} == {CopyState.DAMAGED}
    outcomes = mbox.copy([*MANY, simple(99)])
    assert outcomes[:4] == [CopyResult.DUPLICATE] * 4
    assert all(isinstance(outcome, FerryError) for outcome in outcomes[4:12])
    assert outcomes[12] is CopyResult.COPIED


def test_a_volume_that_is_put_back_new_again_is_well(mbox: Archive) -> None:
    mbox.copy(MANY[:4])
    mbox.keep("archive")
    mbox.copy(MANY[4:])
    newer = mbox.root / "newer"
    shutil.copytree(mbox.folder, newer)
    mbox.put_back("archive")
    mbox.inspect()
    shutil.rmtree(mbox.folder)
    newer.rename(mbox.folder)
    assert mbox.inspect() == []
    assert mbox.copy(MANY) == [CopyResult.DUPLICATE] * 12
    assert mbox.count() == 12


@pytest.mark.parametrize("offset", [60, 150, 700])
def test_with_an_early_flipped_byte_and_an_older_ledger_nothing_is_stored_twice(mbox: Archive, offset: int) -> None:
    mbox.copy(MANY[:4])
    mbox.keep("state")
    mbox.copy(MANY[4:])
    mbox.put_back("state")
    [volume] = mbox.folder.glob("*.mbox")
    flip_bit(volume, offset)
    outcomes = mbox.copy(MANY)
    assert sum(isinstance(outcome, FerryError) for outcome in outcomes) == 1
    assert outcomes.count(CopyResult.DUPLICATE) == 11
    assert len(mbox.states()) == 12, "what is left of the damaged message was taken for a new one"


def test_a_message_taken_out_of_a_volume_leaves_the_others_known(mbox: Archive) -> None:
    mbox.copy(MANY)
    [volume] = mbox.folder.glob("*.mbox")
    records = volume.read_bytes().split(b"\n\nFrom sender")
    volume.write_bytes(b"\n\nFrom sender".join([*records[:3], *records[4:]]))
    [trouble] = mbox.inspect()
    assert "1 of its 12 messages is damaged or missing" in trouble.message
    assert list(mbox.states().values()).count(CopyState.VERIFIED) == 11
    outcomes = mbox.copy(MANY)
    assert [number for number, one in enumerate(outcomes) if isinstance(one, FerryError)] == [3]


def test_a_mail_reader_that_rewrites_every_message_adds_no_new_ones(mbox: Archive) -> None:
    mbox.copy(MANY)
    [volume] = mbox.folder.glob("*.mbox")
    volume.write_bytes(volume.read_bytes().replace(b"\nMessage-ID", b"\nStatus: RO\nMessage-ID"))
    [trouble] = mbox.inspect()
    assert trouble.kind is Kind.ARCHIVE
    assert mbox.states() == dict.fromkeys((message.digest for message in MANY), CopyState.DAMAGED)


def test_a_touched_volume_is_read_once_and_accepted(mbox: Archive) -> None:
    mbox.copy(MANY)
    [volume] = mbox.folder.glob("*.mbox")
    os.utime(volume)
    assert mbox.inspect() == []
    assert mbox.copy([*MANY, simple(99)]) == [*[CopyResult.DUPLICATE] * 12, CopyResult.COPIED]
    assert len(list(mbox.folder.iterdir())) == 1


def test_a_changed_volume_is_not_read_again_at_every_run(mbox: Archive) -> None:
    mbox.copy(MANY)
    [volume] = mbox.folder.glob("*.mbox")
    os.truncate(volume, 1_000)
    assert len(mbox.inspect()) == 1

    def findings(copier: Copier) -> list[object]:
        with copier.destination.exclusive():
            return list(copier.destination.recover(copier.copies.recollection()))

    assert mbox.work(findings) == []


def test_one_volume_of_several_that_was_away_is_back_without_being_read(mbox: Archive) -> None:
    mbox.limit = 1_000
    for message in MANY:
        mbox.copy([message])
    first, second, *_ = sorted(mbox.folder.glob("*.mbox"))
    first.rename(mbox.root / "away")
    [trouble] = mbox.inspect()
    assert "bring it back, which is all that is needed" in trouble.message
    mbox.work(lambda copier: copier.verify_again([message.digest for message in MANY]))
    assert CopyState.DAMAGED in mbox.states().values(), "as a verify in between finds"
    (mbox.root / "away").rename(first)
    assert mbox.inspect() == []
    assert all_verified(mbox, 12)
    second.rename(mbox.root / "away")
    mbox.inspect()
    (mbox.root / "away").rename(second)
    assert mbox.copy(MANY) == [CopyResult.DUPLICATE] * 12


# --------------------------------------------------------------------------------------------------- Maildir


def files_of(maildir: Archive) -> Iterator[Path]:
    return (path for name in ("new", "cur") for path in sorted((maildir.folder / name).iterdir()))


def test_a_maildir_put_back_old_is_told_where_much_is_missing(maildir: Archive) -> None:
    maildir.copy(MANY[:1])
    maildir.keep("archive")
    maildir.copy(MANY[1:])
    maildir.put_back("archive")
    with pytest.raises(FerryError, match="was emptied: 11 of the 12 messages") as caught:
        maildir.inspect()
    assert caught.value.kind is Kind.ARCHIVE
    assert all_verified(maildir, 12)


def test_a_few_messages_that_a_reader_deleted_are_gone_and_not_stored_again(maildir: Archive) -> None:
    maildir.copy(MANY)
    for file in list(files_of(maildir))[:3]:
        file.rename(maildir.root / file.name)
    assert maildir.inspect() == []
    assert list(maildir.states().values()).count(CopyState.GONE) == 3
    assert maildir.copy(MANY).count(CopyResult.TAKEN_OUT) == 3
    assert maildir.count() == 9
    for file in maildir.root.glob("*Q*"):
        file.rename(maildir.folder / "cur" / f"{file.name}:2,S")
    assert maildir.inspect() == []
    assert all_verified(maildir, 12)


def test_names_that_mbsync_gives_make_no_copy_damaged(maildir: Archive) -> None:
    maildir.copy(MANY)
    for number, file in enumerate(list(files_of(maildir))):
        file.rename(maildir.folder / "cur" / f"{file.name},U={number}:2,S")
    assert maildir.copy(MANY) == [CopyResult.DUPLICATE] * 12
    assert maildir.count() == 12
