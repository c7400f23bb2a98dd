from __future__ import annotations

import re
import resource
import subprocess
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import cast

import pytest

from migrator.archive.reader import ArchiveReader
from migrator.errors import FerryError
from migrator.interchange import exporter as exporting
from migrator.interchange.exporter import Form, export, parts
from migrator.interchange.mail_files import message_in, records_of
from migrator.message.body import Body
from migrator.model import Digest
from tests.mail import mail
from tests.unit.archive.office import Office, document

CONTENTS = [
    mail("one", "From here\n>From there\n\nFrom  x", Date="Mon, 1 Jan 2024 12:00:00 +0000"),
    b"Subject: raw \xfc\r\n\r\na\rb\0c\r\r\n",
    mail("two", "text", Date="Thu, 1 Feb 2024 12:00:00 +0000"),
    mail("long", "From x\n" * 200_000),
    b"",
]


@pytest.fixture
def full(office: Office) -> Office:
    office.copy(CONTENTS)
    return office


def manifest_of(path: Path, form: str) -> Path:
    return path.with_name(f"{path.name}.sha256") if form == "maildir" else path / exporting.MANIFEST


def is_whole(manifest: Path) -> bool:
    """Ask coreutils."""
    checked = subprocess.run(["sha256sum", "-c", "--strict", manifest.name], cwd=manifest.parent, check=False)
    return checked.returncode == 0


def digests(path: Path, form: str) -> set[bytes]:
    if form == "mbox":
        return {record.digest for record in records_of(path)}
    files = (path / "new" if form == "maildir" else path).iterdir()
    return {
        message.digest
        for file in files
        if file.name != "SHA256SUMS"
        for message in message_in(file, has_lf=form == "maildir")
    }


EXPECTED = {sha256(content).digest() for content in CONTENTS}


