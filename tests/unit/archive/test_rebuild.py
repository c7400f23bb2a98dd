from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from migrator.digest import digest_of
from migrator.ledger import FILE_NAME, Ledger
from migrator.locks import account_lock
from migrator.model import CopyState
from tests.unit.archive.office import Office, document, mail

CONTENTS = [mail(f"number {number}", "From x\n>From y", Message_ID=f"<{number}@x>") for number in range(30)]


@pytest.fixture
def two(tmp_path: Path) -> Office:
    office = Office(tmp_path, {"alice": ["mbox:a"], "bob": ["maildir:b"]})
    office.bring(CONTENTS)
    office.bring(CONTENTS[:5], "bob")
    return office


def without_state(office: Office) -> None:
    for path in office.state_dir.glob("*.sqlite3*"):
        path.unlink()


def copies(office: Office) -> dict[str, set[tuple[bytes, CopyState]]]:
    with office.opened() as (_, shelves, _index):
        return {
            shelf.destination.kind: {(copy.digest, copy.state) for copy in shelf.copies.all_copies()}
            for shelf in shelves.all
        }


def test_ledger_and_index_come_back_from_the_files_alone(two: Office, capsys: pytest.CaptureFixture[str]) -> None:
    before = copies(two)
    assert two.call("search", "number") == 0
    without_state(two)
    assert two.call("rebuild-ledger") == 0
    assert copies(two) == before
    capsys.readouterr()
    assert two.call("search", "subject:number", "--json") == 0
    assert document(capsys.readouterr().out)["total"] == 30
    assert two.call("verify") == 0


def test_what_was_known_is_not_stored_again(two: Office) -> None:
    without_state(two)
    assert two.call("rebuild-ledger") == 0
    sizes = {path: path.stat().st_size for path in (two.root / "a").iterdir()}
    two.bring(CONTENTS)
    assert {path: path.stat().st_size for path in (two.root / "a").iterdir()} == sizes


def test_a_sound_ledger_keeps_what_the_maildrops_showed(two: Office) -> None:
    before = copies(two)
    assert two.call("rebuild-ledger", "--json") == 0
    assert copies(two) == before
    with two.opened() as (ledger, _, _index):
        owners = ledger.archive.owners([digest_of(content) for content in CONTENTS])
    assert sorted(owners.values()) == [["alice"]] * 25 + [["alice", "bob"]] * 5


def test_copies_that_were_moved_are_found_where_they_are(two: Office) -> None:
    [volume] = (two.root / "a").iterdir()
    volume.rename(volume.with_name("moved.mbox"))
    assert two.call("verify", "alice") == 1
    assert two.call("rebuild-ledger") == 0
    assert two.call("verify") == 0


def test_a_damaged_ledger_is_set_aside_and_begun_anew(two: Office, capsys: pytest.CaptureFixture[str]) -> None:
    before = copies(two)
    without_state(two)
    (two.state_dir / FILE_NAME).write_bytes(b"no database" * 1_000)
    assert two.call("rebuild-ledger") == 0
    [kept] = two.state_dir.glob(f"{FILE_NAME}.damaged-*")
    assert kept.read_bytes() == b"no database" * 1_000
    assert str(kept) in capsys.readouterr().err
    assert copies(two) == before


def test_a_ledger_of_a_newer_program_is_not_touched(two: Office) -> None:
    path = two.state_dir / FILE_NAME
    ledger = Ledger.open(two.state_dir)
    ledger.close()
    sql = sqlite3.connect(path)
    sql.execute("pragma user_version = 999")
    sql.close()
    before = path.read_bytes()
    assert two.call("rebuild-ledger") == 1
    assert path.read_bytes() == before


def test_it_waits_for_no_run_and_disturbs_none(two: Office, capsys: pytest.CaptureFixture[str]) -> None:
    with account_lock(two.state_dir, "bob"):
        assert two.call("rebuild-ledger") == 1
    assert "locked" in capsys.readouterr().err


def test_reindex_counts_what_it_took_in(two: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert two.call("reindex", "--json") == 0
    assert document(capsys.readouterr().out) == {"indexed": 30, "not_parsed": 0, "unread": 0}


def test_reindex_without_a_ledger_says_what_to_do(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert office.call("reindex") == 1
    assert "rebuild-ledger" in capsys.readouterr().err
