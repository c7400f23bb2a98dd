from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from migrator.copy_records import Found, Recollection
from migrator.ledger import FILE_NAME, Ledger
from migrator.message.digest import digest_of
from migrator.model import CopyState, MboxLocator
from migrator.run.account_lock import account_lock
from tests.mail import mail
from tests.unit.archive.office import Office, document

CONTENTS = [mail(f"number {number}", "From x\n>From y", Message_ID=f"<{number}@x>") for number in range(30)]


@pytest.fixture
def two(tmp_path: Path) -> Office:
    office = Office(tmp_path, {"alice": ["mbox:a"], "bob": ["maildir:b"]})
    office.copy(CONTENTS)
    office.copy(CONTENTS[:5], "bob")
    return office


def without_state(office: Office) -> None:
    for path in office.state_dir.glob("*.sqlite3*"):
        path.unlink()


def copies(office: Office) -> dict[str, set[tuple[bytes, CopyState]]]:
    with office.opened() as (_, reader, _index):
        return {
            archive_folder.destination.kind: {(copy.digest, copy.state) for copy in archive_folder.copies.all_copies()}
            for archive_folder in reader.all
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
    two.copy(CONTENTS)
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


def rebuilt(office: Office, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = office.call("rebuild-ledger", "--json")
    return code, document(capsys.readouterr().out)


def volume_of(office: Office) -> Path:
    return min((office.root / "a").glob("*.mbox"))


@pytest.mark.parametrize("is_packed", [False, True])
def test_an_archive_that_is_away_is_never_forgotten(
    two: Office, capsys: pytest.CaptureFixture[str], is_packed: bool
) -> None:
    before, volume, aside = copies(two), volume_of(two), two.root / "aside"
    volume.rename(volume.with_name(f"{volume.name}.gz") if is_packed else aside)
    for _ in range(2):
        code, report = rebuilt(two, capsys)
        assert (code, report["destinations"][0]["messages"]) == (1, 0)
        assert report["destinations"][0]["missing"] == [{"volume": volume.name, "messages": 30}]
        assert report["destinations"][0]["foreign"] == ([f"{volume.name}.gz"] if is_packed else [])
        assert two.call("verify", "alice") == 1
    (volume.with_name(f"{volume.name}.gz") if is_packed else aside).rename(volume)
    assert two.call("rebuild-ledger") == 0
    assert copies(two) == before


def test_one_missing_volume_keeps_its_messages_known_and_the_others_are_read(
    two: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    (two.root / "a/other.mbox").write_bytes(b"From x Mon Jan  1 00:00:00 2024\nSubject: other\n\n\n")
    volume, aside = volume_of(two), two.root / "aside"
    volume.rename(aside)
    code, report = rebuilt(two, capsys)
    assert (code, report["destinations"][0]["messages"]) == (1, 1)
    assert report["destinations"][0]["missing"] == [{"volume": volume.name, "messages": 30}]
    assert len(copies(two)["mbox"]) == 31
    aside.rename(volume)
    assert two.call("migrate") == 1  # nobody serves its source; but the archive is looked at
    assert two.call("verify") == 0


@pytest.mark.parametrize(
    ("name", "code"),
    [("2026-01-001.mbox.gz", 1), ("old.mbox-20260101", 1), ("2026-01-001.mbox.1", 1), ("x.mbox.lock", 0), ("notes", 0)],
)
def test_a_packed_volume_is_named_although_the_ledger_that_knew_it_is_gone(
    two: Office, capsys: pytest.CaptureFixture[str], name: str, code: int
) -> None:
    (two.root / "a" / name).write_bytes(b"\x1f\x8b")
    without_state(two)
    capsys.readouterr()
    assert two.call("rebuild-ledger", "--json") == code
    captured = capsys.readouterr()
    assert json.loads(captured.out)["destinations"][0]["foreign"] == [name]
    assert ("if one was packed, unpack it" in captured.err) is bool(code)


def test_an_emptied_maildir_stays_known(two: Office, capsys: pytest.CaptureFixture[str]) -> None:
    before, aside = copies(two), two.root / "aside"
    (two.root / "b").rename(aside)
    code, report = rebuilt(two, capsys)
    assert (code, report["destinations"][1]["missing"]) == (1, [{"volume": "", "messages": 5}])
    assert copies(two) == before
    aside.rename(two.root / "b")
    assert two.call("verify") == 0


def flip(volume: Path, number: int) -> None:
    volume.write_bytes(volume.read_bytes().replace(f"Subject: number {number}\n".encode(), b"Subject: numb?r 0\n"))


@pytest.mark.parametrize("is_moved", [False, True])
def test_of_a_message_with_a_flipped_bit_no_message_is_made(
    two: Office, capsys: pytest.CaptureFixture[str], is_moved: bool
) -> None:
    volume = volume_of(two)
    flip(volume, 7)
    if is_moved:
        volume.rename(volume.with_name("moved.mbox"))
    for _ in range(2):
        code, report = rebuilt(two, capsys)
        assert (code, report["checked"], report["ok"]) == (1, 35, 34)
        assert [row["digest"] for row in report["damaged"]] == [digest_of(CONTENTS[7]).hex()]
        assert len(copies(two)["mbox"]) == 30


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
def test_what_a_repair_has_superseded_is_never_taken_for_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    office = Office(tmp_path, {"alice": [f"{kind}:a", "maildir:b"]})
    office.copy(CONTENTS)
    damaged = volume_of(office) if kind == "mbox" else min((office.root / "a/new").iterdir())
    original = damaged.read_bytes()
    damaged.write_bytes(original.replace(b"From: alice", b"From: bob00", 1))
    assert office.call("verify") == 1
    assert office.call("repair") == 0
    damaged.write_bytes(damaged.read_bytes())  # somebody touches it
    office.copy([mail("new")], is_seen=False)
    assert office.call("rebuild-ledger") == 0
    with office.opened() as (_, reader, _index):
        for archive_folder in reader.all:
            assert {copy.digest for copy in archive_folder.copies.all_copies()} == {
                digest_of(content) for content in [*CONTENTS, mail("new")]
            }
    damaged.write_bytes(original + damaged.read_bytes()[len(original) :])  # a backup heals it
    assert office.call("rebuild-ledger") == 0
    assert office.call("verify") == 0


def test_killed_on_the_way_and_asked_again_it_comes_to_the_same(two: Office) -> None:
    flip(volume_of(two), 3)
    before = copies(two)
    with two.opened() as (ledger, reader, _index):
        mbox = next(archive_folder for archive_folder in reader.all if archive_folder.destination.kind == "mbox")
        relearning = ledger.archive.relearning(mbox.copies.destination_id)
        with mbox.destination.exclusive():
            found = [one for one in mbox.destination.recover(Recollection((), ())) if isinstance(one, Found)]
        relearning.found(found)
    assert copies(two) == before
    assert two.call("rebuild-ledger") == 1
    once = copies(two)
    assert two.call("rebuild-ledger") == 1
    assert copies(two) == once


def test_copies_in_several_places_keep_the_one_that_is_known(two: Office) -> None:
    volume = volume_of(two)
    (volume.with_name("0-first.mbox")).write_bytes(volume.read_bytes())
    assert two.call("rebuild-ledger") == 0
    with two.opened() as (_, reader, _index):
        mbox = next(archive_folder for archive_folder in reader.all if archive_folder.destination.kind == "mbox")
        assert {copy.locator.volume for copy in mbox.copies.all_copies() if isinstance(copy.locator, MboxLocator)} == {
            volume.name
        }
