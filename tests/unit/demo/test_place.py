"""The demo keeps to its own three names, and leaves alone what is not its own."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from migrator import config
from migrator.demo.place import ACCOUNT, Place
from migrator.errors import ConfigError


def test_the_configuration_is_one_that_the_program_takes(tmp_path: Path) -> None:
    place = Place.at(tmp_path / "new" / "demo")
    place.write_config(4711, "jam-and_bread")
    loaded = config.load(place.config)
    [account] = loaded.accounts
    assert (account.name, account.source.port) == (ACCOUNT, 4711)
    assert account.source.password.reveal() == "jam-and_bread"
    assert loaded.warnings == ()
    assert place.config.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in place.folder.iterdir()] == ["config.toml"]


def test_the_folder_of_an_earlier_demo_is_taken_again(tmp_path: Path) -> None:
    Place.at(tmp_path).write_config(1, "x")
    (tmp_path / "archive").mkdir()
    again = Place.at(tmp_path)
    again.write_config(2, "y")
    assert config.load(again.config).accounts[0].source.port == 2


@pytest.mark.parametrize("name", ["config.toml", "archive", "state"])
def test_what_no_demo_wrote_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match=rf"holds {name} already"):
        Place.at(tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_other_files_in_the_folder_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    assert Place.at(tmp_path).folder == tmp_path


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match=r"file/demo: cannot be used: Not a directory"):
        Place.at(tmp_path / "file" / "demo")


def test_without_a_name_every_demo_gets_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second = Place.at(None), Place.at(None)
    assert first.folder != second.folder
    assert {first.folder.parent, second.folder.parent} == {tmp_path}


def test_stored_mail_is_counted_as_the_server_gave_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.archive.mkdir()
    record = b"From a@example.org Mon Jan  9 07:30:00 2023\n%b\n"
    (place.archive / "1.mbox").write_bytes(record % b"Subject: x\n\n>From here\n.\n" + record % b"")
    (place.archive / "2.mbox").write_bytes(record % b"")
    (place.archive / "notes.txt").write_bytes(b"not mail")
    assert place.stored() == Counter(
        {sha256(b"Subject: x\r\n\r\nFrom here\r\n.\r\n").digest(): 1, sha256(b"").digest(): 2}
    )
