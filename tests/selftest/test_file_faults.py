"""The wrappers of tests.faults do the damage they are named after."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from tests import faults


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    path = tmp_path / "volume"
    path.write_bytes(b"abcdef")
    return path


def test_bytes_are_damaged_in_place(volume: Path) -> None:
    number = volume.stat().st_ino
    faults.flip_bit(volume, 0)
    assert volume.read_bytes() == b"`bcdef"
    faults.flip_bit(volume, -1, bit=7)
    assert volume.read_bytes() == b"`bcde\xe6"
    faults.overwrite(volume, 2, b"XY")
    assert volume.read_bytes() == b"`bXYe\xe6"
    faults.insert(volume, 1, b"__")
    assert volume.read_bytes() == b"`__bXYe\xe6"
    assert volume.stat().st_ino == number


def test_tails_are_cut_and_added(volume: Path) -> None:
    faults.cut_tail(volume, 2)
    assert volume.read_bytes() == b"abcd"
    faults.add_tail(volume, b"!")
    assert volume.read_bytes() == b"abcd!"
    faults.cut_tail(volume, 99)
    assert volume.read_bytes() == b""


def test_files_go_and_change_places(volume: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"other")
    faults.swap(volume, other)
    assert (volume.read_bytes(), other.read_bytes()) == (b"other", b"abcdef")
    faults.remove(other)
    assert sorted(tmp_path.iterdir()) == [volume]


def test_a_read_only_folder_stops_even_root_and_children(volume: Path) -> None:
    with faults.read_only(volume.parent):
        with pytest.raises(OSError, match="Read-only") as refused:
            volume.open("ab")
        assert refused.value.errno == errno.EROFS
        assert subprocess.run(["touch", str(volume)], check=False, capture_output=True).returncode == 1
        assert volume.read_bytes() == b"abcdef"
    faults.add_tail(volume, b"g")


def test_a_small_disk_gets_full_and_has_room_again(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    cwd = Path.cwd()
    with faults.small_disk(disk, 1 << 20):
        filler = faults.fill_disk(disk, leave=8192)
        (disk / "small").write_bytes(bytes(8192))
        with pytest.raises(OSError, match="No space") as refused:
            (disk / "more").write_bytes(b"x")
        assert refused.value.errno == errno.ENOSPC
        filler.unlink()
        (disk / "more").write_bytes(b"x")
    assert list(disk.iterdir()) == []
    assert Path.cwd() == cwd
