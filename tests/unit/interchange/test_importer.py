from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from migrator.copying.copier import CopyResult, Outcome
from migrator.destinations.mbox import mboxrd
from migrator.interchange.importer import Importer
from migrator.interchange.importing.items import FoundMessage, LeftOut, Marks
from migrator.interchange.importing.sources import Sources
from migrator.interchange.mail_files import Variant
from migrator.message.body import Message
from migrator.run.account_lock import account_lock
from tests.mail import mail, message_of
from tests.unit.archive.office import Office, document

FIRST, SECOND, THIRD = mail("one", "From here"), mail("two"), mail("three")
FRAME = b"From a@b Mon Jan  1 00:00:00 2024\n"


def mbox(*contents: bytes) -> bytes:
    return b"".join(FRAME + mboxrd.encode(content) + b"\n" for content in contents)


def lf(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def as_mbox(root: Path) -> Path:
    put(root / "old", mbox(FIRST, SECOND, THIRD))
    return root / "old"


def as_apple_folder(root: Path) -> Path:
    put(root / "Inbox.mbox/mbox", mbox(FIRST, SECOND, THIRD))
    put(root / "Inbox.mbox/table_of_contents", b"\0\1\2")
    return root / "Inbox.mbox"


def as_apple_messages(root: Path) -> Path:
    for number, content in enumerate((FIRST, SECOND, THIRD)):
        text = lf(content)
        put(root / f"A.mbox/Data/Messages/{number}.emlx", b"%d\n" % len(text) + text + b"<plist/>")
    put(root / "A.mbox/Info.plist", b"<plist/>")
    return root / "A.mbox"


def as_maildir(root: Path) -> Path:
    put(root / "M/cur/1.a.b:2,S", lf(FIRST))
    put(root / "M/new/2.a.b", lf(SECOND))
    put(root / "M/tmp/3.a.b", b"Subject: half")
    put(root / "M/.Sent/cur/3.a.b:2,S", lf(THIRD))
    put(root / "M/.Sent/new/.keep", b"")
    put(root / "M/dovecot-uidlist", b"3 V1")
    return root / "M"


def as_folder_of_files(root: Path) -> Path:
    put(root / "F/1.eml", FIRST)
    put(root / "F/deep/2.eml", SECOND)
    put(root / "F/deep/box.mbox", mbox(THIRD))
    put(root / "F/notes.txt", b"just a note without a header\n")
    put(root / "F/.DS_Store", b"\0")
    put(root / "F/photo.jpg", b"\xff\xd8\xff\xe0")
    return root / "F"


def as_zip(root: Path) -> Path:
    with zipfile.ZipFile(root / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/one.eml", FIRST)
        archive.writestr("../../evil/two.eml", SECOND)
        archive.writestr("Maildir/cur/3:2,S", lf(THIRD))
        archive.writestr("Maildir/tmp/4", b"Subject: half")
        archive.writestr("__MACOSX/a/._one.eml", b"\0\5\x16\7")
        archive.writestr("a/._one.eml", b"\0\5\x16\7")
        archive.writestr("a/.DS_Store", b"\0")
    return root / "z.zip"


WAYS = [as_mbox, as_apple_folder, as_apple_messages, as_maildir, as_folder_of_files, as_zip]


@pytest.mark.parametrize("laid_out", WAYS)
def test_each_message_is_taken_once_whatever_it_lies_in(
    office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str], laid_out: Callable[[Path], Path]
) -> None:
    path = laid_out(tmp_path)
    for copied, duplicates in ((3, 0), (0, 3)):
        capsys.readouterr()
        assert office.call("import", "alice", str(path), "--json") == 0
        report = document(capsys.readouterr().out)
        assert (report["found"], report["copied"], report["duplicates"], report["failed"]) == (3, copied, duplicates, 0)
    with office.opened() as (_, reader, _index):
        digests = {copy.digest for copy in reader.all[0].copies.all_copies()}
    assert digests == {sha256(content).digest() for content in (FIRST, SECOND, THIRD)}
    assert office.call("verify") == 0
    assert not list((office.state_dir / "spool").glob("*"))


def test_every_destination_gets_what_it_lacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    office = Office(tmp_path, {"alice": ["mbox:a", "maildir:b"], "bob": ["maildir:b"]})
    office.copy([FIRST], "bob")
    assert office.call("import", "alice", str(as_mbox(tmp_path)), "--json") == 0
    report = document(capsys.readouterr().out)
    assert (report["copied"], report["duplicates"]) == (3, 0)
    assert len(list((tmp_path / "b/new").iterdir())) == 3


def test_what_is_left_out_is_named_with_the_reason(tmp_path: Path) -> None:
    sources = Sources(Variant.MBOXRD, tmp_path / "spool")
    put(tmp_path / "in/nested.zip", b"")
    with zipfile.ZipFile(tmp_path / "in/z.zip", "w") as archive:
        archive.writestr("inner.zip", b"PK")
        archive.writestr("\x1b[2Jx.eml", b"Subject: a header\xff")
        archive.writestr("y.eml", b"no header\xff")
    put(tmp_path / "in/broken.mbox", b"no From_ line")
    put(tmp_path / "in/empty.mbox", b"")
    put(tmp_path / "in/__MACOSX/x.eml", b"Subject: x\n\n")
    put(tmp_path / "in/half.zip", b"PK\x03\x04" + b"\0" * 100)
    (tmp_path / "in/loop").symlink_to(tmp_path / "in", target_is_directory=True)
    items = list(sources.found(tmp_path / "in"))
    left_out = {one.place.removeprefix(f"{tmp_path}/in/"): one for one in items if isinstance(one, LeftOut)}
    assert {place: one.is_trouble for place, one in left_out.items()} == {
        "__MACOSX": False,
        "broken.mbox": True,
        "empty.mbox": False,
        "half.zip": True,
        "loop": False,
        "nested.zip": False,
        "z.zip!inner.zip": True,
        "z.zip!y.eml": True,
    }
    assert [one.place for one in items if isinstance(one, FoundMessage)] == [f"{tmp_path}/in/z.zip![2Jx.eml"]


def test_a_zip_that_says_less_than_it_holds_does_no_harm(office: Office, tmp_path: Path) -> None:
    path = as_zip(tmp_path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 37):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        items = list(Sources(Variant.MBOXRD, tmp_path / "spool").found(path))
        assert all(isinstance(item, FoundMessage | LeftOut) for item in items)
    assert not list((tmp_path / "spool").iterdir())


@pytest.mark.parametrize("variant", ["mboxo", "mboxcl", "mboxcl2"])
def test_other_dialects_are_taken_at_their_word(
    office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str], variant: str
) -> None:
    body = b"From here\n" if variant == "mboxcl2" else b">From here\n"
    length = b"Content-Length: %d\n" % len(body) if variant != "mboxo" else b""
    put(
        tmp_path / "old", (FRAME + b"Subject: a\n" + length + b"\n" + body + b"\n") * 2 + FRAME + b"Subject: b\n\nx\n\n"
    )
    assert office.call("import", "alice", str(tmp_path / "old"), "--variant", variant, "--json") == 0
    report = document(capsys.readouterr().out)
    assert (report["found"], report["copied"], report["duplicates"]) == (3, 2, 1)
    assert office.call("search", "here", "--json") == 0
    hits = document(capsys.readouterr().out)["hits"]
    assert isinstance(hits, list)
    assert office.call("show", hits[0]["id"], "--raw") == 0
    assert "\r\nFrom here" in capsys.readouterr().out


