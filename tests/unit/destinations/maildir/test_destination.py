"""The Maildir destination: what stands in its folders after each thing that can happen to it."""

from __future__ import annotations

import errno
import mailbox
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from migrator.copy_records import Found, MaildirAnchor, Vanished, VolumeSeen, VolumeState
from migrator.destinations.maildir.destination import STEPS, MaildirDestination
from migrator.errors import AwayError, FerryError, Kind
from migrator.files import Device
from migrator.model import MaildirLocator
from tests.contract.support import NOW, Memory, content_of, names_in, path_of, recover, store
from tests.mail import Pieces, message_of, simple

Open = Callable[..., MaildirDestination]
THEIRS = b"Subject: theirs\n\nx\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive" / "alice"


@pytest.fixture
def open_maildir(tmp_path: Path, folder: Path) -> Open:
    def opened(**options: object) -> MaildirDestination:
        arguments = {"state_dir": tmp_path / "state", "clock": lambda: NOW, "lock_timeout": 0.05, **options}
        return MaildirDestination(folder, **arguments)  # type: ignore[arg-type]  # a test's options are what they are

    return opened


@pytest.fixture
def memory(open_maildir: Open) -> Memory:
    """The memory of a Maildir in which one message stands."""
    memory = Memory()
    maildir = open_maildir()
    recover(maildir, memory)
    store(maildir, memory, [simple(0)])
    return memory


def place_of(memory: Memory, number: int) -> MaildirLocator:
    locator = memory.copies[simple(number).digest][0]
    assert isinstance(locator, MaildirLocator)
    return locator


def test_a_message_is_a_file_with_lf_line_ends(open_maildir: Open, folder: Path) -> None:
    store(open_maildir(), Memory(), [message_of(b"Subject: x\r\n\r\nFrom me\r\na\rb\r\r\nend")])
    (file,) = (folder / "new").iterdir()
    assert file.read_bytes() == b"Subject: x\n\nFrom me\na\rb\r\nend"
    assert names_in(folder) == ["cur", "new", "tmp"]
    assert names_in(folder / "tmp") == []


def test_names_begin_with_the_anchor_and_are_told_apart(open_maildir: Open, folder: Path) -> None:
    maildir = open_maildir(random=lambda size: b"\xab" * size)
    with maildir.exclusive():
        anchor = maildir.begin([simple(1), simple(2)])
        assert anchor == MaildirAnchor("1795435200.FababababababQ")
        maildir.store([simple(1), simple(2)])
    host = os.uname().nodename
    assert names_in(folder / "new") == [f"{anchor.prefix}0.{host}", f"{anchor.prefix}1.{host}"]


def test_two_batches_of_one_second_have_names_of_their_own(open_maildir: Open, folder: Path) -> None:
    memory = Memory()
    maildir = open_maildir()
    store(maildir, memory, [simple(1)])
    store(maildir, memory, [simple(2)])
    assert len(names_in(folder / "new")) == 2


def test_python_reads_what_was_written(memory: Memory, folder: Path) -> None:
    box = mailbox.Maildir(folder, create=False)
    assert [mail["Message-ID"] for mail in box] == ["<0@example.org>"]
    box.close()


