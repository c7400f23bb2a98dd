from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.errors import Kind
from migrator.files import (
    Device,
    LockTimeout,
    create_file,
    folder_facts,
    lock_file,
    make_folder,
    publish,
    replace_file,
    storage_error,
    sync_folder,
)


@pytest.mark.parametrize("is_durable", [True, False])
def test_a_file_is_replaced_whole_and_private_whatever_the_umask(tmp_path: Path, is_durable: bool) -> None:
    path = tmp_path / "facts"
    path.write_bytes(b"before")
    before = os.umask(0o277)
    try:
        with replace_file(path, is_durable=is_durable) as file:
            file.write(b"after")
            assert path.read_bytes() == b"before"
    finally:
        os.umask(before)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"after", 0o600)
    assert [one.name for one in tmp_path.iterdir()] == ["facts"]


def test_what_fails_on_the_way_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "facts"
    path.write_bytes(b"before")

    def fail() -> None:
        with replace_file(path) as file:
            file.write(b"half")
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("facts", b"before")]


def test_two_writers_do_not_write_into_each_other_s_file(tmp_path: Path) -> None:
    path = tmp_path / "facts"

    def write() -> None:
        with replace_file(path) as file:
            file.write(b"second")

    with replace_file(path) as file:
        file.write(b"first")
        other = threading.Thread(target=write)
        other.start()
        other.join()
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"


@pytest.mark.parametrize("is_durable", [True, False])
def test_a_whole_file_gets_its_name_but_never_that_of_another(tmp_path: Path, is_durable: bool) -> None:
    whole, path = tmp_path / "x.partial", tmp_path / "x"
    whole.write_bytes(b"whole")
    publish(whole, path, is_durable=is_durable)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("x", b"whole")]
    whole.write_bytes(b"another")
    with pytest.raises(FileExistsError):
        publish(whole, path, is_durable=is_durable)
    assert path.read_bytes() == b"whole"


def refusing(error: int) -> Callable[..., None]:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(error, os.strerror(error))

    return refuse


@pytest.mark.parametrize("error", [errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_a_share_decides_the_rights_files_and_folders_are_made_all_the_same(tmp_path: Path, error: int) -> None:
    share = Device(chmod=refusing(error), fchmod=refusing(error))
    assert make_folder(tmp_path / "a/b", share)
    os.close(create_file(tmp_path / "a/b/volume", share))
    with replace_file(tmp_path / "a/facts", device=share) as file:
        file.write(b"whole")
    assert (tmp_path / "a/facts").read_bytes() == b"whole"
    with lock_file(tmp_path / "lock", LockTimeout(0), share, "this"):
        pass


@pytest.mark.parametrize("error", [errno.EIO, errno.EROFS])
def test_rights_that_cannot_be_set_for_another_reason_are_an_error(tmp_path: Path, error: int) -> None:
    with pytest.raises(OSError, match=os.strerror(error)):
        create_file(tmp_path / "volume", Device(fchmod=refusing(error)))
    with pytest.raises(OSError, match=os.strerror(error)):
        make_folder(tmp_path / "folder", Device(chmod=refusing(error)))


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.ENOSYS])
def test_a_folder_that_refuses_to_be_synced_is_no_error_and_is_noted(tmp_path: Path, error: int) -> None:
    share = Device(fsync=refusing(error))
    assert sync_folder(tmp_path, share) is False
    assert folder_facts(tmp_path, share)["can_sync_folder"] is False
    assert sync_folder(tmp_path) is True
    assert "can_sync_folder" not in folder_facts(tmp_path)


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_folder_that_fails_to_be_synced_is_an_error(tmp_path: Path, error: int) -> None:
    with pytest.raises(OSError, match=os.strerror(error)):
        sync_folder(tmp_path, Device(fsync=refusing(error)))


def test_without_hard_links_a_whole_file_gets_its_name_and_never_that_of_another(tmp_path: Path) -> None:
    share = Device(link=refusing(errno.EPERM))
    whole, path = tmp_path / "x.partial", tmp_path / "x"
    whole.write_bytes(b"whole")
    publish(whole, path, device=share)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("x", b"whole")]
    whole.write_bytes(b"another")
    with pytest.raises(FileExistsError):
        publish(whole, path, device=share)
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        publish(whole, path, device=share)


@pytest.mark.parametrize(
    ("error", "kind", "finding"),
    [
        (errno.EROFS, Kind.ARCHIVE, "archive-read-only"),
        (errno.EACCES, Kind.ARCHIVE, "archive-read-only"),
        (errno.ENOSPC, Kind.DISK_FULL, "disk-full"),
        (errno.EDQUOT, Kind.DISK_FULL, "disk-full"),
        (errno.EIO, Kind.ARCHIVE, ""),
    ],
)
def test_what_a_file_system_says_names_its_finding(error: int, kind: Kind, finding: str) -> None:
    failure = storage_error(OSError(error, os.strerror(error)), "writing")
    assert (failure.kind, failure.finding) == (kind, finding)
