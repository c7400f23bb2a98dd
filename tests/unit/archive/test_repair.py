from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.copy_records import MboxAnchor, VolumeState
from migrator.copying.copier import Copier
from migrator.model import CopyState
from tests.mail import mail, message_of
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.unit.archive.office import Office, document

CONTENTS = [mail("one", "From here"), mail("two"), mail("three", "x\n" * 700_000)]

NOTHING_TO_DO = {"repaired": [], "damaged": [], "acknowledged": [], "unproven": 0, "taken_out": 0, "errors": []}

Harm = Callable[[Path], object]

HARMS: dict[str, Harm] = {
    "gone": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "changed": lambda path: path.write_bytes(path.read_bytes().replace(b"Subject: two", b"Subject: tWo")),
    "replaced": lambda path: path.write_bytes(b"From x Mon 2024\nSubject: other\n\n" + b"y" * 2_000_000 + b"\n\n"),
}


def volume_of(office: Office) -> Path:
    return min((office.root / "a").glob("*.mbox"))


def repaired(office: Office, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    code = office.call("repair", "--json", *arguments)
    return code, document(capsys.readouterr().out)


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("is_noticed_by_a_run", [False, True])
def test_what_is_damaged_comes_from_another_destination(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: str, is_noticed_by_a_run: bool
) -> None:
    office = Office(tmp_path, {"alice": ["mbox:a", "maildir:b"]})
    office.copy(CONTENTS)
    HARMS[harm](volume_of(office))
    if is_noticed_by_a_run and harm != "gone":  # no run stores anything where all is gone
        office.copy([mail("four")], is_seen=False)
    assert office.call("verify") == 1
    code, report = repaired(office, capsys)
    assert (code, report["damaged"]) == (0, [])
    assert office.call("verify") == 0
    assert repaired(office, capsys)[1] == NOTHING_TO_DO
    with office.opened() as (_, reader, _index):
        for archive_folder in reader.all:
            assert archive_folder.copies.changed_volumes() == []
    office.copy([mail("five")], is_seen=False)
    assert office.call("verify") == 0


def test_a_volume_that_was_cut_is_closed_and_not_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    office = Office(tmp_path, {"alice": ["mbox:a", "maildir:b"]})
    office.copy(CONTENTS)
    volume = volume_of(office)
    HARMS["cut"](volume)
    office.copy([mail("four")], is_seen=False)  # a run notices
    assert office.call("verify") == 1
    assert repaired(office, capsys)[1]["acknowledged"] == [str(volume)]
    before = volume.read_bytes()
    office.copy([mail("five")], is_seen=False)
    assert volume.read_bytes() == before
    with office.opened() as (_, reader, _index):
        mbox = next(archive_folder for archive_folder in reader.all if archive_folder.destination.kind == "mbox")
        [record] = [one for one in mbox.copies.recollection().volumes if one.name == volume.name]
        assert record.state is VolumeState.CLOSED


def test_without_a_good_copy_nothing_is_forgotten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    office = Office(tmp_path, {"alice": ["mbox:a"]})
    office.copy(CONTENTS, is_seen=False)
    HARMS["changed"](volume_of(office))
    assert office.call("verify") == 1
    code, report = repaired(office, capsys)
    assert code == 1
    assert isinstance(report["damaged"], list)
    [row] = report["damaged"]
    assert row["reason"] == "no other destination holds a good copy"
    assert office.call("verify") == 1


def with_source(office: Office, port: int) -> None:
    """Have the office's account read from a server of the test."""
    text = office.config_path.read_text()
    office.config_path.write_text(text.replace('host = "localhost"', f'host = "localhost"\nport = {port}'))


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_damaged_comes_from_the_source(tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: str) -> None:
    office = Office(tmp_path, {"alice": ["mbox:a"]})
    maildrop = Maildrop(CONTENTS)
    with Pop3Server(maildrop) as server:
        with_source(office, server.port)
        password = f'password = "{server.password}"'
        office.config_path.write_text(office.config_path.read_text().replace('password = "secret"', password))
        assert office.call("migrate") == 0
        HARMS[harm](volume_of(office))
        assert office.call("verify") == 1
        code, report = repaired(office, capsys)
        assert (code, report["damaged"]) == (0, [])
        assert office.call("verify") == 0
        assert maildrop.left() == CONTENTS
        assert office.call("migrate") == 0


def test_a_source_that_gives_something_else_now_is_not_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    office = Office(tmp_path, {"alice": ["mbox:a"]})
    maildrop = Maildrop(CONTENTS)
    with Pop3Server(maildrop) as server:
        with_source(office, server.port)
        password = f'password = "{server.password}"'
        office.config_path.write_text(office.config_path.read_text().replace('password = "secret"', password))
        assert office.call("migrate") == 0
        HARMS["changed"](volume_of(office))
        assert office.call("verify") == 1
        maildrop.replace(maildrop.stored()[1], mail("another two"))
        code, report = repaired(office, capsys)
    assert code == 1
    assert isinstance(report["damaged"], list)
    assert report["damaged"][0]["reason"].endswith("the source no longer gives it")
    assert office.call("verify") == 1


def test_a_source_that_does_not_answer_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    office = Office(tmp_path, {"alice": ["mbox:a"]})
    office.copy(CONTENTS)
    with_source(office, 1)
    HARMS["changed"](volume_of(office))
    assert office.call("verify") == 1
    code, report = repaired(office, capsys)
    assert code == 1
    assert isinstance(report["damaged"], list)
    assert "the source cannot be asked" in report["damaged"][0]["reason"]


def test_a_repair_that_was_killed_before_storing_is_made_good_by_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    office = Office(tmp_path, {"alice": ["mbox:a", "maildir:b"]})
    office.copy(CONTENTS)
    HARMS["changed"](volume_of(office))
    assert office.call("verify") == 1
    lost = message_of(CONTENTS[1])
    with office.opened() as (_, reader, _index):
        mbox = next(archive_folder for archive_folder in reader.all if archive_folder.destination.kind == "mbox")
        mbox.copies.intended(MboxAnchor(volume_of(office).name, 0), [(lost, b"")], 1.0)
    code, report = repaired(office, capsys)
    assert code == 0
    assert isinstance(report["repaired"], list)
    assert [row["digest"] for row in report["repaired"]] == [lost.digest.hex()]
    assert repaired(office, capsys)[1]["repaired"] == []


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
def test_an_archive_that_is_away_is_left_alone_until_a_person_makes_its_folder_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    office = Office(tmp_path, {"alice": [f"{kind}:disk/a", "maildir:b"]})
    office.copy(CONTENTS)
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    for _ in range(2):
        code, report = repaired(office, capsys)
        assert (code, report["repaired"], report["damaged"]) == (1, [], [])
        assert not (tmp_path / "disk").exists()
    (tmp_path / "unplugged").rename(tmp_path / "disk")
    assert repaired(office, capsys) == (0, NOTHING_TO_DO)
    assert office.call("verify") == 0
    (tmp_path / "disk/a").rename(tmp_path / "lost")
    (tmp_path / "disk/a").mkdir()
    code, report = repaired(office, capsys)
    assert isinstance(report["repaired"], list)
    assert (code, len(report["repaired"])) == (0, 3)
    assert office.call("verify") == 0
    assert repaired(office, capsys)[1]["repaired"] == []


class KilledError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
@pytest.mark.parametrize("step", ["copies.intended", "copies.written", "copies.stored", "copies.read-back"])
def test_killed_at_any_step_a_repair_is_made_good_by_the_next_and_doubles_nothing(
    tmp_path: Path, kind: str, step: str
) -> None:
    office = Office(tmp_path, {"alice": [f"{kind}:a", "maildir:b"]})
    office.copy(CONTENTS[:2])
    damaged = volume_of(office) if kind == "mbox" else min((office.root / "a/new").iterdir())
    damaged.write_bytes(damaged.read_bytes().replace(b"From: alice", b"From: al1ce", 1))
    assert office.call("verify") == 1

    def killed(name: str) -> None:
        if name == step and is_storing():
            raise KilledError

    with office.opened() as (_, reader, _index):
        archive_folder = next(one for one in reader.all if one.destination.identity.endswith("/a"))
        [copy] = archive_folder.copies.in_doubt(CopyState.DAMAGED)

        def is_storing() -> bool:
            return not archive_folder.copies.in_doubt(CopyState.DAMAGED)

        original = next(message_of(one) for one in CONTENTS if message_of(one).digest == copy.digest)
        copier = Copier(
            archive_folder.destination, archive_folder.copies, clock=time.time, step=killed, replaces_damaged=True
        )
        with pytest.raises(KilledError):
            copier.copy([original])
    assert office.call("repair") == 0
    assert office.call("verify") == 0
    files = sorted(path for path in (office.root / "a").rglob("*") if path.is_file())
    stored = b"".join(path.read_bytes() for path in files)
    assert [stored.count(subject) for subject in (b"Subject: one", b"Subject: two")] in ([2, 1], [1, 2])
    assert stored.count(b"From: al1ce") == 1