@pytest.mark.parametrize("umask", [0o777, 0o000])
def test_everything_is_private_whatever_the_umask(open_maildir: Open, folder: Path, tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store(open_maildir(), Memory(), [simple(1)])
    finally:
        os.umask(before)
    made = [path for root in (tmp_path / "archive", tmp_path / "state") for path in (root, *root.rglob("*"))]
    assert len(made) >= 8
    for path in made:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_each_file_is_durable_before_its_name_and_the_folder_once_per_batch(
    open_maildir: Open, folder: Path, memory: Memory
) -> None:
    synced: list[str] = []

    def fsync(handle: int) -> None:
        synced.append(str(Path(path_of(handle)).relative_to(folder.resolve()).parts[0]))
        if synced[-1] == "tmp":
            assert len(names_in(folder / "new")) == 1, "renamed before it was durable"

    maildir = open_maildir(device=Device(fsync=fsync))
    maildir.recover(memory.recollection)
    with maildir.exclusive():
        maildir.store([simple(number) for number in range(1, 5)])
    assert synced == ["tmp"] * 4 + ["new"]


FLAGS = ("\\Seen", "\\Flagged")


def test_flags_stand_in_the_name_of_a_message_in_cur(open_maildir: Open, folder: Path, memory: Memory) -> None:
    synced: list[str] = []

    def fsync(handle: int) -> None:
        synced.append(str(Path(path_of(handle)).relative_to(folder.resolve()).parts[0]))

    maildir = open_maildir(device=Device(fsync=fsync))
    recover(maildir, memory)
    store(maildir, memory, [simple(1)._replace(flags=FLAGS), simple(2)])
    [name] = names_in(folder / "cur")
    assert name.endswith(":2,FS")
    assert synced[-2:] == ["new", "cur"]
    for copy in open_maildir().read([place_of(memory, 1), place_of(memory, 2)]):
        assert not isinstance(copy, FerryError)
    assert recover(open_maildir(), memory) == []


def test_where_a_name_has_no_colon_a_message_has_no_flags(
    open_maildir: Open, folder: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """exFAT, NTFS and most shares of Windows."""
    rename = Path.rename

    def renamed(path: Path, target: Path) -> Path:
        if ":" in target.name:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)
    store(open_maildir(), memory, [simple(1)._replace(flags=FLAGS)])
    assert (len(names_in(folder / "new")), names_in(folder / "cur")) == (2, [])


# ------------------------------------------------------------------------------------------ mail readers


@pytest.mark.parametrize("flags", ["", ":2,", ":2,S", ":2,RS", ":2,DFPRST", ":2,abc"])
@pytest.mark.parametrize("size", [100, 2_000_000])
def test_a_message_that_a_mail_reader_moved_is_still_the_copy(
    open_maildir: Open, folder: Path, flags: str, size: int
) -> None:
    memory = Memory()
    store(open_maildir(), memory, [simple(1, size), simple(2, size)])
    for number in (1, 2):
        (locator,) = memory.copies[simple(number, size).digest]
        assert isinstance(locator, MaildirLocator)
        (folder / "new" / locator.base_name).rename(folder / "cur" / (locator.base_name + flags))
    maildir = open_maildir()
    places = [memory.copies[simple(number, size).digest][0] for number in (1, 2)]
    contents = [content_of(copy) for copy in maildir.read(places)]
    assert contents == [content_of(simple(number, size).body) for number in (1, 2)]


def test_a_message_that_is_gone_is_told_with_its_name(open_maildir: Open, folder: Path, memory: Memory) -> None:
    locator = place_of(memory, 0)
    (folder / "new" / locator.base_name).unlink()
    (copy,) = open_maildir().read([locator])
    assert isinstance(copy, FerryError)
    assert (copy.kind, locator.base_name in str(copy)) == (Kind.MISMATCH, True)


def test_our_own_files_are_not_read_again_after_a_reader_moved_them(
    open_maildir: Open, folder: Path, memory: Memory
) -> None:
    locator = place_of(memory, 0)
    (folder / "new" / locator.base_name).rename(folder / "cur" / f"{locator.base_name}:2,S")
    assert [type(finding) for finding in recover(open_maildir(), memory)] == [VolumeSeen]
    assert recover(open_maildir(), memory) == []


def test_hidden_files_folders_and_unwritable_names_are_no_mail(
    open_maildir: Open, folder: Path, memory: Memory
) -> None:
    (folder / "new" / ".hidden").write_bytes(THEIRS)
    (folder / "new" / "folder").mkdir()
    (folder / "cur" / "link").symlink_to(folder / "new" / ".hidden")
    Path(os.fsdecode(os.fsencode(folder / "new") + b"/\xff")).write_bytes(THEIRS)
    assert [type(finding) for finding in recover(open_maildir(), Memory())] == [Found, VolumeSeen]


def test_many_files_are_told_in_portions_that_can_be_noted_on_the_way(open_maildir: Open, folder: Path) -> None:
    (folder / "new").mkdir(parents=True)
    (folder / "cur").mkdir()
    for number in range(5_003):
        (folder / "new" / f"{number}.theirs").write_bytes(THEIRS + b"%d\n" % number)
    findings = recover(open_maildir(device=Device(fsync=lambda handle: None)), Memory())
    seen = [finding for finding in findings if isinstance(finding, VolumeSeen)]
    assert (len(findings), len(seen)) == (5_005, 2)
    interrupted = Memory()
    interrupted.take(findings[:5_001])
    again = recover(open_maildir(device=Device(fsync=lambda handle: None)), interrupted)
    assert len(again) == 4, "a first look that was cut short goes on"


# ---------------------------------------------------------------------------------------------- crashes


STEPS_OF_A_BATCH = [
    (name, at) for name in STEPS for at in (1, 2) if name not in {"maildir.folder-created", "maildir.tmp-swept"}
]


@pytest.mark.parametrize(("step", "at"), STEPS_OF_A_BATCH)
def test_a_process_that_dies_at_any_step_loses_and_doubles_nothing(
    open_maildir: Open, folder: Path, memory: Memory, step: str, at: int
) -> None:
    messages = [simple(1)._replace(flags=FLAGS), simple(2)._replace(flags=FLAGS), simple(3)]
    died = os.fork()
    if died == 0:
        left = at

        def die(name: str) -> None:
            nonlocal left
            if name == step:
                left -= 1
                if not left:
                    os._exit(9)

        maildir = open_maildir(step=die, random=lambda size: b"\1" * size)
        maildir.begin(messages)
        maildir.store(messages)
        os._exit(0)
    os.waitpid(died, 0)
    maildir = open_maildir(random=lambda size: b"\1" * size)
    memory.intend(maildir, maildir.begin(messages), messages)  # the same names: what the dead process noted
    later = open_maildir()
    recover(later, memory)
    missing = [each for each in messages if each.digest not in memory.copies]
    assert names_in(folder / "tmp") == []
    store(later, memory, missing)
    assert len(names_in(folder / "new") + names_in(folder / "cur")) == 4
    for each in messages:
        (place,) = memory.copies[each.digest]
        (copy,) = later.read([place])
        assert content_of(copy) == content_of(each.body)
    assert recover(open_maildir(), memory) == []


def test_only_what_an_intent_explains_is_swept_from_tmp(open_maildir: Open, folder: Path, memory: Memory) -> None:
    maildir = open_maildir()
    memory.intend(maildir, maildir.begin([simple(1)]), [simple(1)])
    anchor = memory.intents[0].anchor
    assert isinstance(anchor, MaildirAnchor)
    (folder / "tmp" / f"{anchor.prefix}0.host").write_bytes(b"half")
    (folder / "tmp" / "1795000000.1.somebody").write_bytes(b"half")
    recover(open_maildir(), memory)
    assert names_in(folder / "tmp") == ["1795000000.1.somebody"]


@pytest.mark.parametrize("is_mount_point_there", [False, True])
def test_a_maildir_that_is_away_is_an_archive_error_and_fine_when_it_is_back(
    open_maildir: Open, folder: Path, memory: Memory, is_mount_point_there: bool
) -> None:
    known = dict(memory.volumes)
    folder.rename(folder.with_name("unmounted"))
    if is_mount_point_there:
        folder.mkdir()
    maildir = open_maildir()
    with pytest.raises(AwayError, match="is its disk mounted") as caught:
        recover(maildir, memory)
    assert caught.value.kind is Kind.ARCHIVE
    with pytest.raises(AwayError):
        store(maildir, memory, [simple(1)])
    with pytest.raises(AwayError):
        list(maildir.read([place_of(memory, 0)]))
    assert list(folder.parent.glob("alice/*")) == []
    assert memory.volumes == known
    if is_mount_point_there:
        folder.rmdir()
    folder.with_name("unmounted").rename(folder)
    memory.intents.clear()
    assert recover(open_maildir(), memory) == []
    store(open_maildir(), memory, [simple(1)])


def test_a_maildir_that_an_earlier_release_refused_is_looked_at_again(open_maildir: Open, memory: Memory) -> None:
    [record] = memory.volumes.values()
    memory.volumes[record.name] = replace(record, state=VolumeState.CHANGED)
    assert recover(open_maildir(), memory) == [VolumeSeen(record)]


# ------------------------------------------------------------------------- other names, other ledgers


@pytest.mark.parametrize(
    "name", ["{},U=12:2,S", "{},U=3", "{},S=17,W=19:2,", "{},S=1,W=2,U=3:2,RS", "{};2,S", "{}!2,S"]
)
def test_what_programs_append_to_a_name_makes_no_other_message(
    open_maildir: Open, folder: Path, memory: Memory, name: str
) -> None:
    locator = place_of(memory, 0)
    (folder / "new" / locator.base_name).rename(folder / "cur" / name.format(locator.base_name))
    assert [type(finding) for finding in recover(open_maildir(), memory)] == [VolumeSeen]
    (copy,) = open_maildir().read([locator])
    assert content_of(copy) == content_of(simple(0).body)
    assert open_maildir().count_missing([locator]) == 0


def test_a_message_of_others_with_sizes_in_its_name_is_read_by_what_is_left_of_it(
    open_maildir: Open, folder: Path, memory: Memory
) -> None:
    (folder / "new" / "1795000000.M1P2.host,S=18,W=20").write_bytes(THEIRS)
    (found,) = [one for one in recover(open_maildir(), memory) if isinstance(one, Found)]
    assert found.locator == MaildirLocator("1795000000.M1P2.host")
    (copy,) = open_maildir().read([found.locator])
    assert content_of(copy) == THEIRS.replace(b"\n", b"\r\n")


def test_an_older_ledger_or_that_of_another_machine_finds_what_it_does_not_know(
    open_maildir: Open, folder: Path, memory: Memory
) -> None:
    older = Memory(volumes=dict(memory.volumes), copies=dict(memory.copies))
    store(open_maildir(), memory, [simple(1), simple(2)])
    found = [one.digest for one in recover(open_maildir(), older) if isinstance(one, Found)]
    assert sorted(found) == sorted([simple(1).digest, simple(2).digest])
    assert recover(open_maildir(), older) == []


def test_what_is_no_longer_there_is_told(open_maildir: Open, folder: Path, memory: Memory) -> None:
    maildir = open_maildir()
    store(maildir, memory, [simple(1)])
    gone = place_of(memory, 1).base_name
    (folder / "new" / gone).unlink()
    assert [one for one in recover(open_maildir(), memory) if isinstance(one, Vanished)] == [Vanished((gone,))]
    assert recover(open_maildir(), memory) == []


# -------------------------------------------------------------------------------------- failing devices


def failing(number: int) -> Callable[..., NoReturn]:
    def fail(*_arguments: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, Kind.DISK_FULL), (errno.EROFS, Kind.ARCHIVE)])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_fails_leaves_nothing_half_done(
    open_maildir: Open, folder: Path, memory: Memory, number: int, kind: Kind, call: str
) -> None:
    device = Device(write=failing(number)) if call == "write" else Device(fsync=failing(number))
    maildir = open_maildir(device=device)
    with pytest.raises(FerryError) as caught:
        store(maildir, memory, [simple(1), simple(2)])
    assert caught.value.kind is kind
    assert caught.value.cure
    assert names_in(folder / "tmp") == []
    assert len(names_in(folder / "new")) == 1
    later = open_maildir()
    recover(later, memory)
    store(later, memory, [simple(1), simple(2)])
    assert len(names_in(folder / "new")) == 3


def test_an_interrupted_batch_leaves_nothing_in_tmp(open_maildir: Open, folder: Path, memory: Memory) -> None:
    def interrupt(name: str) -> None:
        if name == "maildir.fsynced":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store(open_maildir(step=interrupt), memory, [simple(1)])
    assert names_in(folder / "tmp") == []


def test_the_steps_are_told_in_order(open_maildir: Open) -> None:
    steps: list[str] = []
    store(open_maildir(step=steps.append), Memory(), [simple(1)])
    assert steps == list(STEPS[:-1])


def test_pieces_of_any_size_make_the_same_file(open_maildir: Open, folder: Path) -> None:
    content = b"a\r\r\nb\r\n" * 200_000 + b"\r"
    store(open_maildir(), Memory(), [message_of(content, Pieces(content, 77_777))])
    (file,) = (folder / "new").iterdir()
    assert file.read_bytes() == content.replace(b"\r\n", b"\n")