def test_a_long_message_is_taken_without_being_held(office: Office, tmp_path: Path) -> None:
    long = mail("long", "From x\n" * 400_000)
    put(tmp_path / "old", mbox(FIRST, long, SECOND))
    assert office.call("import", "alice", str(tmp_path / "old")) == 0
    with office.opened() as (_, reader, _index):
        assert sha256(long).digest() in {copy.digest for copy in reader.all[0].copies.all_copies()}
    assert office.call("verify") == 0


def test_a_path_that_is_not_there_is_wrong_usage(office: Office, tmp_path: Path) -> None:
    assert office.call("import", "alice", str(tmp_path / "none")) == 2
    assert office.call("import", "nobody", str(as_mbox(tmp_path))) == 2
    assert not office.state_dir.exists()


def test_an_account_that_is_being_worked_is_left_alone(office: Office, tmp_path: Path) -> None:
    path = as_mbox(tmp_path)
    office.copy([FIRST])
    with account_lock(office.state_dir, "alice"):
        assert office.call("import", "alice", str(path)) == 1
    assert office.call("import", "alice", str(path)) == 0


def test_a_destination_that_fails_is_named_and_tried_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    office = Office(tmp_path, {"alice": ["mbox:a", "maildir:b"]})
    put(tmp_path / "b", b"a file where a Maildir should be")
    assert office.call("import", "alice", str(as_mbox(tmp_path)), "--json") == 1
    assert "b" in capsys.readouterr().out
    (tmp_path / "b").unlink()
    assert office.call("import", "alice", str(as_mbox(tmp_path)), "--json") == 0
    report = document(capsys.readouterr().out)
    assert (report["copied"], report["failed"]) == (3, 0)