@pytest.mark.parametrize("form", ["mbox", "maildir", "eml"])
def test_what_was_exported_is_what_was_archived(full: Office, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    assert full.call("export", "--to", str(out), "--format", form) == 0
    assert digests(out / "alice.mbox" if form == "mbox" else out, form) == EXPECTED
    assert is_whole(manifest_of(out, form))
    assert {path.stat().st_mode & 0o077 for path in out.rglob("*")} == {0}


def test_eml_files_hold_the_bytes_of_the_digest(full: Office, tmp_path: Path) -> None:
    assert full.call("export", "alice", "--to", str(tmp_path / "out"), "--format", "eml") == 0
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.eml")}
    assert files == {f"{sha256(content).hexdigest()[:20]}.eml": content for content in CONTENTS}


def test_a_maildir_keeps_the_dates(full: Office, tmp_path: Path) -> None:
    assert full.call("export", "--to", str(tmp_path / "out"), "--format", "maildir", "--query", "subject:one") == 0
    [path] = (tmp_path / "out/new").iterdir()
    assert path.stat().st_mtime == 1_704_110_400


def test_from_lines_say_when_a_message_arrived(office: Office, tmp_path: Path) -> None:
    received = (
        b"Received: by x; Wed, 6 Mar 2024 01:02:03 +0000\nDate: Tue, 5 Mar 2024 09:59:01 +0000\nSubject: a\n\nx\n"
    )
    lines = [b"From ann@example.org Mon Jan  1 10:20:30 2001\n", b"From ann@example.org Wed Mar  6 01:02:03 2024\n"]
    (tmp_path / "old").write_bytes(
        lines[0]
        + b"From: ann@example.org\nSubject: none\n\nx\n\n"
        + lines[0]
        + b"From: ann@example.org\n"
        + received
        + b"\n"
    )
    assert office.call("import", "alice", str(tmp_path / "old")) == 0
    assert office.call("export", "--to", str(tmp_path / "all.mbox"), "--format", "mbox") == 0
    written = (tmp_path / "all.mbox").read_bytes().splitlines(keepends=True)
    assert [line for line in written if line.startswith(b"From ")] == lines
    assert office.call("export", "--to", str(tmp_path / "out"), "--format", "maildir") == 0
    times = {datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in (tmp_path / "out/new").iterdir()}
    assert times == {datetime(2001, 1, 1, 10, 20, 30, tzinfo=UTC), datetime(2024, 3, 6, 1, 2, 3, tzinfo=UTC)}


@pytest.mark.parametrize(("name", "form"), [("all.mbox", "mbox"), ("all.zip", "eml")])
def test_one_file_for_all_has_its_manifest_beside_it(tmp_path: Path, name: str, form: str) -> None:
    office = Office(tmp_path, {"alice": ["mbox:a"], "bob": ["mbox:b"]})
    office.copy([mail("both"), mail("hers")], "alice")
    office.copy([mail("both"), mail("his")], "bob")
    path = tmp_path / name
    assert office.call("export", "--to", str(path), "--format", form) == 0
    assert is_whole(tmp_path / f"{name}.sha256")
    if form == "mbox":
        assert len(list(records_of(path))) == 3
    else:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            lines = archive.read("SHA256SUMS").decode().splitlines()
            sums = {line.partition("  ")[2]: line.partition("  ")[0] for line in lines}
            names = set(archive.namelist()) - {"SHA256SUMS"}
            assert {name: sha256(archive.read(name)).hexdigest() for name in names} == sums
            assert len(names) == 3


def test_several_accounts_get_a_place_each_and_nothing_is_left_out(tmp_path: Path) -> None:
    office = Office(tmp_path, {"alice": ["mbox:shared"], "bob": ["mbox:shared"]})
    office.copy([mail("both"), mail("hers")], "alice")
    office.copy([mail("both"), mail("his")], "bob")
    assert office.call("export", "--to", str(tmp_path / "out"), "--format", "mbox") == 0
    assert {path.name: len(list(records_of(path))) for path in (tmp_path / "out").glob("*.mbox")} == {
        "alice.mbox": 2,
        "bob.mbox": 2,
    }
    assert office.call("export", "--to", str(tmp_path / "eml"), "--format", "eml") == 0
    assert sorted(len(list(folder.iterdir())) for folder in (tmp_path / "eml").iterdir() if folder.is_dir()) == [2, 2]
    assert is_whole(tmp_path / "eml/SHA256SUMS")


def test_a_query_chooses(full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    assert full.call("export", "--to", out, "--format", "eml", "--query", "date:2024-01 or subject:two", "--json") == 0
    assert document(capsys.readouterr().out)["written"] == 2
    assert full.call("export", "--to", out, "--format", "eml", "--query", "(") == 2


@pytest.mark.parametrize(
    ("name", "form"), [("o", "mbox"), ("o", "maildir"), ("o", "eml"), ("o.mbox", "mbox"), ("o.zip", "eml")]
)
def test_asked_again_it_proves_what_is_there_and_writes_nothing(
    full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, form: str
) -> None:
    arguments = ("export", "--to", str(tmp_path / name), "--format", form, "--json")
    assert full.call(*arguments) == 0
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.glob("o*/**/*") if path.is_file()}
    capsys.readouterr()
    assert full.call(*arguments) == 0
    report = document(capsys.readouterr().out)
    assert (report["written"], report["present"]) == (0, len(CONTENTS))
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before if path.name != "SHA256SUMS"}
    assert after == {path: facts for path, facts in before.items() if path.name != "SHA256SUMS"}


class KilledError(BaseException):
    """The process is gone."""


