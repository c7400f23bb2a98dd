from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from migrator.errors import FerryError, Kind
from migrator.message.spool import OctetBudget, RowSet, SpoolFile
from tests.faults import read_only


def test_a_budget_refuses_what_does_not_fit_and_takes_it_when_there_is_room() -> None:
    budget = OctetBudget(100)
    assert budget.take(60)
    assert not budget.take(41)
    assert budget.take(40)
    budget.give_back(60)
    assert budget.take(60)


def test_a_message_larger_than_the_budget_passes_alone() -> None:
    budget = OctetBudget(100)
    assert budget.take(5_000)
    assert not budget.take(1)
    budget.give_back(5_000)
    assert budget.take(1)


def test_a_message_counts_for_what_it_takes_besides_its_octets() -> None:
    budget = OctetBudget(100, each=20)
    assert budget.take(10)
    assert budget.take(50)
    assert not budget.take(0)
    budget.give_back(60, 2)
    assert budget.take(80)


def test_a_spool_file_gives_back_what_was_written_to_several_readers_at_once(tmp_path: Path) -> None:
    spool = SpoolFile(tmp_path / "new")
    spool.write(b"a" * 1_500_000)
    spool.write(b"b\rc\r\n" * 10)
    body = spool.body(1_500_060)
    first, second = body.chunks(), body.chunks()
    assert next(first) == next(second)
    whole = b"".join(body.chunks())
    assert whole == b"a" * 1_500_000 + b"b\rc\r\r\n" * 10
    assert body.octets == len(whole)
    assert b"".join(body.lines()) == b"a" * 1_500_000 + b"b\rc\r\n" * 10
    assert max(len(chunk) for chunk in body.chunks()) <= 1024 * 1024


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_spool_file_has_no_name_and_dies_with_its_last_holder(tmp_path: Path) -> None:
    before = open_files()
    spool = SpoolFile(tmp_path)
    spool.write(b"secret")
    assert list(tmp_path.iterdir()) == []
    assert open_files() == before + 1
    del spool
    assert open_files() == before


def test_a_folder_that_cannot_be_written_is_our_error(tmp_path: Path) -> None:
    with read_only(tmp_path), pytest.raises(FerryError) as caught:
        SpoolFile(tmp_path / "new")
    assert caught.value.kind is Kind.DISK_FULL
    assert str(tmp_path) in str(caught.value)


@given(st.lists(st.integers(0, 100_000) | st.integers(0, 2**40)))
def test_a_set_of_rows_is_a_set(rows: list[int]) -> None:
    seen, compact = set[int](), RowSet()
    for row in rows:
        assert compact.add(row) is (row not in seen)
        seen.add(row)
    assert compact.count == len(seen)


def test_a_set_of_rows_takes_room_for_what_is_there_and_not_for_what_comes_before() -> None:
    tracemalloc.start()
    try:
        rows = RowSet()
        assert all(rows.add(10_000_000 + row) for row in range(10_000))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 10_000
