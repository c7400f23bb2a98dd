"""Export, restore, import, verify, repair and rebuild as a page or an API would call them: values in, values out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from migrator.archive.restore import Grouping
from migrator.config import Account, MaildirDestination
from migrator.errors import ConfigError, FerryError, Kind
from migrator.interchange.exporter import Form
from migrator.interchange.mail_files import Variant
from migrator.ledger import FILE_NAME, Ledger
from migrator.operations.export import export_messages
from migrator.operations.import_mail import import_mail
from migrator.operations.rebuild import DamagedLedger, rebuild_ledger
from migrator.operations.repair import repair_copies
from migrator.operations.restore import restore_messages
from migrator.operations.search import find_digests
from migrator.operations.verify import parse_since, verify_archive
from migrator.pop3.session import Session
from migrator.run.account_lock import account_lock
from tests.unit.archive.office import Office

NOW = 2_000_000_000.0


def unreachable(_account: Account) -> Session:
    raise FerryError(Kind.CONNECT, "nobody answers")


def harm(office: Office) -> None:
    """Flip a bit of one copy in the mbox archive."""
    [volume] = (office.root / "archive" / "a").glob("*.mbox")
    volume.write_bytes(volume.read_bytes().replace(b"soup", b"soap"))


def test_an_export_writes_what_was_asked_for_once(office: Office, ledger: Ledger, tmp_path: Path) -> None:
    [alice, _] = office.config.accounts
    heard: list[int] = []
    wanted = find_digests("bread", office.config, ledger).digests
    for written, present in ((2, 0), (0, 2)):
        done = export_messages(
            tmp_path / "out",
            Form.EML,
            [alice],
            office.config,
            ledger,
            wanted=wanted,
            on_progress=heard.append,
        )
        assert (done.written, done.present, done.failed) == (written, present, ())
        assert done.as_json()["manifest"] == str(tmp_path / "out" / "SHA256SUMS")
    assert heard == [1, 2]


def test_a_restore_puts_each_month_in_a_folder_and_every_message_there_once(
    office: Office, ledger: Ledger, tmp_path: Path
) -> None:
    [alice, _] = office.config.accounts
    archive = alice.destinations[1]
    assert isinstance(archive, MaildirDestination)
    target = replace(archive, path=tmp_path / "mail")
    for stored, present in ((3, 0), (0, 3)):
        done = restore_messages(target, Grouping.MONTH, [alice], office.config, ledger, clock=lambda: NOW)
        assert (done.stored, done.present, done.failed) == (stored, present, ())
    assert {path.name for path in (tmp_path / "mail").iterdir()} == {"2024-01", "2024-02", "undated"}


def test_an_import_copies_what_is_new_and_names_what_is_left_out(
    office: Office, ledger: Ledger, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "one.eml").write_bytes(b"Subject: from before\r\n\r\nhello\r\n")
    (folder / "holiday.jpg").write_bytes(b"\xff\xd8\xff")
    [alice, _] = office.config.accounts
    for copied, duplicates in ((1, 0), (0, 1)):
        done = import_mail([folder], Variant.MBOXRD, alice, office.state_dir, ledger, clock=lambda: NOW)
        assert (done.found, done.copied, done.duplicates) == (1, copied, duplicates)
        assert [one.place for one in done.left_out] == [str(folder / "holiday.jpg")]
    with account_lock(office.state_dir, "alice"), pytest.raises(FerryError) as refused:
        import_mail([folder], Variant.MBOXRD, alice, office.state_dir, ledger)
    assert refused.value.kind is Kind.LOCKED


def test_damage_is_found_then_repaired_from_another_destination(office: Office, ledger: Ledger) -> None:
    accounts = office.config.accounts
    whole = verify_archive(accounts, office.config, ledger, clock=lambda: NOW)
    assert (whole.is_ok, whole.verification.checked) == (True, 6)
    harm(office)
    found = verify_archive(accounts, office.config, ledger, clock=lambda: NOW)
    assert (found.is_ok, found.verification.harmed, len(found.verification.damaged)) == (False, 1, 1)
    assert found.as_json()["ok"] == 5
    done = repair_copies(accounts, office.config, ledger, open_source=unreachable)
    assert [(one.destination, one.origin) for one in done.mended] == [
        (f"mbox {office.root}/archive/a", "another destination")
    ]
    assert done.is_complete
    assert verify_archive(accounts, office.config, ledger).is_ok


def test_what_nobody_else_holds_says_why_the_source_cannot_give_it(office: Office, ledger: Ledger) -> None:
    harm(office)
    for file in (office.root / "archive" / "b" / "new").iterdir():
        file.write_bytes(file.read_bytes().replace(b"soup", b"soap"))
    accounts = office.config.accounts
    assert not verify_archive(accounts, office.config, ledger).is_ok
    done = repair_copies(accounts, office.config, ledger, open_source=unreachable)
    assert not done.is_complete
    assert all("the source cannot be asked: nobody answers" in one.reason for one in done.hopeless)


def test_a_folder_that_the_ledger_does_not_know_is_no_whole_verification(office: Office, ledger: Ledger) -> None:
    (office.root / "archive" / "bob").mkdir()
    (office.root / "archive" / "bob" / "2020-01-001.mbox").write_bytes(b"")
    found = verify_archive(office.config.accounts, office.config, ledger)
    assert (found.verification.is_ok, found.is_all_known, found.is_ok) == (True, False, False)


def test_since_is_a_day_or_an_age() -> None:
    assert parse_since("2024-05-31", date(2024, 6, 1)) == parse_since("1d", date(2024, 6, 1))
    with pytest.raises(ConfigError, match="--since never"):
        parse_since("never")


def test_a_damaged_ledger_is_kept_and_the_archive_known_again(office: Office) -> None:
    path = office.state_dir / FILE_NAME
    path.write_bytes(b"no database any more" * 1_000)
    heard: list[DamagedLedger] = []
    rebuilt = rebuild_ledger(office.config, clock=lambda: NOW, on_damage=heard.append)
    [damaged] = heard
    assert damaged.kept.read_bytes().startswith(b"no database")
    assert (rebuilt.is_ok, rebuilt.verification.ok) == (True, 6)
    assert [one.messages for one in rebuilt.learned] == [3, 0, 3]
    assert not rebuilt.left_alone


def test_a_sound_ledger_is_not_set_aside(office: Office) -> None:
    heard: list[DamagedLedger] = []
    assert rebuild_ledger(office.config, on_damage=heard.append).is_ok
    assert heard == []