class Dying:
    """A body in the middle of which the process is killed."""

    def __init__(self, body: Body) -> None:
        self.octets = body.octets
        self._beginning = next(iter(body.chunks()), b"")

    def chunks(self) -> Iterator[bytes]:
        yield self._beginning[: len(self._beginning) // 2]
        raise KilledError


class DyingReader:
    """An archive that can be read up to some message."""

    def __init__(self, reader: ArchiveReader, survived: int) -> None:
        self._reader = reader
        self._survived = survived

    def read(self, digests: Iterable[Digest]) -> Iterator[tuple[Digest, Body | FerryError]]:
        for number, (digest, body) in enumerate(self._reader.read(digests)):
            dies = number >= self._survived and not isinstance(body, FerryError)
            yield digest, cast("Body", Dying(body)) if dies else body  # type: ignore[arg-type]  # no error, then


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("survived", [0, 1, 3])
def test_cut_short_it_goes_on_where_it_was(full: Office, tmp_path: Path, form: Form, survived: int) -> None:
    """A kill in the middle of a message leaves half of it, which must not be taken for the whole."""
    out = tmp_path / "out"
    with full.opened() as (ledger, reader, _):
        dying = cast("ArchiveReader", DyingReader(reader, survived))
        planned = parts(out, form, [("alice", "alice")], reader, ledger.archive, None)
        with pytest.raises(KilledError):
            export(out, planned, dying)
    leave_half_a_message(out, form)
    with full.opened() as (ledger, reader, _):
        done = export(out, parts(out, form, [("alice", "alice")], reader, ledger.archive, None), reader)
    assert done.written + done.present == len(CONTENTS)
    assert done.present == survived
    assert digests(out / "alice.mbox" if form is Form.MBOX else out, form) == EXPECTED
    assert is_whole(manifest_of(out, form))
    assert not list(out.rglob("*.partial"))


def leave_half_a_message(out: Path, form: Form) -> None:
    """Do what a power cut does: nothing tidies up after it."""
    name = sha256(CONTENTS[-2]).hexdigest()[:20]
    if form is Form.MAILDIR:
        (out / f"tmp/.{name}.mailferry.partial").write_bytes(b"Subject: ha")
    if form is Form.EML:
        (out / f".{name}.eml.partial").write_bytes(b"Subject: ha")


def test_nothing_that_exists_is_overwritten(full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    eml = tmp_path / "eml"
    eml.mkdir()
    taken = eml / f"{sha256(CONTENTS[0]).hexdigest()[:20]}.eml"
    taken.write_bytes(b"mine")
    assert full.call("export", "--to", str(eml), "--format", "eml") == 1
    assert taken.read_bytes() == b"mine"
    assert "is not overwritten" in capsys.readouterr().err
    box = tmp_path / "x.mbox"
    box.write_bytes(b"From me Mon Jan 1 2024\nSubject: mine\n\nx\n\n")
    before = box.read_bytes()
    assert full.call("export", "--to", str(box), "--format", "mbox") == 1
    assert box.read_bytes() == before


def test_a_damaged_message_is_named_and_the_others_are_written(
    full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [volume] = (full.root / "archive/alice").glob("*.mbox")
    volume.write_bytes(volume.read_bytes().replace(b"Subject: one", b"Subject: oNe"))
    assert full.call("export", "--to", str(tmp_path / "out"), "--format", "eml", "--json") == 1
    report = document(capsys.readouterr().out)
    assert (report["written"], report["failed"]) == (len(CONTENTS) - 1, 1)
    assert is_whole(tmp_path / "out/SHA256SUMS")


def test_a_disk_that_cannot_be_written_is_said_in_words(full: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert full.call("export", "--to", "/proc/nowhere", "--format", "eml") == 1
    assert "cannot write /proc/nowhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "form", "words"),
    [
        ("x.zip", "mbox", "a zip holds eml files; write --format eml"),
        ("x.zip", "maildir", "a zip holds eml files"),
        ("x.mbox", "eml", "an .mbox file holds mbox; write --format mbox"),
        ("x.tar", "mbox", "tar -caf x.tar FOLDER"),
        ("x.mbox.gz", "mbox", "no export is a .gz file"),
        ("x.eml", "eml", "name of a single message"),
        ("file", "maildir", "this is a file; --format maildir needs a folder"),
    ],
)
def test_a_path_that_means_another_thing_is_refused_in_words_before_anything_is_written(
    full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, form: str, words: str
) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    before = sorted(tmp_path.iterdir())
    assert full.call("export", "--to", str(tmp_path / name), "--format", form) == 2
    assert words in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["x.tar", "2024.12", "x.zip"])
def test_a_folder_that_is_there_may_be_called_anything(full: Office, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert full.call("export", "--to", str(tmp_path / name), "--format", "mbox") == 0
    assert digests(tmp_path / name / "alice.mbox", "mbox") == EXPECTED


@pytest.mark.parametrize("name", ["alice.mbox.partial", "o.mbox.partial", "o.zip.partial"])
@pytest.mark.parametrize("kind", ["link", "hard link", "link to nothing"])
def test_no_link_is_written_through(full: Office, tmp_path: Path, name: str, kind: str) -> None:
    out = tmp_path / "shared"
    out.mkdir()
    victim = tmp_path / "victim"
    if kind != "link to nothing":
        victim.write_bytes(b"From me Mon Jan  1 00:00:00 2024\nSubject: mine\n\nx\n\n")
    before = victim.read_bytes() if victim.exists() else None
    if kind == "hard link":
        (out / name).hardlink_to(victim)
    else:
        (out / name).symlink_to(victim)
    target = out if name.startswith("alice") else out / name.removesuffix(".partial")
    assert full.call("export", "--to", str(target), "--format", "eml" if "zip" in name else "mbox") == 0
    assert (victim.read_bytes() if victim.exists() else None) == before
    assert not list(out.glob("*.partial"))
    written = out / name.removesuffix(".partial")
    assert not written.is_symlink()
    if "zip" not in name:
        assert digests(written, "mbox") == EXPECTED


@pytest.mark.parametrize("name", ["out/SHA256SUMS", "out.mbox.sha256"])
def test_a_manifest_is_not_written_through_a_link(full: Office, tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    victim = tmp_path / "victim"
    victim.write_bytes(b"a  secret\n")
    (tmp_path / name).symlink_to(victim)
    target = tmp_path / ("out" if "/" in name else "out.mbox")
    assert full.call("export", "--to", str(target), "--format", "mbox") == 0
    assert victim.read_bytes() == b"a  secret\n"
    assert "secret" not in (tmp_path / name).read_text()
    assert is_whole(tmp_path / name)


def test_a_maildir_has_names_that_every_file_system_takes_and_only_mail_in_it(full: Office, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert full.call("export", "--to", str(out), "--format", "maildir") == 0
    assert sorted(path.name for path in out.iterdir()) == ["cur", "new", "tmp"]
    assert all(re.fullmatch(r"[0-9a-f]{20}\.mailferry", path.name) for path in (out / "new").iterdir())
    assert not list((out / "tmp").iterdir())


def test_what_a_mail_reader_has_flagged_or_an_older_release_named_is_not_exported_again(
    full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert full.call("export", "--to", str(out), "--format", "maildir") == 0
    for path, flags in zip(sorted((out / "new").iterdir()), [":2,S", ":2,", ";2,RS", "!2,F"], strict=False):
        path.rename(out / "cur" / f"{path.name}{flags}")
    capsys.readouterr()
    assert full.call("export", "--to", str(out), "--format", "maildir", "--json") == 0
    report = document(capsys.readouterr().out)
    assert (report["written"], report["present"]) == (0, len(CONTENTS))
    assert is_whole(tmp_path / "out.sha256")


def test_a_message_that_cannot_be_written_leaves_no_part_of_it_and_the_path_is_named(
    full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (out / "new").mkdir(parents=True)
    (out / "new").chmod(0o700)
    (out / "tmp").symlink_to(tmp_path / "nowhere")
    assert full.call("export", "--to", str(out), "--format", "maildir") == 1
    assert f"cannot write {out}/tmp" in capsys.readouterr().err
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".partial")]


@contextmanager
def no_file_larger_than(octets: int) -> Iterator[None]:
    """Have the kernel say what FAT32 says of 4 GB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_becomes_too_large_is_said_with_what_helps(
    full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with no_file_larger_than(1_000_000):
        assert full.call("export", "--to", str(tmp_path / "o.mbox"), "--format", "mbox") == 1
    said = capsys.readouterr().err
    assert "this file system takes no larger file: write --format eml or maildir" in said
    assert full.call("export", "--to", str(tmp_path / "o.mbox"), "--format", "mbox") == 0
    assert digests(tmp_path / "o.mbox", "mbox") == EXPECTED


def test_accounts_whose_names_differ_in_case_only_or_are_devices_get_names_that_windows_takes(tmp_path: Path) -> None:
    office = Office(tmp_path, {name: [f"mbox:{name}"] for name in ("alice", "Alice", "nul", "bob.")})
    for name in office.places:
        office.copy([mail(name)], name)
    assert office.call("export", "--to", str(tmp_path / "out"), "--format", "mbox") == 0
    names = {path.name for path in (tmp_path / "out").glob("*.mbox")}
    assert names == {"alice.mbox", "%41lice.mbox", "%6Eul.mbox", "bob%2E.mbox"}


def test_the_manifest_keeps_what_an_earlier_export_wrote(full: Office, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    for query in ("subject:one", "subject:two"):
        assert full.call("export", "--to", out, "--format", "eml", "--query", query) == 0
    assert len((tmp_path / "out/SHA256SUMS").read_text().splitlines()) == 2
    assert is_whole(tmp_path / "out/SHA256SUMS")
    next((tmp_path / "out").glob("*.eml")).unlink()
    assert not is_whole(tmp_path / "out/SHA256SUMS")


def test_stdout_is_no_place_to_export_to(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert office.call("export", "--to", "-", "--format", "mbox") == 2
    assert "stdout cannot hold what is exported" in capsys.readouterr().err


def test_the_command_that_checks_an_export_can_be_pasted(
    office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    office.copy([mail()])
    assert office.call("export", "--to", str(tmp_path / "out of here"), "--format", "eml") == 0
    command = capsys.readouterr().out.splitlines()[-1].removeprefix("check them with: ")
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode == 0
