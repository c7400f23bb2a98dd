from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from migrator.ledger import FILE_NAME, Ledger
from migrator.ledger.sqlite.read_only import can_be_written, opened_to_read
from tests.faults import read_only


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger at rest; odd characters in its path are no query of a URI."""
    folder = tmp_path / "a state?mode=rw#%41"
    with closing(Ledger.open(folder)) as ledger:
        ledger.state_store.put("topic", "name", {"number": 1})
    return folder / FILE_NAME


def known(sql: sqlite3.Connection) -> int:
    return int(sql.execute("select count(*) from worker_notes").fetchone()[0])


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_a_database_is_read_where_nothing_can_be_written_beside_it(path: Path) -> None:
    before = names(path.parent)
    with read_only(path.parent):
        assert not can_be_written(path)
        with opened_to_read(path) as sql:
            assert known(sql) == 1
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                sql.execute("delete from worker_notes")
    assert can_be_written(path)
    assert names(path.parent) == before


@pytest.mark.parametrize("has_shared_memory", [True, False])
def test_what_stands_only_in_the_log_is_read_too(path: Path, has_shared_memory: bool) -> None:
    kept = path.with_name("kept")
    kept.mkdir()
    with closing(Ledger.open(path.parent)) as ledger:
        ledger.state_store.put("topic", "another", {"number": 2})
        for part in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if has_shared_memory or not part.name.endswith("-shm"):
                (kept / part.name).write_bytes(part.read_bytes())
    with read_only(kept), opened_to_read(kept / path.name) as sql:
        assert known(sql) == 2


def test_what_is_noted_in_a_ledger_that_is_only_read_is_forgotten(path: Path) -> None:
    with read_only(path.parent), closing(Ledger.open_to_read(path.parent)) as ledger:
        assert ledger.is_read_only
        ledger.state_store.put("topic", "name", {"number": 2})
        assert ledger.copies("mbox:/elsewhere", "mbox").destination_id
    with closing(Ledger.open(path.parent)) as ledger:
        assert ledger.state_store.get_all("topic") == {"name": {"number": 1}}
        assert ledger.archive.known_destinations() == {}
