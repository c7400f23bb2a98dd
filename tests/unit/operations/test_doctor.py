from __future__ import annotations

from pathlib import Path

from migrator.operations.doctor import weaknesses_of


def test_what_a_file_system_lacks_is_said_in_one_clause(tmp_path: Path) -> None:
    [weakness] = weaknesses_of(tmp_path, f"x {tmp_path} exfat rw 0 0\n")
    assert weakness.startswith("on its file system (exfat) the share decides who may read the files")
    assert weakness.count("; ") == 3


def test_a_file_system_in_memory_cannot_prove_what_a_disk_has(tmp_path: Path) -> None:
    [weakness] = weaknesses_of(tmp_path, f"x {tmp_path} tmpfs rw 0 0\n")
    assert weakness.startswith("on its file system (tmpfs) everything is gone when the machine is switched off")
    assert "copies are read back from memory" in weakness
    assert weaknesses_of(tmp_path, f"x {tmp_path} ext4 rw 0 0\n") == ()
