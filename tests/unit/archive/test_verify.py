from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import pytest

from migrator.archive.reader import ArchiveFolder, ArchiveReader
from migrator.archive.verification import Selection, Verification
from migrator.archive.verify import Check
from migrator.copy_records import Anchor, Finding, Found, KnownPlaces, Recollection
from migrator.destinations import BatchLimits, Stored
from migrator.errors import FerryError, GoneError, Kind
from migrator.ledger import Ledger
from migrator.ledger.copies import Judged
from migrator.message.body import Body, MemoryBody, Message
from migrator.model import CopyState, Digest, ImapLocator, Locator, Proof
from migrator.policy import WhenCopyIsGone
from tests.mail import mail, message_of
from tests.unit.archive.office import Office, document

Harm = Callable[[Path], None]


def volume_of(office: Office, folder: str = "archive/alice") -> Path:
    [volume] = (office.root / folder).glob("*.mbox")
    return volume


def verified(office: Office, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    code = office.call("verify", "--json", *arguments)
    return code, document(capsys.readouterr().out)


def damaged(report: dict[str, object]) -> list[dict[str, object]]:
    rows = report["damaged"]
    assert isinstance(rows, list)
    return rows


def states(office: Office) -> list[CopyState]:
    with office.opened() as (_, reader, _index):
        return [copy.state for archive_folder in reader.all for copy in archive_folder.copies.all_copies()]


def test_a_sound_archive_is_ok(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.copy(mail(str(number)) for number in range(20))
    code, report = verified(office, capsys)
    assert (code, report["checked"], report["ok"], report["damaged"]) == (0, 20, 20, [])


def test_a_damaged_copy_is_named_as_the_contract_says(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    content = mail("two", Message_ID="<two@x.org>")
    digests = office.copy([mail("one"), content, mail("three")])
    volume = volume_of(office)
    volume.write_bytes(volume.read_bytes().replace(b"Subject: two", b"Subject: tWo"))
    code, report = verified(office, capsys)
    assert (code, report["checked"], report["ok"]) == (1, 3, 2)
    [row] = damaged(report)
    assert row == {
        "account": "alice",
        "destination": f"mbox {office.root}/archive/alice",
        "file": str(volume),
        "uidl": digests[1].hex()[:16],
        "digest": digests[1].hex(),
        "message_id": "<two@x.org>",
        "reason": "the stored bytes differ from what was received",
    }
    assert office.call("verify") == 1
    assert f"mailferry repair -c {office.config_path} alice" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("harm", "count"),
    [
        (lambda path: path.write_bytes(b""), 3),
        (lambda path: path.write_bytes(path.read_bytes()[:-10]), 1),
        (lambda path: path.write_bytes(b"x" + path.read_bytes()), 3),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"From ", b"Form ", 1)), 1),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), 1),
    ],
    ids=["empty", "shrunk", "shifted", "frame", "separator"],
)
def test_every_message_that_a_harm_hit_is_named(
    office: Office, capsys: pytest.CaptureFixture[str], harm: Harm, count: int
) -> None:
    office.copy([mail("one"), mail("two"), mail("three")])
    volume = volume_of(office)
    whole = volume.read_bytes()
    harm(volume)
    code, report = verified(office, capsys)
    assert (code, len(damaged(report))) == (1, count)
    assert all(row["file"] == str(volume) for row in damaged(report))
    assert states(office).count(CopyState.DAMAGED) == count
    volume.write_bytes(whole)
    assert verified(office, capsys)[0] == 0
    assert set(states(office)) == {CopyState.VERIFIED}


@pytest.mark.parametrize("kind", ["mbox", "maildir"])
@pytest.mark.parametrize("count", [3, 12])
def test_an_archive_that_is_away_is_unreachable_and_nothing_is_recorded_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, count: int
) -> None:
    office = Office(tmp_path, {"alice": [f"{kind}:disk/a"]})
    office.copy(mail(str(number)) for number in range(count))
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    code, report = verified(office, capsys)
    assert (code, report["checked"], report["damaged"]) == (1, 0, [])
    assert isinstance(report["errors"], list)
    assert "is its disk mounted?" in report["errors"][0]["message"]
    assert set(states(office)) == {CopyState.VERIFIED}
    (tmp_path / "unplugged").rename(tmp_path / "disk")
    code, report = verified(office, capsys)
    assert (code, report["ok"]) == (0, count)


