"""The mbox destination: what stands in the folder after each thing that can happen to it."""

from __future__ import annotations

import errno
import mailbox
import os
import re
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.copy_records import Found, MboxAnchor, VolumeSeen, VolumeState
from migrator.destinations.mbox.destination import STEPS, MboxDestination
from migrator.errors import AwayError, FerryError, Kind
from migrator.files import Device
from tests.contract.support import NOW, Memory, content_of, names_in, path_of, read, recover, store
from tests.mail import ODD_MESSAGES, Pieces, message_of, simple

Open = Callable[..., MboxDestination]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive" / "alice"


@pytest.fixture
def open_mbox(tmp_path: Path, folder: Path) -> Open:
    """Open the destination as a new run would."""

    def opened(**options: object) -> MboxDestination:
        arguments = {"state_dir": tmp_path / "state", "clock": lambda: NOW, "lock_timeout": 0.05, **options}
        return MboxDestination(folder, **arguments)  # type: ignore[arg-type]  # a test's options are what they are

    return opened


@pytest.fixture
def memory() -> Memory:
    return Memory()


def test_a_batch_stands_in_a_volume_of_the_month(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mbox = open_mbox()
    stored = store(mbox, memory, [message_of(b"Return-Path: <a@b.c>\r\n\r\nFrom me\r\n"), message_of(b"no end")])
    date = b"Mon Nov 23 12:00:00 2026"
    expected = b"From a@b.c %b\nReturn-Path: <a@b.c>\n\n>From me\n\nFrom MAILER-DAEMON %b\nno end\n" % (date, date)
    assert (folder / "2026-11-001.mbox").read_bytes() == expected
    assert names_in(folder) == ["2026-11-001.mbox"]
    assert stored.volumes[0].end == len(expected)


def test_the_envelope_says_when_a_message_arrived(open_mbox: Open, folder: Path, memory: Memory) -> None:
    received = b"Received: by mx; Mon, 2 Feb 2015 03:04:05 +0100\r\nDate: Tue, 1 Jan 2013 00:00:00 +0000\r\n\r\n1\r\n"
    stood = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC).timestamp()
    store(
        open_mbox(),
        memory,
        [
            message_of(received),
            message_of(b"Date: 2013-01-01T00:00:00Z\r\n\r\n2\r\n")._replace(fallback_date=stood),
            message_of(b"Subject: no date\r\n\r\n3\r\n")._replace(fallback_date=stood),
        ],
    )
    assert re.findall(rb"^From \S+ (.*)$", (folder / "2026-11-001.mbox").read_bytes(), re.M) == [
        b"Mon Feb  2 02:04:05 2015",
        b"Tue Jan  1 00:00:00 2013",
        b"Sun Sep  9 01:46:40 2001",
    ]


def test_odd_messages_are_read_back_exactly(open_mbox: Open, memory: Memory) -> None:
    mbox = open_mbox()
    stored = store(mbox, memory, [message_of(content) for content in ODD_MESSAGES.values()])
    assert read(mbox, stored) == list(ODD_MESSAGES.values())


def test_odd_messages_are_found_again_without_a_ledger(open_mbox: Open, memory: Memory) -> None:
    messages = [message_of(content) for content in ODD_MESSAGES.values()]
    stored = store(open_mbox(), memory, messages)
    found = [finding for finding in recover(open_mbox(), Memory()) if isinstance(finding, Found)]
    assert [(f.digest, f.octets, f.header_digest, f.message_id, f.locator) for f in found] == [
        (m.digest, m.octets, m.header_digest, m.message_id, place)
        for m, place in zip(messages, stored.outcomes, strict=True)
    ]


