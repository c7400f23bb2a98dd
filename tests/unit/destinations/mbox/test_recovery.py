"""After a crash, another writer, or damage: what is adopted, what is cut, and what is left alone."""

from __future__ import annotations

import errno
import mailbox
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from migrator.copy_records import (
    MISSING,
    Finding,
    Found,
    MboxAnchor,
    VolumeChanged,
    VolumeSeen,
    VolumeState,
    VolumeTouched,
)
from migrator.destinations.mbox.destination import STEPS, MboxDestination
from migrator.errors import AwayError, FerryError, Kind
from migrator.files import Device
from migrator.model import Digest, MboxLocator
from tests.contract.support import NOW, Memory, content_of, names_in, path_of, recover, store
from tests.faults import flip_bit, overwrite
from tests.mail import message_of, simple

Open = Callable[..., MboxDestination]
NAME = "2026-11-001.mbox"
FOREIGN = b"From friend@example.org Mon Nov 23 12:00:05 2026\nSubject: theirs\n\n>From here\n\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def open_mbox(tmp_path: Path, folder: Path) -> Open:
    def opened(**options: object) -> MboxDestination:
        arguments = {"state_dir": tmp_path / "state", "clock": lambda: NOW, "lock_timeout": 0.05, **options}
        return MboxDestination(folder, **arguments)  # type: ignore[arg-type]  # a test's options are what they are

    return opened


@pytest.fixture
def memory(open_mbox: Open) -> Memory:
    """The memory of a folder in which one message stands."""
    memory = Memory()
    store(open_mbox(), memory, [simple(0)])
    return memory


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as volume:
        volume.write(content)


def store_without_noting(mbox: MboxDestination, memory: Memory, numbers: list[int]) -> None:
    """Store a batch and die before the ledger hears of it."""
    messages = [simple(number) for number in numbers]
    recover(mbox, memory)
    with mbox.exclusive():
        memory.intend(mbox, mbox.begin(messages), messages)
        mbox.store(messages)


def torn_copies(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in (folder.parent / "state" / "torn").rglob("*.torn")]


# ----------------------------------------------------------------------------------------- our crashes


def test_a_batch_that_was_stored_but_not_noted_is_adopted(open_mbox: Open, folder: Path, memory: Memory) -> None:
    store_without_noting(open_mbox(), memory, [1, 2])
    before = (folder / NAME).read_bytes()
    found = [f.digest for f in recover(open_mbox(), memory) if isinstance(f, Found)]
    assert found == [simple(1).digest, simple(2).digest]
    assert (folder / NAME).read_bytes() == before
    assert recover(open_mbox(), memory) == []