MOZILLA = b"X-Mozilla-Status: %04x\n"


def test_flags_are_told_and_kept_where_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marked = FRAME + MOZILLA % 1 + lf(FIRST) + b"\n" + FRAME + MOZILLA % 4 + lf(SECOND) + b"\n" + mbox(THIRD)
    put(tmp_path / "old", marked + FRAME + MOZILLA % 9 + lf(FIRST) + b"\n")
    for options, names in (((), ["", "", ""]), (("--flags",), ["", "F", "S"])):
        (tmp_path / options[0] if options else tmp_path / "plain").mkdir()
        office = Office(tmp_path / options[0] if options else tmp_path / "plain", {"alice": ["maildir:M", "mbox:m"]})
        capsys.readouterr()
        assert office.call("import", "alice", str(tmp_path / "old"), "--json", *options) == 0
        said = capsys.readouterr()
        report = document(said.out)
        assert (report["copied"], report["deleted"], report["flagged"]) == (3, 1, 2)
        assert ("--flags keeps it" in said.err) == (not options)
        assert "1 more message is marked as deleted, and left out" in said.err
        files = [path for folder in ("new", "cur") for path in (office.root / "M" / folder).iterdir()]
        assert sorted(path.name.partition(":2,")[2] for path in files) == names
        assert office.call("verify") == 0
        assert office.call("import", "alice", str(tmp_path / "old"), *options) == 0
        assert len([*(office.root / "M/new").iterdir(), *(office.root / "M/cur").iterdir()]) == 3


def test_labels_are_told_and_stay_in_the_header(
    office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "Takeout/All mail.mbox", mbox(b"X-Gmail-Labels: Inbox,Work\r\n" + FIRST) + mbox(SECOND))
    assert office.call("import", "alice", str(tmp_path / "Takeout"), "--json") == 0
    said = capsys.readouterr()
    assert document(said.out)["labels"] == {"Inbox": 1, "Work": 1}
    assert "Inbox (1), Work (1)" in said.err


def test_a_message_that_may_not_be_whole_is_stored_and_ends_with_1(
    office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "old", mbox(FIRST, SECOND)[:-4])
    assert office.call("import", "alice", str(tmp_path / "old"), "--json") == 1
    said = capsys.readouterr()
    report = document(said.out)
    assert report["copied"] == 2
    assert isinstance(report["doubtful"], list)
    assert [doubt["place"] for doubt in report["doubtful"]] == [f"{tmp_path}/old:2"]
    assert "cut off" in said.err


def test_a_path_that_gave_nothing_ends_with_1(office: Office, tmp_path: Path) -> None:
    put(tmp_path / "notes", b"nothing\n")
    assert office.call("import", "alice", str(as_mbox(tmp_path)), str(tmp_path / "notes")) == 1
    assert office.call("import", "alice", str(as_mbox(tmp_path))) == 0


def test_a_pipe_and_a_link_to_itself_are_wrong_usage(
    office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name, word in (("pipe", "write it into a file first"), ("loop", "leads back to itself")):
        assert office.call("import", "alice", str(tmp_path / name)) == 2
        assert word in capsys.readouterr().err
    assert not office.state_dir.exists()


def test_a_linked_maildir_is_followed(office: Office, tmp_path: Path) -> None:
    as_maildir(tmp_path)
    (tmp_path / "Mail").symlink_to("M")
    for path in (f"{tmp_path}/Mail", f"{tmp_path}/Mail/"):
        assert office.call("import", "alice", path) == 0
    with office.opened() as (_, reader, _index):
        assert len(list(reader.all[0].copies.all_copies())) == 3


@pytest.mark.parametrize("date", [None, 1_276_528_487.0])
def test_what_stands_beside_a_message_is_its_date_where_its_header_has_none(date: float | None) -> None:
    heard: list[Message] = []

    class Hearing:
        def copy(self, batch: Sequence[Message]) -> Sequence[Outcome]:
            heard.extend(batch)
            return [CopyResult.COPIED] * len(batch)

    found = FoundMessage("x", message_of(FIRST), Marks(flags=frozenset({"\\Seen"}), date=date))
    for keeps in (True, False):
        Importer(Hearing(), keeps_flags=keeps).copy([found])
    assert [message.fallback_date for message in heard] == [date, date]
    assert [message.flags for message in heard] == [("\\Seen",), ()]
