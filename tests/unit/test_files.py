from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from migrator.files import publish, replace_file


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