def test_large_messages_stream_in_and_out(open_mbox: Open, memory: Memory) -> None:
    content = b"Message-ID: <large@example.org>\r\n\r\n" + b"From x\r\n>From y\r\n" * 200_000
    large = message_of(content, Pieces(content))
    mbox = open_mbox()
    stored = store(mbox, memory, [simple(1), large, simple(2)])
    locators = [outcome for outcome in stored.outcomes if not isinstance(outcome, FerryError)]
    sizes = []
    for each, copy in zip([simple(1), large, simple(2)], mbox.read(locators), strict=True):
        assert not isinstance(copy, FerryError)
        assert copy.octets == each.octets
        sizes.append(max(map(len, copy.chunks())))
        assert b"".join(copy.chunks()) == b"".join(each.body.chunks())
    assert max(sizes) < 3 << 20
    found = [finding for finding in recover(open_mbox(), Memory()) if isinstance(finding, Found)]
    assert [(f.digest, f.octets, f.message_id) for f in found] == [
        (m.digest, m.octets, m.message_id) for m in (simple(1), large, simple(2))
    ]


def test_batches_go_on_in_the_same_volume_and_in_later_runs(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mbox = open_mbox()
    first = store(mbox, memory, [simple(1)])
    with mbox.exclusive():
        assert mbox.begin([simple(2)]) == MboxAnchor("2026-11-001.mbox", first.volumes[0].end)
    store(mbox, memory, [simple(2)])
    later = open_mbox()
    assert recover(later, memory) == []
    store(later, memory, [simple(3)])
    assert names_in(folder) == ["2026-11-001.mbox"]
    assert recover(open_mbox(), memory) == []


def test_python_reads_what_was_written(open_mbox: Open, folder: Path, memory: Memory) -> None:
    store(open_mbox(), memory, [simple(number) for number in range(5)])
    with mailbox_at(folder / "2026-11-001.mbox") as box:
        assert [box.get_message(key)["Message-ID"] for key in box.iterkeys()] == [
            f"<{n}@example.org>" for n in range(5)
        ]
        assert box.get_message(next(box.iterkeys())).get_from() == "sender0@example.org Mon Nov 23 12:00:00 2026"


def test_an_independent_reading_finds_the_messages(open_mbox: Open, folder: Path, memory: Memory) -> None:
    contents = [content for content in ODD_MESSAGES.values() if content.endswith(b"\r\n") and len(content) < 100_000]
    store(open_mbox(), memory, [message_of(content) for content in contents])
    text = (folder / "2026-11-001.mbox").read_bytes()
    records = re.split(rb"(?:\A|\n)From \S+ \w{3} \w{3} [ \d]\d [\d:]{8} \d{4}\n", text)[1:]
    records[-1] = records[-1][:-1]
    unquoted = [re.sub(rb"(?m)^>(>*From )", rb"\1", record).replace(b"\n", b"\r\n") for record in records]
    assert unquoted == contents


# --------------------------------------------------------------------------------------------- volumes


def test_a_file_in_the_place_of_the_folder_is_an_error_that_says_so(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_bytes(b"From somebody's mbox\n")
    for attempt in (lambda: store(open_mbox(), memory, [simple(1)]), lambda: open_mbox().probe()):
        with pytest.raises(FerryError, match="Not a directory") as caught:
            attempt()
        assert caught.value.kind is Kind.ARCHIVE
        assert "folder" in caught.value.cure
    assert folder.read_bytes() == b"From somebody's mbox\n"


def test_a_new_month_begins_a_new_volume(open_mbox: Open, folder: Path, memory: Memory) -> None:
    times = [datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)]
    for number, now in enumerate(times):
        mbox = open_mbox(clock=lambda now=now: now)
        recover(mbox, memory)
        store(mbox, memory, [simple(number)])
    assert names_in(folder) == ["2026-11-001.mbox", "2026-12-001.mbox"]


def test_a_volume_that_has_passed_its_limit_is_left_alone(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mbox = open_mbox(volume_limit=500)
    for number in range(12):
        store(mbox, memory, [simple(number)])
    names = names_in(folder)
    assert names[:2] == ["2026-11-001.mbox", "2026-11-002.mbox"]
    assert all(500 <= (folder / name).stat().st_size < 800 for name in names[:-1])


def test_numbers_go_on_beyond_999(open_mbox: Open, folder: Path, memory: Memory) -> None:
    folder.mkdir(parents=True)
    (folder / "2026-11-999.mbox").write_bytes(b"")
    mbox = open_mbox(volume_limit=1)
    recover(mbox, memory)
    store(mbox, memory, [simple(1)])
    store(mbox, memory, [simple(2)])
    assert names_in(folder) == ["2026-11-1000.mbox", "2026-11-999.mbox"]


def test_the_number_of_a_lost_volume_is_not_used_again(open_mbox: Open, folder: Path, memory: Memory) -> None:
    store(open_mbox(), memory, [simple(1)])
    mbox = open_mbox(volume_limit=1)
    recover(mbox, memory)
    store(mbox, memory, [simple(2)])
    (folder / "2026-11-002.mbox").unlink()
    mbox = open_mbox(volume_limit=1)
    recover(mbox, memory)
    store(mbox, memory, [simple(3)])
    assert names_in(folder) == ["2026-11-001.mbox", "2026-11-003.mbox"]


def test_a_name_that_somebody_takes_is_passed_over(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mbox = open_mbox()
    with mbox.exclusive():
        mbox.begin([simple(1)])
        folder.mkdir(parents=True)
        (folder / "2026-11-001.mbox").write_bytes(b"From a\nx\n\n")
        memory.note([simple(1)], mbox.store([simple(1)]))
    assert names_in(folder) == ["2026-11-001.mbox", "2026-11-002.mbox"]
    assert (folder / "2026-11-001.mbox").read_bytes() == b"From a\nx\n\n"


@pytest.mark.parametrize("umask", [0o777, 0o000, 0o022])
def test_everything_is_private_whatever_the_umask(
    open_mbox: Open, folder: Path, tmp_path: Path, memory: Memory, umask: int
) -> None:
    before = os.umask(umask)
    try:
        store(open_mbox(), memory, [simple(1)])
    finally:
        os.umask(before)
    made = [path for root in (tmp_path / "archive", tmp_path / "state") for path in (root, *root.rglob("*"))]
    assert len(made) >= 6
    for path in made:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_folders_are_durable_before_the_volume_and_the_volume_once_per_batch(
    open_mbox: Open, tmp_path: Path, memory: Memory
) -> None:
    synced: list[str] = []

    def fsync(handle: int) -> None:
        synced.append(path_of(handle).removeprefix(str(tmp_path.resolve())))

    mbox = open_mbox(device=Device(fsync=fsync))
    store(mbox, memory, [simple(number) for number in range(100)])
    archive = [path for path in synced if "state" not in path]
    assert archive[-4:] == ["", "/archive", "/archive/alice", "/archive/alice/2026-11-001.mbox"]
    synced.clear()
    store(mbox, memory, [simple(number) for number in range(100, 200)])
    assert synced == ["/archive/alice/2026-11-001.mbox"]


def test_an_empty_batch_writes_nothing(open_mbox: Open, folder: Path) -> None:
    mbox = open_mbox()
    with mbox.exclusive():
        assert mbox.store([]).outcomes == ()
    assert not folder.exists()


def test_probe_and_recover_create_nothing(open_mbox: Open, folder: Path) -> None:
    mbox = open_mbox()
    assert recover(mbox, Memory()) == []
    facts = mbox.probe()
    assert not folder.parent.exists()
    assert (facts["path"], facts["exists"], facts["writable"], facts["volumes"]) == (str(folder), False, True, 0)
    assert isinstance(facts["free_bytes"], int)


def test_probe_counts_what_is_there(open_mbox: Open, memory: Memory) -> None:
    mbox = open_mbox()
    stored = store(mbox, memory, [simple(1)])
    facts = mbox.probe()
    assert (facts["exists"], facts["volumes"], facts["bytes"]) == (True, 1, stored.volumes[0].end)


def test_the_same_folder_by_another_name_is_the_same_destination(open_mbox: Open, folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder)
    linked = MboxDestination(tmp_path / "link", state_dir=tmp_path / "state", clock=lambda: NOW)
    assert linked.identity == open_mbox().identity == f"mbox:{folder.resolve()}"


def test_the_steps_are_told_in_order(open_mbox: Open, memory: Memory) -> None:
    steps: list[str] = []
    store(open_mbox(step=steps.append), memory, [simple(1)])
    assert steps == list(STEPS[:6])


# -------------------------------------------------------------------------------------- failing devices


def failing_write(after: int, number: int) -> Callable[[int, bytes | memoryview], int]:
    """Return a write that takes so many bytes, and then fails."""
    left = after

    def write(handle: int, content: bytes | memoryview) -> int:
        nonlocal left
        if not left:
            raise OSError(number, os.strerror(number))
        written = os.write(handle, content[:left])
        left -= written
        return written

    return write


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("taken", [0, 1, 50, 200])
def test_a_full_disk_leaves_the_volume_as_it_was(
    open_mbox: Open, folder: Path, memory: Memory, number: int, taken: int
) -> None:
    store(open_mbox(), memory, [simple(1)])
    before = (folder / "2026-11-001.mbox").read_bytes()
    mbox = open_mbox(device=Device(write=failing_write(taken, number)))
    recover(mbox, memory)
    with pytest.raises(FerryError) as caught:
        store(mbox, memory, [simple(2), simple(3)])
    assert caught.value.kind is Kind.DISK_FULL
    assert "2026-11-001.mbox" in str(caught.value)
    assert (folder / "2026-11-001.mbox").read_bytes() == before
    later = open_mbox()
    findings = recover(later, memory)
    assert [type(finding) for finding in findings] == [VolumeSeen], "our own undoing is no touching by others"
    store(later, memory, [simple(2), simple(3)])
    assert names_in(folder) == ["2026-11-001.mbox"]


def test_after_a_full_disk_the_same_run_goes_on_in_the_same_volume(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    device = Device(write=failing_write(10, errno.ENOSPC))
    mbox = open_mbox(device=device)
    with pytest.raises(FerryError):
        store(mbox, memory, [simple(1)])
    mbox._device = Device()  # noqa: SLF001  - room was made
    store(mbox, memory, [simple(1)])
    assert names_in(folder) == ["2026-11-001.mbox"]


def test_writes_that_take_only_a_part_are_gone_on_with(open_mbox: Open, memory: Memory) -> None:
    mbox = open_mbox(device=Device(write=lambda handle, content: os.write(handle, content[:7])))
    stored = store(mbox, memory, [simple(1), simple(2)])
    assert read(mbox, stored) == [content_of(simple(n).body) for n in (1, 2)]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EIO])
def test_a_disk_that_cannot_be_written_is_an_archive_error_with_a_cure(
    open_mbox: Open, memory: Memory, number: int
) -> None:
    with pytest.raises(FerryError) as caught:
        store(open_mbox(device=Device(write=failing_write(0, number))), memory, [simple(1)])
    assert caught.value.kind is Kind.ARCHIVE
    assert caught.value.cure


def test_a_volume_whose_fsync_failed_is_never_written_to_again(open_mbox: Open, folder: Path, memory: Memory) -> None:
    store(open_mbox(), memory, [simple(1)])

    def fsync(handle: int) -> None:
        if path_of(handle).endswith(".mbox"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.fsync(handle)

    mbox = open_mbox(device=Device(fsync=fsync))
    recover(mbox, memory)
    with pytest.raises(FerryError) as caught:
        store(mbox, memory, [simple(2)])
    assert caught.value.kind is Kind.ARCHIVE
    with mbox.exclusive():
        assert mbox.begin([simple(3)]) == MboxAnchor("2026-11-002.mbox", 0)
    later = open_mbox()
    recover(later, memory)
    assert memory.volumes["2026-11-001.mbox"].state is VolumeState.CLOSED
    assert simple(2).digest in memory.copies, "what did reach the disk is not stored a second time"
    store(later, memory, [simple(3)])
    assert names_in(folder) == ["2026-11-001.mbox", "2026-11-002.mbox"]


def test_a_message_that_cannot_be_read_while_storing_undoes_the_batch(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    class Broken(Pieces):
        def chunks(self) -> Iterator[bytes]:
            yield self.content
            raise FerryError(Kind.INTERNAL, "the spool is gone")

    broken = simple(2)._replace(octets=2_000_000, body=Broken(b"x" * 2_000_000))
    mbox = open_mbox()
    store(mbox, memory, [simple(1)])
    before = (folder / "2026-11-001.mbox").read_bytes()
    with pytest.raises(FerryError, match="the spool is gone"):
        store(mbox, memory, [simple(3), broken])
    assert (folder / "2026-11-001.mbox").read_bytes() == before


# ------------------------------------------------------------------------------------- damaged records


def damaged(folder: Path, offset: int, replacement: bytes) -> None:
    with (folder / "2026-11-001.mbox").open("r+b") as volume:
        volume.seek(offset)
        volume.write(replacement)


def test_damage_to_a_frame_is_told_and_the_others_are_read(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mbox = open_mbox()
    stored = store(mbox, memory, [simple(n) for n in range(4)])
    places = [memory.copies[simple(n).digest][0] for n in range(4)]
    second, third = stored.outcomes[1], stored.outcomes[2]
    damaged(folder, second.offset + 2, b"X")  # type: ignore[union-attr]  # they were stored
    damaged(folder, third.offset + third.length - 1, b"X")  # type: ignore[union-attr]  # as above
    copies = list(mbox.read(places))
    assert [isinstance(copy, FerryError) for copy in copies] == [False, True, True, False]
    told = [str(copy) for copy in copies if isinstance(copy, FerryError)]
    assert "From_ line" in told[0]
    assert f"at byte {second.offset} of {folder / '2026-11-001.mbox'}" in told[0]  # type: ignore[union-attr]  # as above
    assert "closing" in told[1]


def test_damage_to_the_content_is_there_to_be_compared(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mbox = open_mbox()
    stored = store(mbox, memory, [simple(1)])
    damaged(folder, stored.volumes[0].end - 5, b"X")
    assert read(mbox, stored) != [content_of(simple(1).body)]


@pytest.mark.parametrize("size", [100, 2_000_000])
def test_a_cut_volume_and_a_missing_one_are_told_for_each_message(
    open_mbox: Open, folder: Path, memory: Memory, size: int
) -> None:
    mbox = open_mbox()
    store(mbox, memory, [simple(1, size), simple(2, size)])
    places = [memory.copies[simple(n, size).digest][0] for n in (1, 2)]
    volume = folder / "2026-11-001.mbox"
    os.truncate(volume, volume.stat().st_size - 1)
    first, second = mbox.read(places)
    assert not isinstance(first, FerryError)
    assert isinstance(second, FerryError)
    assert (second.kind, "ends before" in str(second)) == (Kind.MISMATCH, True)
    volume.rename(volume.with_name("2026-11-002.mbox"))
    for copy in mbox.read(places):
        assert isinstance(copy, FerryError)
        assert (copy.kind, "missing" in str(copy)) == (Kind.MISMATCH, True)


def test_where_there_is_no_volume_at_all_nothing_is_said_of_single_messages(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    mbox = open_mbox()
    stored = store(mbox, memory, [simple(1)])
    (folder / "2026-11-001.mbox").unlink()
    with pytest.raises(AwayError, match="is its disk mounted"):
        read(mbox, stored)


def mailbox_at(path: Path) -> ClosingMailbox:
    return ClosingMailbox(path)


class ClosingMailbox:
    """Python's own mbox, closed at the end of a block."""

    def __init__(self, path: Path) -> None:
        self._box = mailbox.mbox(path, create=False)

    def __enter__(self) -> mailbox.mbox:
        return self._box

    def __exit__(self, *_error: object) -> None:
        self._box.close()
