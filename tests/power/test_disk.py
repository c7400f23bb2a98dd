"""The model of a disk that the power-loss tests rest on, claim by claim."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.power.disk import Chance, Disk, Fate, Kept, Lost, NamesKept, Torn, lay_out, taken_in
from tests.power.operations import Make, Operation, Remove, Rename, Resize, Sync, Write

ROOT = Path("/root-of-all")
FILE = f"{ROOT}/file"
OTHER = f"{ROOT}/folder/other"


def after(
    operations: list[Operation], fate: Fate, found: dict[str, bytes | None] | None = None
) -> dict[str, bytes | None]:
    disk = Disk(ROOT, found or {"folder": None})
    for operation in operations:
        disk.do(operation)
    return {path: content for path, content in disk.after_power_cut(fate).items() if path != "folder"}


NEW: list[Operation] = [Make(FILE, is_folder=False), Write(FILE, 0, b"content")]


def test_what_nobody_synced_may_be_gone_or_there() -> None:
    assert after(NEW, Lost()) == {}
    assert after(NEW, Kept()) == {"file": b"content"}


def test_a_synced_file_has_no_name_before_its_folder_is_synced() -> None:
    assert after([*NEW, Sync(FILE)], Lost()) == {}
    assert after([*NEW, Sync(FILE), Sync(str(ROOT))], Lost()) == {"file": b"content"}


def test_a_synced_name_does_not_bring_its_content() -> None:
    assert after([*NEW, Sync(str(ROOT))], Lost()) == {"file": b""}
    assert after([*NEW, Sync(str(ROOT))], NamesKept()) == {"file": bytes(7)}
    assert after([*NEW, Sync(str(ROOT))], Torn()) == {"file": b"con"}


def test_what_was_there_before_comes_back_when_a_change_is_lost() -> None:
    changes: list[Operation] = [Write(FILE, 0, b"new"), Resize(FILE, 2), Remove(OTHER)]
    found: dict[str, bytes | None] = {"file": b"old", "folder": None, "folder/other": b"there"}
    assert after(changes, Lost(), found) == {"file": b"old", "folder/other": b"there"}
    assert after(changes, Kept(), found) == {"file": b"ne"}


def test_a_name_that_is_changed_is_never_both_or_neither() -> None:
    moved: list[Operation] = [*NEW, Sync(FILE), Sync(str(ROOT)), Rename(FILE, OTHER)]
    assert after(moved, Lost()) == {"file": b"content"}
    assert after(moved, Kept()) == {"folder/other": b"content"}
    assert after([*moved, Sync(f"{ROOT}/folder")], Lost()) == {"folder/other": b"content"}


def test_a_later_write_may_be_there_without_an_earlier_one() -> None:
    writes: list[Operation] = [*NEW, Sync(str(ROOT)), Write(FILE, 5000, b"far")]
    seen = {after(writes, Chance(seed))["file"] for seed in range(50)}
    assert b"content" in seen
    assert bytes(5000) + b"far" in seen


def test_what_is_not_synced_can_be_told() -> None:
    disk = Disk(ROOT, {"file": b"", "folder": None})
    disk.do(Write(FILE, 0, b"content"))
    disk.do(Make(OTHER, is_folder=False))
    assert disk.unsynced(ROOT) == [FILE, OTHER]
    disk.do(Sync(FILE))
    disk.do(Sync(f"{ROOT}/folder"))
    assert disk.unsynced(ROOT) == []


def test_a_state_is_laid_out_in_place_of_what_there_was(tmp_path: Path) -> None:
    found: dict[str, bytes | None] = {"folder": None, "folder/file": b"content"}
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "rest").touch()
    lay_out(found, tmp_path / "root")
    assert taken_in(tmp_path / "root") == found


@pytest.mark.parametrize("fate", [Lost(), Kept(), Torn(), NamesKept(), Chance(1)])
def test_what_is_durable_does_not_depend_on_fate(fate: Fate) -> None:
    assert after([*NEW, Sync(FILE), Sync(str(ROOT))], fate) == {"file": b"content"}