def test_a_volume_that_was_away_among_others_is_good_again_when_it_is_back(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.copy([mail("one")])
    volume = volume_of(office)
    (volume.parent / "other.mbox").write_bytes(b"From x Mon Jan  1 00:00:00 2024\nSubject: two\n\n\n")
    office.copy([mail("three")], is_seen=False)
    aside = office.root / "aside"
    volume.rename(aside)
    code, report = verified(office, capsys)
    assert (code, report["ok"], {str(row["reason"]) for row in damaged(report)}) == (
        1,
        1,
        {f"the volume {volume} is missing"},
    )
    aside.rename(volume)
    assert verified(office, capsys)[0] == 0


def test_files_that_a_reader_took_out_of_a_maildir_are_named_and_many_at_once_are_an_emptied_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    office = Office(tmp_path, {"alice": ["maildir:mail"]})
    office.copy(mail(str(number)) for number in range(30))
    files = sorted((tmp_path / "mail/new").iterdir())
    files[0].unlink()
    code, report = verified(office, capsys)
    assert (code, report["ok"], len(damaged(report))) == (1, 29, 1)
    assert office.call("verify") == 1
    assert "mailferry repair" in capsys.readouterr().out
    for file in files[1:20]:
        file.unlink()
    code, report = verified(office, capsys)
    assert (code, report["checked"]) == (1, 0)
    assert isinstance(report["errors"], list)
    assert "was emptied: 19 of the 29" in report["errors"][0]["message"]
    assert states(office).count(CopyState.GONE) == 1


def test_nothing_is_repaired(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.copy([mail("one")])
    volume = volume_of(office)
    volume.write_bytes(volume.read_bytes() + b"From torn Mon")
    before = volume.read_bytes()
    assert verified(office, capsys)[0] == 0
    assert volume.read_bytes() == before


def test_a_shared_copy_is_named_for_each_account_and_unique_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    office = Office(tmp_path, {"alice": ["mbox:shared"], "bob": ["mbox:shared"]})
    office.copy([mail("both"), mail("hers")], "alice")
    office.copy([mail("both"), mail("his")], "bob")
    office.copy([mail("nobody's")], "bob", is_seen=False)
    volume_of(office, "shared").write_bytes(b"")
    _, report = verified(office, capsys)
    assert (report["checked"], report["ok"], len(damaged(report))) == (4, 0, 5)
    assert sorted((str(row["account"]), row["uidl"] is None) for row in damaged(report)) == [
        ("alice", False),
        ("alice", False),
        ("alice", True),
        ("bob", False),
        ("bob", False),
    ]
    _, hers = verified(office, capsys, "alice")
    assert {row["account"] for row in damaged(hers)} == {"alice"}
    assert hers["checked"] == 3


def test_a_maildir_is_verified_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    office = Office(tmp_path, {"alice": ["maildir:mail"]})
    office.copy([mail("one"), mail("two")])
    first, second = sorted((tmp_path / "mail/new").iterdir())
    first.write_bytes(first.read_bytes() + b"x\n")
    second.rename(tmp_path / "mail/cur" / f"{second.name}:2,S")
    code, report = verified(office, capsys)
    assert (code, report["ok"], len(damaged(report))) == (1, 1, 1)
    assert str(damaged(report)[0]["file"]).endswith(first.name)


def test_a_sample_is_a_share(office: Office) -> None:
    office.copy(mail(str(number)) for number in range(200))
    with office.opened() as (ledger, reader, _):
        check = Check(reader, ledger.archive, clock=time.time, chance=random.Random(7))
        verdict = check.make(Selection(share=0.2))
    assert 20 < verdict.checked < 60
    assert verdict.ok == verdict.checked


def test_slices_hold_every_copy_once(office: Office) -> None:
    office.copy(mail(str(number)) for number in range(300))
    with office.opened() as (ledger, reader, _):
        counts = [
            Check(reader, ledger.archive, clock=time.time).make(Selection(part=part, parts=3)).checked
            for part in range(3)
        ]
    assert sum(counts) == 300
    assert min(counts) > 0


def test_since_leaves_out_what_was_archived_before(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.copy([mail("one")])
    assert verified(office, capsys, "--since", "yesterday")[1]["checked"] == 1
    assert verified(office, capsys, "--since", "2124-01-01")[1]["checked"] == 0


def test_a_verification_of_everything_leaves_its_date_and_a_part_does_not(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.copy([mail("one")])

    def last() -> object:
        capsys.readouterr()
        assert office.call("status", "--json") == 0
        accounts = document(capsys.readouterr().out)["accounts"]
        assert isinstance(accounts, list)
        return accounts[0]["last_full_verification"]

    assert (office.call("verify", "--sample", "50%"), last()) == (0, None)
    assert office.call("verify") == 0
    assert last() is not None


@pytest.mark.parametrize("wrong", [["--sample", "x"], ["--sample", "0%"], ["--sample", "101%"], ["--since", "soon"]])
def test_a_selection_that_makes_no_sense_is_wrong_usage(office: Office, wrong: list[str]) -> None:
    assert office.call("verify", *wrong) == 2


def test_progress_is_told(office: Office) -> None:
    office.copy(mail(str(number)) for number in range(2_300))
    told: list[int] = []
    with office.opened() as (ledger, reader, _):
        Check(reader, ledger.archive, clock=time.time, on_progress=lambda copies, _octets: told.append(copies)).make(
            Selection()
        )
    assert told == [2_000, 2_300]


class Mailbox:
    """An IMAP destination that gives what a test put there, or nothing at all."""

    kind = "imap"
    when_copy_is_gone = WhenCopyIsGone.KEEP
    setting_place = ""
    identity = "imap:u@h:993/INBOX"
    label = "INBOX of u at h"
    limits = BatchLimits(messages=100, octets=1 << 20)

    def __init__(self, bodies: dict[int, bytes], required: Proof = Proof.SEMANTIC) -> None:
        self.bodies = bodies
        self.required_proof = required
        self.is_down = False

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        if self.is_down:
            raise FerryError(Kind.CONNECT, "the server does not answer")
        for locator in locators:
            assert isinstance(locator, ImapLocator)
            content = self.bodies.get(locator.uid)
            yield MemoryBody(content) if content is not None else GoneError("it is gone")

    def recover(self, _recollection: Recollection) -> Iterator[Finding]:
        raise NotImplementedError

    def exclusive(self) -> nullcontext[None]:
        return nullcontext()

    def find(self, messages: Sequence[Message], known: KnownPlaces) -> Iterator[Found]:
        raise NotImplementedError

    def count_missing(self, locators: Sequence[Locator]) -> int:
        return sum(isinstance(one, ImapLocator) and one.uid not in self.bodies for one in locators)

    def begin(self, messages: Sequence[Message]) -> Anchor:
        raise NotImplementedError

    def copy_key(self, message: Message) -> bytes:
        raise NotImplementedError

    def store(self, messages: Sequence[Message]) -> Stored:
        raise NotImplementedError

    def probe(self) -> dict[str, object]:
        return {}

    def close(self) -> None:
        pass


ORIGINAL = mail("altered", "text", Message_ID="<a@x>")


@contextmanager
def mailbox(tmp_path: Path, stored: bytes, proof: Proof) -> Iterator[tuple[Ledger, ArchiveFolder, Mailbox, Digest]]:
    """A mailbox with one copy of ``ORIGINAL``, which was proven to this grade when it was stored."""
    message = message_of(ORIGINAL)
    box = Mailbox({1: stored})
    with closing(Ledger.open(tmp_path / "state")) as ledger:
        copies = ledger.copies(box.identity, box.kind)
        found = Found(message.digest, message.header_digest, message.message_id, message.octets, ImapLocator(9, 1))
        copies.found([found], [])
        [copy] = copies.all_copies()
        copies.judged([Judged(copy.copy_id, CopyState.VERIFIED, proof)], 1.0)
        yield ledger, ArchiveFolder(box, copies, ("alice",)), box, message.digest


def checked(ledger: Ledger, *reader: ArchiveFolder) -> Verification:
    return Check(ArchiveReader(reader), ledger.archive, clock=time.time).make(Selection())


def test_an_exact_copy_on_a_server_is_proven_exactly(tmp_path: Path) -> None:
    with mailbox(tmp_path, ORIGINAL, Proof.CANONICAL) as (ledger, archive_folder, _, _digest):
        assert checked(ledger, archive_folder).is_ok
        assert next(archive_folder.copies.all_copies()).proof is Proof.EXACT


def test_an_altered_copy_without_an_original_is_seen_to_be_there(tmp_path: Path) -> None:
    with mailbox(tmp_path, ORIGINAL + b"\r\n", Proof.CANONICAL) as (ledger, archive_folder, box, _):
        verdict = checked(ledger, archive_folder)
        assert (verdict.ok, verdict.present) == (1, 1)
        assert next(archive_folder.copies.all_copies()).proof is Proof.CANONICAL
        box.bodies[1] = mail("another", Message_ID="<b@x>")
        verdict = checked(ledger, archive_folder)
        assert [row.reason for row in verdict.damaged] == ["another message stands in its place"]
        box.bodies.clear()
        assert [row.reason for row in checked(ledger, archive_folder).damaged] == ["it is gone"]


def test_an_altered_copy_is_held_against_an_original_elsewhere(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.copy([ORIGINAL])
    with (
        office.opened() as (_, reader, _index),
        mailbox(tmp_path, mail("altered", "text", Date="x", Message_ID="<a@x>"), Proof.SEMANTIC) as (
            ledger,
            archive_folder,
            box,
            _,
        ),
    ):
        [local] = reader.all
        assert checked(ledger, archive_folder, local).damaged[0].destination == box.label
        box.bodies[1] = b"Return-Path: <x@y>\r\n" + ORIGINAL
        verdict = checked(ledger, archive_folder, local)
        assert (verdict.checked, verdict.present) == (2, 0)


def test_a_copy_that_was_exact_and_is_not_any_more_is_damaged(tmp_path: Path) -> None:
    with mailbox(tmp_path, ORIGINAL + b"\r\n", Proof.EXACT) as (ledger, archive_folder, _, _digest):
        assert len(checked(ledger, archive_folder).damaged) == 1


def test_a_server_that_does_not_answer_is_no_damage_and_no_success(tmp_path: Path) -> None:
    with mailbox(tmp_path, ORIGINAL, Proof.EXACT) as (ledger, archive_folder, box, _):
        box.is_down = True
        verdict = checked(ledger, archive_folder)
        assert not verdict.is_ok
        assert verdict.damaged == []
        assert verdict.unreachable[0].destination == box.label
        assert next(archive_folder.copies.all_copies()).state is CopyState.VERIFIED


def unproven(archive_folder: ArchiveFolder, grade: Proof) -> None:
    [copy] = archive_folder.copies.all_copies()
    archive_folder.copies.judged(
        [Judged(copy.copy_id, CopyState.UNPROVEN, grade, "changed by the server: carriage returns")], 2.0
    )


@pytest.mark.parametrize("grade", [Proof.NONE, Proof.CANONICAL])
def test_what_its_server_altered_from_the_start_is_no_damage(tmp_path: Path, grade: Proof) -> None:
    with mailbox(tmp_path, ORIGINAL + b"\r\n", Proof.SEMANTIC) as (ledger, archive_folder, box, _digest):
        box.required_proof = Proof.EXACT
        unproven(archive_folder, grade)
        for _ in range(2):
            verdict = checked(ledger, archive_folder)
            assert (verdict.is_ok, verdict.checked, verdict.ok, verdict.unproven, verdict.harmed) == (True, 1, 0, 1, 0)
            [copy] = archive_folder.copies.all_copies()
            assert (copy.state, copy.proof, copy.reason) == (
                CopyState.UNPROVEN,
                grade,
                "changed by the server: carriage returns",
            )


def test_an_altered_copy_counts_once_the_configuration_accepts_it(tmp_path: Path) -> None:
    with mailbox(tmp_path, ORIGINAL + b"\r\n", Proof.SEMANTIC) as (ledger, archive_folder, box, _digest):
        unproven(archive_folder, Proof.CANONICAL)
        box.required_proof = Proof.CANONICAL
        assert (checked(ledger, archive_folder).ok, next(archive_folder.copies.all_copies()).state) == (
            1,
            CopyState.VERIFIED,
        )


def test_a_copy_that_a_person_took_out_is_told_unless_a_setting_accepts_it(tmp_path: Path) -> None:
    with mailbox(tmp_path, ORIGINAL, Proof.EXACT) as (ledger, archive_folder, box, _digest):
        box.bodies.clear()
        [row] = checked(ledger, archive_folder).damaged
        assert (row.reason, row.decided_by) == ("it is gone", "for INBOX of u at h")
        box.when_copy_is_gone = WhenCopyIsGone.ACCEPT
        verdict = checked(ledger, archive_folder)
        assert (verdict.is_ok, verdict.checked, verdict.accepted) == (True, 1, 1)


@pytest.mark.parametrize("command", [("verify",), ("search", "x"), ("repair",)])
def test_an_archive_without_its_ledger_is_an_error_with_its_cure(
    office: Office, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    office.copy([mail()])
    for file in office.state_dir.glob("ledger*"):
        file.unlink()
    assert office.call(*command) == 1
    assert f"something in {office.root}/archive/alice; if that is your archive, mailferry rebuild-ledger reads it" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("command", [("verify",), ("search", "x"), ("repair",)])
def test_where_nothing_is_archived_nothing_is_wrong(
    office: Office, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    assert office.call(*command) == 0
    assert "Nothing has been archived yet." in capsys.readouterr().err


def test_an_archive_that_the_ledger_does_not_know_is_not_an_archive_without_damage(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.copy([mail()])
    shutil.copytree(office.root / "archive", office.root / "elsewhere")  # and the known one stays: it was not moved
    office.config_path.write_text(office.config_path.read_text().replace("archive/alice", "elsewhere/alice"))
    assert office.call("verify") == 1
    said = capsys.readouterr().err
    assert f"the ledger knows nothing of what is in {office.root}/elsewhere/alice; if that is an archive" in said
    office.call("export", "--to", str(office.root / "out"), "--format", "eml")
    assert "the ledger knows nothing" in capsys.readouterr().err
    assert office.call("rebuild-ledger") == 0
    code, report = verified(office, capsys)
    assert (code, report["checked"], report["ok"]) == (0, 1, 1)
