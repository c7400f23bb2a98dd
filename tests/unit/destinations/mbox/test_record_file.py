"""A large message that becomes a volume as it came, and what happens where it cannot."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.copy_records import MboxAnchor
from migrator.destinations.mbox import record_file
from migrator.destinations.mbox.destination import MboxDestination
from migrator.errors import FerryError, Kind
from migrator.files import Device
from migrator.message.body import Message
from migrator.read_back import LONG_CHUNK_OCTETS
from tests.contract.support import NOW, Memory, content_of, names_in, path_of, read, recover, store
from tests.faults import read_only
from tests.mail import message_of, simple

Open = Callable[..., MboxDestination]
LEAST = record_file.OWN_VOLUME_FROM
HEAD = b"Return-Path: <a@b.c>\nReceived: by mx; Mon, 2 Feb 2015 03:04:05 +0100\nSubject: large\n\n"
LINES = HEAD + (b"From here on\n>From there\n\n" + b"x" * 76 + b"\n") * (LEAST // 90) + b"F"
RECORD_HEAD = b"From a@b.c Mon Feb  2 02:04:05 2015\n"
RECORD = RECORD_HEAD + LINES.replace(b">From", b">>From").replace(b"\nFrom", b"\n>From") + b"\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive" / "alice"


@pytest.fixture
def open_mbox(tmp_path: Path, folder: Path) -> Open:
    def opened(**options: object) -> MboxDestination:
        arguments = {"state_dir": tmp_path / "state", "clock": lambda: NOW, "lock_timeout": 0.05, **options}
        return MboxDestination(folder, **arguments)  # type: ignore[arg-type]  # a test's options are what they are

    return opened


@pytest.fixture
def memory() -> Memory:
    return Memory()


def come(mbox: MboxDestination, lines: bytes = LINES, piece: int = 99_991) -> Message:
    """Have a message come in pieces, as the session hands them over."""
    spool = mbox.open_spool()
    assert spool is not None
    for at in range(0, len(lines), piece):
        spool.write(lines[at : at + piece])
    content = lines.replace(b"\n", b"\r\n")
    return message_of(content, spool.body(len(content)))


def test_a_large_message_becomes_a_volume_without_being_written_again(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    mbox = open_mbox(device=Device(write=lambda *_: pytest.fail("written again")))
    message = come(mbox)
    assert content_of(message.body) == LINES.replace(b"\n", b"\r\n")
    stored = store(mbox, memory, [message])
    assert (folder / "2026-11-001.mbox").read_bytes() == RECORD
    assert names_in(folder) == ["2026-11-001.mbox"]
    assert read(mbox, stored) == [content_of(message.body)]
    assert recover(open_mbox(), memory) == []


def test_a_bit_that_flipped_anywhere_in_it_is_found_when_it_is_read_back(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    mbox = open_mbox()
    stored = store(mbox, memory, [come(mbox)])
    content = LINES.replace(b"\n", b"\r\n")
    with (folder / "2026-11-001.mbox").open("r+b") as volume:
        for place in (len(RECORD_HEAD), LONG_CHUNK_OCTETS, len(RECORD) // 2, len(RECORD) - 2):
            volume.seek(place)
            byte = volume.read(1)
            volume.seek(place)
            volume.write(bytes([byte[0] ^ 8]))
            volume.flush()
            assert read(mbox, stored) != [content]
            volume.seek(place)
            volume.write(byte)
            volume.flush()
    assert read(mbox, stored) == [content]


def test_it_stands_behind_what_was_there_and_more_is_appended_to_it(
    open_mbox: Open, folder: Path, memory: Memory
) -> None:
    mbox = open_mbox()
    store(mbox, memory, [simple(1)])
    before = (folder / "2026-11-001.mbox").read_bytes()
    message = come(mbox)
    kept = store(mbox, memory, [message])
    later = store(mbox, memory, [simple(2)])
    assert names_in(folder) == ["2026-11-001.mbox", "2026-11-002.mbox"]
    assert (folder / "2026-11-001.mbox").read_bytes() == before
    assert (folder / "2026-11-002.mbox").read_bytes().startswith(RECORD + b"From ")
    assert read(mbox, kept) == [content_of(message.body)], "also when more follows it"
    assert read(mbox, later) == [content_of(simple(2).body)]
    assert recover(open_mbox(), memory) == []


def test_what_is_not_so_large_is_appended(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mbox = open_mbox()
    small = come(mbox, HEAD + b"From me\n")
    store(mbox, memory, [simple(1), small])
    written = (folder / "2026-11-001.mbox").read_bytes()
    assert written.endswith(b"\n" + RECORD_HEAD + HEAD + b">From me\n\n")
    assert recover(open_mbox(), memory) == []


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.ENOENT])
def test_where_the_file_system_gives_it_no_name_it_is_copied(
    open_mbox: Open, folder: Path, memory: Memory, number: int
) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    mbox = open_mbox(device=Device(link=link))
    message = come(mbox)
    stored = store(mbox, memory, [message])
    assert (folder / "2026-11-001.mbox").read_bytes() == RECORD
    assert read(mbox, stored) == [content_of(message.body)]


def test_where_nothing_can_be_written_it_is_kept_elsewhere(open_mbox: Open, folder: Path) -> None:
    folder.mkdir(parents=True)
    with read_only(folder):
        assert open_mbox().open_spool() is None


def test_an_archive_that_is_away_gets_no_file_in_its_place(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mbox = open_mbox()
    store(mbox, memory, [simple(1)])
    folder.rename(folder.with_name("elsewhere"))
    assert mbox.open_spool() is None


def test_a_name_that_somebody_takes_is_passed_over(open_mbox: Open, folder: Path, memory: Memory) -> None:
    mbox = open_mbox()
    message = come(mbox)
    with mbox.exclusive():
        assert mbox.begin([message]) == MboxAnchor("2026-11-001.mbox", 0)
        folder.mkdir(parents=True)
        (folder / "2026-11-001.mbox").write_bytes(b"From a\nx\n\n")
        memory.note([message], mbox.store([message]))
    assert (folder / "2026-11-001.mbox").read_bytes() == b"From a\nx\n\n"
    assert (folder / "2026-11-002.mbox").read_bytes() == RECORD


def test_it_is_durable_before_it_has_a_name_and_the_name_before_the_end(
    open_mbox: Open, tmp_path: Path, memory: Memory
) -> None:
    seen: list[str] = []

    def fsync(handle: int) -> None:
        seen.append(path_of(handle).removeprefix(str(tmp_path.resolve())))

    def link(source: str, target: str, **options: object) -> None:
        seen.append("named")
        os.link(source, target, **options)  # type: ignore[arg-type]  # as it was given

    mbox = open_mbox(device=Device(fsync=fsync, link=link), step=seen.append)
    store(mbox, memory, [come(mbox)])
    of_archive = [one for one in seen if "state" not in one]
    assert of_archive[3] == "mbox.folder-created"
    assert "(deleted)" in of_archive[4]
    assert of_archive[5:] == ["named", "mbox.volume-created", "/archive/alice", "mbox.directory-synced"]


def test_when_it_cannot_be_made_durable_it_gets_no_name(open_mbox: Open, folder: Path, memory: Memory) -> None:
    def fsync(handle: int) -> None:
        if "(deleted)" in path_of(handle):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    mbox = open_mbox(device=Device(fsync=fsync))
    with pytest.raises(FerryError) as caught:
        store(mbox, memory, [come(mbox)])
    assert caught.value.kind is Kind.ARCHIVE
    assert names_in(folder) == []


def test_somebody_who_writes_to_it_at_once_is_noticed(open_mbox: Open, folder: Path, memory: Memory) -> None:
    def link(source: str, target: str, **options: object) -> None:
        os.link(source, target, **options)  # type: ignore[arg-type]  # as it was given
        with (folder / target).open("ab") as file:
            file.write(b"From a\nx\n\n")

    mbox = open_mbox(device=Device(link=link))
    message = come(mbox)
    with mbox.exclusive():
        memory.intend(mbox, mbox.begin([message]), [message])
        with pytest.raises(FerryError, match="without asking for a lock"):
            mbox.store([message])
    later = open_mbox()
    recover(later, memory)
    assert message.digest in memory.copies, "it is adopted, not stored again"


@pytest.mark.parametrize("step", ["mbox.folder-created", "mbox.volume-created", "mbox.directory-synced"])
def test_a_crash_at_any_step_leaves_all_of_it_or_nothing(
    open_mbox: Open, folder: Path, memory: Memory, step: str
) -> None:
    class DiedError(Exception):
        pass

    def die(name: str) -> None:
        if name == step:
            raise DiedError

    mbox = open_mbox(step=die)
    message = come(mbox)
    with pytest.raises(DiedError):
        store(mbox, memory, [message])
    mbox.close()
    is_there = step != "mbox.folder-created"
    assert names_in(folder) == (["2026-11-001.mbox"] if is_there else [])
    later = open_mbox()
    recover(later, memory)
    assert (message.digest in memory.copies) is is_there
    assert names_in(folder) == (["2026-11-001.mbox"] if is_there else [])


@pytest.mark.parametrize("umask", [0o777, 0o000])
def test_it_is_private_whatever_the_umask(open_mbox: Open, folder: Path, memory: Memory, umask: int) -> None:
    before = os.umask(umask)
    try:
        mbox = open_mbox()
        store(mbox, memory, [come(mbox)])
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "2026-11-001.mbox").stat().st_mode) == 0o600