def test_a_batch_cut_at_any_byte_is_completed_without_loss_or_doubling(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    numbers = [1, 2, 3]
    known = dict(memory.volumes)
    begin = (folder / NAME).stat().st_size
    store_without_noting(open_mbox(), memory, numbers)
    whole = (folder / NAME).read_bytes()
    intents = list(memory.intents)
    for size in range(begin, len(whole) + 1):
        (folder / NAME).write_bytes(whole[:size])
        again = Memory(volumes=dict(known), copies={simple(0).digest: []}, intents=list(intents))
        mbox = open_mbox()
        findings = recover(mbox, again)
        assert not again.changed
        assert not again.touched
        missing = [simple(number) for number in numbers if simple(number).digest not in again.copies]
        assert len([f for f in findings if isinstance(f, Found)]) == len(numbers) - len(missing)
        assert whole.startswith((folder / NAME).read_bytes())
        if missing:
            store(mbox, again, missing)
        assert (folder / NAME).read_bytes() == whole, size
        assert names_in(folder) == [NAME]
        for number in numbers:
            (copy,) = mbox.read(again.copies[simple(number).digest])
            assert content_of(copy) == content_of(simple(number).body)
        assert recover(open_mbox(), again) == []


def test_the_very_first_batch_cut_at_any_byte_is_completed(open_mbox: Open, folder: Path) -> None:
    memory = Memory()
    store_without_noting(open_mbox(), memory, [1, 2])
    whole = (folder / NAME).read_bytes()
    intents = list(memory.intents)
    for size in range(len(whole) + 1):
        (folder / NAME).write_bytes(whole[:size])
        again = Memory(intents=list(intents))
        mbox = open_mbox()
        recover(mbox, again)
        missing = [simple(number) for number in (1, 2) if simple(number).digest not in again.copies]
        store(mbox, again, missing)
        assert (folder / NAME).read_bytes() == whole, size


@pytest.mark.parametrize("size", [0, 3, 40, 60, 150])
def test_a_tail_that_reached_the_disk_as_zeros_is_cut(open_mbox: Open, folder: Path, memory: Memory, size: int) -> None:
    begin = (folder / NAME).stat().st_size
    store_without_noting(open_mbox(), memory, [1])
    whole = (folder / NAME).read_bytes()
    (folder / NAME).write_bytes(whole[: begin + size].ljust(len(whole), b"\0"))
    mbox = open_mbox()
    recover(mbox, memory)
    assert (folder / NAME).read_bytes() == whole[:begin]
    store(mbox, memory, [simple(1)])
    assert (folder / NAME).read_bytes() == whole


@pytest.mark.parametrize(("hole", "size"), [(0, 30), (0, 200), (30, 250), (100, 5), (100, 120)])
def test_a_batch_whose_middle_never_reached_the_disk_is_cut_from_there_on(
    open_mbox: Open, folder: Path, memory: Memory, hole: int, size: int
) -> None:
    begin = (folder / NAME).stat().st_size
    store_without_noting(open_mbox(), memory, [1, 2, 3])
    whole = (folder / NAME).read_bytes()
    overwrite(folder / NAME, begin + hole, bytes(size))
    mbox = open_mbox()
    recover(mbox, memory)
    store(mbox, memory, [each for each in map(simple, (1, 2, 3)) if each.digest not in memory.copies])
    assert (folder / NAME).read_bytes() == whole


def test_after_a_hole_in_our_batch_a_message_of_another_writer_is_never_cut(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    begin = (folder / NAME).stat().st_size
    store_without_noting(open_mbox(), memory, [1, 2])
    overwrite(folder / NAME, begin + 70, bytes(10))
    append(folder / NAME, FOREIGN)
    before = (folder / NAME).read_bytes()
    recover(open_mbox(), memory)
    assert (folder / NAME).read_bytes() == before
    assert simple(2).digest in memory.copies


def test_a_large_torn_message_is_cut(open_mbox: Open, folder: Path, memory: Memory) -> None:
    large = simple(1, 5_000_000)
    begin = (folder / NAME).stat().st_size
    mbox = open_mbox_of(memory, open_mbox)
    with mbox.exclusive():
        memory.intend(mbox, mbox.begin([large]), [large])
        mbox.store([large])
    os.truncate(folder / NAME, begin + 4_000_000)
    assert [type(finding) for finding in recover(open_mbox(), memory)] == [VolumeSeen]
    assert (folder / NAME).stat().st_size == begin
    assert [len(copy) for copy in torn_copies(folder)] == [4_000_000]


def test_a_torn_tail_is_saved_before_it_is_cut_and_outside_the_archive(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    begin = (folder / NAME).stat().st_size
    store_without_noting(open_mbox(), memory, [1])
    os.truncate(folder / NAME, begin + 70)
    torn = (folder / NAME).read_bytes()[begin:]
    steps: list[str] = []
    recover(open_mbox(step=steps.append), memory)
    assert steps == ["mbox.tail-saved", "mbox.tail-cut", "mbox.tail-cut-fsynced"]
    assert torn_copies(folder) == [torn]
    assert names_in(folder) == [NAME]


def test_without_room_for_a_copy_the_tail_is_cut_all_the_same(open_mbox: Open, folder: Path, memory: Memory) -> None:
    begin = (folder / NAME).stat().st_size
    store_without_noting(open_mbox(), memory, [1])
    os.truncate(folder / NAME, begin + 70)

    def write(handle: int, content: bytes | memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    recover(open_mbox(device=Device(write=write)), memory)
    assert (folder / NAME).stat().st_size == begin
    assert torn_copies(folder) == []


@pytest.mark.parametrize("step", ["mbox.tail-saved", "mbox.tail-cut", "mbox.tail-cut-fsynced"])
def test_dying_while_cutting_changes_nothing_about_the_outcome(
    open_mbox: Open, folder: Path, memory: Memory, step: str
) -> None:
    begin = (folder / NAME).stat().st_size
    store_without_noting(open_mbox(), memory, [1])
    os.truncate(folder / NAME, begin + 70)

    def die(name: str) -> None:
        if name == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recover(open_mbox(step=die), memory)
    recover(open_mbox(), memory)
    assert (folder / NAME).stat().st_size == begin
    assert not memory.touched
    assert memory.volumes[NAME].state is VolumeState.OPEN


def test_what_a_killed_process_wrote_is_made_durable_before_it_is_told(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    store_without_noting(open_mbox(), memory, [1])
    synced: list[str] = []
    mbox = open_mbox(device=Device(fsync=lambda handle: synced.append(path_of(handle))))
    with mbox.exclusive():
        for finding in mbox.recover(memory.recollection):
            if isinstance(finding, Found):
                assert {str((folder / NAME).resolve()), str(folder.resolve())} <= set(synced)
                break
        else:
            pytest.fail("nothing was found")


# ------------------------------------------------------------------------------------- other writers


def test_what_somebody_appended_is_adopted(open_mbox: Open, folder: Path, memory: Memory) -> None:
    append(folder / NAME, FOREIGN)
    mbox = open_mbox()
    findings = recover(mbox, memory)
    theirs = message_of(b"Subject: theirs\r\n\r\nFrom here\r\n")
    assert [f.digest for f in findings if isinstance(f, Found)] == [theirs.digest]
    (copy,) = mbox.read(memory.copies[theirs.digest])
    assert content_of(copy) == content_of(theirs.body)
    store(mbox, memory, [simple(1)])
    assert names_in(folder) == [NAME]
    assert recover(open_mbox(), memory) == []


def test_what_python_appended_is_adopted(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mail = EmailMessage()
    mail["Subject"] = "from a library"
    mail.set_content("From the very first line\n")
    box = mailbox.mbox(folder / NAME, create=False)
    box.lock()
    box.add(mail)
    box.close()
    mbox = open_mbox()
    (found,) = [f for f in recover(mbox, memory) if isinstance(f, Found)]
    (copy,) = mbox.read([found.locator])
    assert content_of(copy) == bytes(mail).replace(b"\n", b"\r\n")
    assert memory.volumes[NAME].state is VolumeState.OPEN


def test_a_finished_message_of_another_writer_after_our_torn_one_is_never_cut(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    begin = (folder / NAME).stat().st_size
    store_without_noting(open_mbox(), memory, [1])
    whole = (folder / NAME).read_bytes()
    intents = list(memory.intents)
    known = dict(memory.volumes)
    for size in range(begin, len(whole) + 1):
        (folder / NAME).write_bytes(whole[:size] + FOREIGN)
        again = Memory(volumes=dict(known), intents=list(intents))
        mbox = open_mbox()
        recover(mbox, again)
        assert (folder / NAME).read_bytes() == whole[:size] + FOREIGN, size
        missing = [each for each in [simple(1)] if each.digest not in again.copies]
        store(mbox, again, missing)
        assert simple(1).digest in again.copies


def test_a_torn_tail_that_no_intent_explains_is_left_alone(open_mbox: Open, folder: Path, memory: Memory) -> None:
    append(folder / NAME, FOREIGN[:-20])
    before = (folder / NAME).read_bytes()
    mbox = open_mbox()
    recover(mbox, memory)
    assert memory.volumes[NAME].state is VolumeState.CLOSED
    store(mbox, memory, [simple(1)])
    assert (folder / NAME).read_bytes() == before
    assert names_in(folder) == [NAME, "2026-11-002.mbox"]


def test_somebody_elses_torn_tail_is_left_alone_though_an_intent_is_open(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    mbox = open_mbox_of(memory, open_mbox)
    with mbox.exclusive():
        memory.intend(mbox, mbox.begin([simple(1)]), [simple(1)])
    append(folder / NAME, FOREIGN[:-20])
    before = (folder / NAME).read_bytes()
    recover(open_mbox(), memory)
    assert (folder / NAME).read_bytes() == before
    assert memory.volumes[NAME].state is VolumeState.CLOSED


def test_a_finished_message_without_its_blank_line_is_adopted_and_nothing_glued_to_it(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    append(folder / NAME, FOREIGN[:-1])
    before = (folder / NAME).read_bytes()
    mbox = open_mbox()
    assert len([f for f in recover(mbox, memory) if isinstance(f, Found)]) == 1
    store(mbox, memory, [simple(1)])
    assert (folder / NAME).read_bytes() == before


def test_a_message_that_somebody_finishes_later_is_adopted_then(open_mbox: Open, folder: Path, memory: Memory) -> None:
    append(folder / NAME, FOREIGN[:-20])
    recover(open_mbox(), memory)
    assert recover(open_mbox(), memory) == []
    append(folder / NAME, FOREIGN[-20:])
    found = [f.digest for f in recover(open_mbox(), memory) if isinstance(f, Found)]
    assert found == [message_of(b"Subject: theirs\r\n\r\nFrom here\r\n").digest]


def test_a_message_appended_during_a_run_is_adopted_by_the_next(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mbox = open_mbox()
    recover(mbox, memory)
    append(folder / NAME, FOREIGN)
    store(mbox, memory, [simple(1)])
    store(mbox, memory, [simple(2)])
    assert names_in(folder) == [NAME]
    found = [f.digest for f in recover(open_mbox(), memory) if isinstance(f, Found)]
    assert message_of(b"Subject: theirs\r\n\r\nFrom here\r\n").digest in found
    assert {simple(n).digest: 1 for n in (0, 1, 2)}.items() <= {d: len(p) for d, p in memory.copies.items()}.items()
    assert recover(open_mbox(), memory) == []


def test_half_a_message_appended_during_a_run_gets_nothing_glued_to_it(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    mbox = open_mbox()
    recover(mbox, memory)
    append(folder / NAME, FOREIGN[:-20])
    before = (folder / NAME).read_bytes()
    store(mbox, memory, [simple(1)])
    assert (folder / NAME).read_bytes() == before


def test_a_volume_rewritten_during_a_run_is_not_written_to(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mbox = open_mbox()
    recover(mbox, memory)
    content = (folder / NAME).read_bytes()
    (folder / NAME).write_bytes(content.replace(b"\n\n", b"\nStatus: RO\n\n", 1))
    with pytest.raises(FerryError) as caught:
        store(mbox, memory, [simple(1)])
    assert caught.value.kind is Kind.ARCHIVE


def test_two_accounts_that_share_a_folder_share_its_volumes(open_mbox: Open, folder: Path) -> None:
    memory = Memory()
    one, two = open_mbox(), open_mbox()
    for number in range(6):
        mbox = one if number % 2 else two
        assert recover(mbox, memory) == []
        store(mbox, memory, [simple(number)])
    assert names_in(folder) == [NAME]
    assert recover(open_mbox(), memory) == []
    assert all(len(memory.copies[simple(number).digest]) == 1 for number in range(6))


# ---------------------------------------------------------------------------------- foreign volumes


def test_a_volume_that_somebody_put_there_is_adopted_and_never_written_to(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    (folder / "old mail.mbox").write_bytes(FOREIGN * 3)
    mbox = open_mbox()
    assert len([f for f in recover(mbox, memory) if isinstance(f, Found)]) == 3
    store(mbox, memory, [simple(1)])
    assert (folder / "old mail.mbox").read_bytes() == FOREIGN * 3
    assert recover(open_mbox(), memory) == []


def test_what_is_no_mbox_is_not_taken_for_one(open_mbox: Open, folder: Path, memory: Memory) -> None:
    (folder / "Apple.mbox").mkdir()
    (folder / "picture.mbox").write_bytes(b"\x89PNG\r\n")
    (folder / "gone.mbox").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.mbox")
    (folder / "notes.txt").write_bytes(FOREIGN)
    assert recover(open_mbox(), memory) == []


def test_with_the_ledger_lost_everything_is_adopted_and_the_volume_goes_on(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    store(open_mbox_of(memory, open_mbox), memory, [simple(n) for n in range(1, 5)])
    lost = Memory()
    mbox = open_mbox()
    recover(mbox, lost)
    assert {digest: places[0] for digest, places in lost.copies.items()} == {
        digest: places[-1] for digest, places in memory.copies.items()
    }
    assert lost.volumes == memory.volumes
    store(mbox, lost, [simple(9)])
    assert names_in(folder) == [NAME]


def test_a_large_volume_is_told_in_portions_that_can_be_noted_on_the_way(open_mbox: Open, folder: Path) -> None:
    folder.mkdir()
    records = [FOREIGN.replace(b"theirs", b"%06d" % number) for number in range(12_000)]
    (folder / "many.mbox").write_bytes(b"".join(records))
    findings = recover(open_mbox(), Memory())
    seen = [at for at, finding in enumerate(findings) if isinstance(finding, VolumeSeen)]
    assert len(seen) == 3
    first = findings[seen[0]]
    assert isinstance(first, VolumeSeen)
    assert first.record.end == len(FOREIGN) * seen[0]
    interrupted = Memory(volumes={"many.mbox": first.record})
    rest = [f for f in recover(open_mbox(), interrupted) if isinstance(f, Found)]
    assert len(rest) == 12_000 - seen[0]
    assert not interrupted.touched


# ------------------------------------------------------------------------------------------- damage


SECOND = "2026-11-002.mbox"


@pytest.fixture
def two(open_mbox: Open, memory: Memory) -> Memory:
    """The memory of a folder of two volumes; messages 0, 1 and 2 stand in the first, 3 in the second."""
    mbox = open_mbox_of(memory, open_mbox)
    store(mbox, memory, [simple(1), simple(2)])
    mbox = open_mbox(volume_limit=1)
    recover(mbox, memory)
    store(mbox, memory, [simple(3)])
    return memory


def told(findings: list[Finding]) -> list[Digest]:
    return [finding.digest for finding in findings if isinstance(finding, Found)]


def digests(*numbers: int) -> list[Digest]:
    return [simple(number).digest for number in numbers]


def judged_changed(memory: Memory, finding: Finding) -> None:
    """Note what the ledger notes when a volume that was touched is not as it was known."""
    assert isinstance(finding, VolumeTouched)
    known = memory.volumes[finding.record.name]
    memory.volumes[known.name] = replace(known, state=VolumeState.CHANGED, stamp="", changed_stamp=finding.record.stamp)


def test_a_volume_that_shrank_tells_what_stands_in_it_and_is_never_written_to(
    open_mbox: Open, folder: Path, two: Memory
) -> None:
    third = two.copies[simple(2).digest][0]
    assert isinstance(third, MboxLocator)
    os.truncate(folder / NAME, third.offset + 20)
    before = dict(two.volumes)
    mbox = open_mbox()
    findings = recover(mbox, two)
    touched = findings[-1]
    assert told(findings) == digests(0, 1)
    assert isinstance(touched, VolumeTouched)
    assert f"{folder / NAME} has shrunk" in touched.problem
    two.volumes.update(before)
    judged_changed(two, touched)
    recover(mbox, two)
    store(mbox, two, [simple(4)])
    assert (folder / NAME).stat().st_size == third.offset + 20
    assert recover(open_mbox(), two) == [], "what is known to have changed is not read again"


@pytest.mark.parametrize("damage", ["unlink", "folder"])
def test_a_missing_volume_is_an_archive_error_told_once(
    open_mbox: Open, folder: Path, two: Memory, damage: str
) -> None:
    (folder / NAME).unlink()
    if damage == "folder":
        (folder / NAME).mkdir()
    (finding,) = recover(open_mbox(), two)
    assert isinstance(finding, VolumeChanged)
    assert finding.record == replace(finding.record, state=VolumeState.CHANGED, changed_stamp=MISSING)
    assert "missing" in str(finding.error)
    assert recover(open_mbox(), two) == []


def test_a_volume_that_is_back_as_it_was_is_open_again_and_not_read(open_mbox: Open, folder: Path, two: Memory) -> None:
    before = two.volumes[SECOND]
    (folder / SECOND).rename(folder / "away")
    recover(open_mbox(), two)
    (folder / "away").rename(folder / SECOND)
    assert recover(open_mbox(), two) == [VolumeSeen(before)]
    store(open_mbox_of(two, open_mbox), two, [simple(4)])
    assert names_in(folder) == [NAME, SECOND]


def test_a_closed_volume_that_is_back_stays_closed_where_its_end_is_no_border(
    open_mbox: Open, folder: Path, two: Memory
) -> None:
    append(folder / NAME, FOREIGN[:-1])
    recover(open_mbox(), two)
    assert two.volumes[NAME].state is VolumeState.CLOSED
    (folder / NAME).rename(folder / "away")
    recover(open_mbox(), two)
    (folder / "away").rename(folder / NAME)
    recover(open_mbox(), two)
    assert two.volumes[NAME].state is VolumeState.CLOSED


def test_a_changed_volume_that_looks_otherwise_is_read_again(open_mbox: Open, folder: Path, two: Memory) -> None:
    whole = (folder / NAME).read_bytes()
    (folder / NAME).write_bytes(whole[:-30])
    before = two.volumes[NAME]
    findings = recover(open_mbox(), two)
    two.volumes[NAME] = before
    judged_changed(two, findings[-1])
    (folder / NAME).write_bytes(whole)
    findings = recover(open_mbox(), two)
    assert told(findings) == digests(0, 1, 2)
    assert isinstance(findings[-1], VolumeTouched)
    assert not findings[-1].problem
    assert two.volumes[NAME].state is VolumeState.OPEN


def test_an_older_file_in_the_place_of_a_volume_tells_what_it_holds(open_mbox: Open, folder: Path, two: Memory) -> None:
    place = two.copies[simple(1).digest][0]
    assert isinstance(place, MboxLocator)
    older = (folder / NAME).read_bytes()[: place.offset]
    (folder / NAME).unlink()
    (folder / NAME).write_bytes(older + FOREIGN * 9)
    findings = recover(open_mbox(), two)
    theirs = message_of(b"Subject: theirs\r\n\r\nFrom here\r\n")
    assert told(findings) == [*digests(0), *[theirs.digest] * 9]
    assert isinstance(findings[-1], VolumeTouched)
    assert "rewritten" in findings[-1].problem


def test_an_older_ledger_takes_in_what_was_appended_since(open_mbox: Open, folder: Path, memory: Memory) -> None:
    older = Memory(volumes=dict(memory.volumes), copies=dict(memory.copies))
    store(open_mbox_of(memory, open_mbox), memory, [simple(1), simple(2)])
    mbox = open_mbox()
    assert told(recover(mbox, older)) == digests(1, 2)
    store(mbox, older, [simple(3)])
    assert names_in(folder) == [NAME]


def test_an_older_ledger_and_a_byte_that_flipped_before_its_end_hide_nothing_of_what_came_since(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    older = Memory(volumes=dict(memory.volumes), copies=dict(memory.copies))
    store(open_mbox_of(memory, open_mbox), memory, [simple(1), simple(2)])
    flip_bit(folder / NAME, memory.volumes[NAME].end // 3 - 10)
    findings = recover(open_mbox(), older)
    assert told(findings)[1:] == digests(1, 2)
    assert isinstance(findings[-1], VolumeTouched)
    assert findings[-1].problem


@pytest.mark.parametrize("disk", ["no folder", "an empty folder", "another archive"])
def test_an_archive_of_which_nothing_is_there_is_away_and_nothing_is_told_or_stored(
    open_mbox: Open, folder: Path, two: Memory, disk: str
) -> None:
    known = dict(two.volumes)
    folder.rename(folder.with_name("unmounted"))
    if disk != "no folder":
        folder.mkdir()
    if disk == "another archive":
        (folder / "other.mbox").write_bytes(FOREIGN)
    left = names_in(folder.parent), names_in(folder) if folder.exists() else []
    with pytest.raises(AwayError, match="4 messages are known to be in it: is its disk mounted") as caught:
        recover(open_mbox(), two)
    assert caught.value.kind is Kind.ARCHIVE
    assert caught.value.cure
    assert two.volumes == known
    assert (names_in(folder.parent), names_in(folder) if folder.exists() else []) == left
    if folder.exists():
        shutil.rmtree(folder)
    folder.with_name("unmounted").rename(folder)
    assert recover(open_mbox(), two) == [], "back unchanged, it is neither told nor read"


def test_a_folder_that_goes_away_during_a_run_is_not_made_anew(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mbox = open_mbox_of(memory, open_mbox)
    folder.rename(folder.with_name("unmounted"))
    with pytest.raises(AwayError):
        store(mbox, memory, [simple(1)])
    assert not folder.exists()


def test_a_volume_that_a_mail_reader_rewrote_is_not_right(open_mbox: Open, folder: Path, memory: Memory) -> None:
    content = (folder / NAME).read_bytes()
    (folder / NAME).write_bytes(content.replace(b"\n\n", b"\nStatus: RO\n\n", 1))
    finding = recover(open_mbox(), memory)[-1]
    assert isinstance(finding, VolumeTouched)
    assert "rewritten" in finding.problem


def test_a_touched_volume_is_read_and_not_written_to_before_it_was_accepted(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    os.utime(folder / NAME)
    mbox = open_mbox()
    findings = recover(mbox, memory)
    touched = findings[-1]
    assert told(findings) == digests(0)
    assert isinstance(touched, VolumeTouched)
    assert not touched.problem
    with mbox.exclusive():
        assert mbox.begin([simple(1)]) == MboxAnchor(SECOND, 0)
    assert recover(mbox, memory) == []
    with mbox.exclusive():
        assert mbox.begin([simple(1)]) == MboxAnchor(NAME, touched.record.end)


def test_another_file_with_the_same_beginning_must_be_read_again(open_mbox: Open, folder: Path, memory: Memory) -> None:
    content = (folder / NAME).read_bytes()
    (folder / NAME).rename(folder / "away")
    (folder / NAME).write_bytes(content + FOREIGN)
    findings = recover(open_mbox(), memory)
    assert [type(finding) for finding in findings] == [Found, Found, VolumeTouched]


# --------------------------------------------------------------------------------------------- locks

HOLD = """
import fcntl, sys
volume = open(sys.argv[1], "r+b")
getattr(fcntl, sys.argv[2])(volume, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_by_another_program(path: Path, how: str) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        yield
        assert holder.stdin
        holder.stdin.close()


@pytest.mark.parametrize("how", ["flock", "lockf"])
def test_a_volume_that_another_program_holds_is_waited_for_and_then_given_up(
    open_mbox: Open, folder: Path, memory: Memory, how: str
) -> None:
    with held_by_another_program(folder / NAME, how), pytest.raises(FerryError) as caught:
        store(open_mbox_of(memory, open_mbox), memory, [simple(1)])
    assert caught.value.kind is Kind.LOCKED
    assert NAME in str(caught.value)
    store(open_mbox_of(memory, open_mbox), memory, [simple(1)])


def open_mbox_of(memory: Memory, open_mbox: Open) -> MboxDestination:
    mbox = open_mbox()
    recover(mbox, memory)
    return mbox


TRY = """
import fcntl, sys
with open(sys.argv[1], "r+b") as volume:
    try:
        getattr(fcntl, sys.argv[2])(volume, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("refused")
    else:
        print("granted")
"""


@pytest.mark.parametrize("how", ["flock", "lockf"])
def test_a_volume_is_locked_against_others_from_begin_on(
    open_mbox: Open, folder: Path, memory: Memory, how: str
) -> None:
    def attempt() -> bytes:
        return subprocess.run([sys.executable, "-c", TRY, folder / NAME, how], capture_output=True, check=True).stdout

    mbox = open_mbox_of(memory, open_mbox)
    with mbox.exclusive():
        mbox.begin([simple(1)])
        (folder / NAME).open("rb").close()  # which would drop a lock of the plain POSIX kind
        assert attempt() == b"refused\n"
        mbox.store([simple(1)])
        assert attempt() == b"refused\n"
    assert attempt() == b"granted\n"


def test_a_second_run_is_kept_out(open_mbox: Open) -> None:
    with open_mbox().exclusive(), pytest.raises(FerryError) as caught, open_mbox().exclusive():
        pytest.fail("two runs at once")
    assert caught.value.kind is Kind.LOCKED


def test_a_writer_who_asks_for_no_lock_is_noticed(open_mbox: Open, folder: Path, memory: Memory) -> None:
    def write(handle: int, content: bytes | memoryview) -> int:
        append(folder / NAME, FOREIGN)
        return os.write(handle, content)

    mbox = open_mbox(device=Device(write=write))
    recover(mbox, memory)
    with pytest.raises(FerryError) as caught:
        store(mbox, memory, [simple(1)])
    assert caught.value.kind is Kind.ARCHIVE
    recover(open_mbox(), memory)
    assert {simple(1).digest, message_of(b"Subject: theirs\r\n\r\nFrom here\r\n").digest} <= memory.copies.keys()


# ------------------------------------------------------------------------------------- real processes


def in_a_child(action: Callable[[], None]) -> int:
    """Run something in a process of its own that ends there, and return its exit code."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:  # noqa: BLE001 - the parent looks at the code
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def write_in_pieces(handle: int, content: bytes | memoryview) -> int:
    return os.write(handle, content[:37])


@pytest.mark.parametrize("step", STEPS[:6])
@pytest.mark.parametrize("at", [1, 2, 5])
@pytest.mark.parametrize("is_first_batch", [True, False])
def test_a_process_killed_at_any_step_loses_and_doubles_nothing(
    open_mbox: Open, folder: Path, step: str, at: int, is_first_batch: bool
) -> None:
    memory = Memory()
    if not is_first_batch:
        store(open_mbox(), memory, [simple(0)])
    messages = [simple(1), simple(2), simple(3)]
    doomed = open_mbox_of(memory, open_mbox)
    with doomed.exclusive():
        memory.intend(doomed, doomed.begin(messages), messages)

    def store_and_die() -> None:
        left = at

        def die(name: str) -> None:
            nonlocal left
            left -= name == step
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

        mbox = open_mbox(step=die, device=Device(write_size=100))
        with mbox.exclusive():
            list(mbox.recover(replace(memory.recollection, intents=())))
            mbox.begin(messages)
            mbox.store(messages)

    in_a_child(store_and_die)
    mbox = open_mbox_of(memory, open_mbox)
    missing = [each for each in messages if each.digest not in memory.copies]
    store(mbox, memory, missing)
    assert names_in(folder) == [NAME]
    everything = Memory()
    found = [f.digest for f in recover(open_mbox(), everything) if isinstance(f, Found)]
    expected = [each.digest for each in ([] if is_first_batch else [simple(0)]) + messages]
    assert sorted(found) == sorted(expected)
    assert recover(open_mbox(), memory) == []


def test_a_real_limit_on_file_size_is_a_full_disk(open_mbox: Open, folder: Path, memory: Memory) -> None:
    before = (folder / NAME).read_bytes()

    def store_under_a_limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, resource.RLIM_INFINITY))
        mbox = open_mbox_of(memory, open_mbox)
        with pytest.raises(FerryError) as caught:
            store(mbox, memory, [simple(1)])
        assert caught.value.kind is Kind.DISK_FULL

    assert in_a_child(store_under_a_limit) == 0
    assert (folder / NAME).read_bytes() == before


def test_a_read_only_archive_can_be_read_and_says_so_when_written_to(tmp_path: Path) -> None:
    nobody = 65_534
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        root.chmod(0o755)

        def opened() -> MboxDestination:
            return MboxDestination(root / "archive", state_dir=root / "state", clock=lambda: NOW)

        memory = Memory()
        stored = store(opened(), memory, [simple(1)])
        append(root / "archive" / NAME, FOREIGN)
        (root / "archive" / NAME).chmod(0o444)
        (root / "archive").chmod(0o555)
        for path in (root / "state", root / "state" / "locks", *(root / "state" / "locks").iterdir()):
            path.chmod(0o777)

        def work() -> None:
            if os.getuid() == 0:
                os.setuid(nobody)
            mbox = opened()
            assert len([f for f in mbox.recover(memory.recollection) if isinstance(f, Found)]) == 1
            assert [content_of(copy) for copy in mbox.read(stored.outcomes[:1])] == [content_of(simple(1).body)]  # type: ignore[arg-type]  # it was stored
            with pytest.raises(FerryError) as caught:
                mbox.begin([simple(2)])
            assert caught.value.kind is Kind.ARCHIVE
            assert "right to read and write" in caught.value.cure

        assert in_a_child(work) == 0
        (root / "archive").chmod(0o700)
