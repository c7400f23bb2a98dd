from __future__ import annotations

import subprocess
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from migrator.interchange import export_formats as forms, exporter as exporting
from migrator.interchange.exporter import Form, export, parts
from migrator.interchange.mail_files import message_in, records_of
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


def is_whole(manifest: Path) -> bool:
    """Ask coreutils."""
    checked = subprocess.run(["sha256sum", "-c", "--strict", manifest.name], cwd=manifest.parent, check=False)
    return checked.returncode == 0


def digests(path: Path, form: str) -> set[bytes]:
    if form == "mbox":
        return {record.digest for record in records_of(path)}
    files = (path / "cur" if form == "maildir" else path).iterdir()
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
    assert is_whole(out / "SHA256SUMS")
    assert {path.stat().st_mode & 0o077 for path in out.rglob("*")} == {0}


def test_eml_files_hold_the_bytes_of_the_digest(full: Office, tmp_path: Path) -> None:
    assert full.call("export", "alice", "--to", str(tmp_path / "out"), "--format", "eml") == 0
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.eml")}
    assert files == {f"{sha256(content).hexdigest()[:20]}.eml": content for content in CONTENTS}


def test_a_maildir_keeps_the_dates(full: Office, tmp_path: Path) -> None:
    assert full.call("export", "--to", str(tmp_path / "out"), "--format", "maildir", "--query", "subject:one") == 0
    [path] = (tmp_path / "out/cur").iterdir()
    assert path.stat().st_mtime == 1_704_110_400


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


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("survived", [0, 1, 3])
def test_cut_short_it_goes_on_where_it_was(
    full: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Form, survived: int
) -> None:
    """A kill in the middle of a message leaves half of it, which must not be taken for the whole."""
    out = tmp_path / "out"
    count = 0

    class KilledError(BaseException):
        """The process is gone."""

    def checked(digest: bytes, body: object, *, undo: object = None) -> object:
        nonlocal count
        count += 1
        for piece in original(digest, body):  # type: ignore[arg-type]  # passed on as it came
            if count > survived:
                yield piece[: len(piece) // 2]
                raise KilledError
            yield piece

    original = forms.checked
    monkeypatch.setattr(forms, "checked", checked)
    with full.opened() as (ledger, reader, _), pytest.raises(KilledError):
        export(out, parts(out, form, [("alice", "alice")], reader, ledger.archive, None), reader)
    monkeypatch.setattr(forms, "checked", original)
    with full.opened() as (ledger, reader, _):
        done = export(out, parts(out, form, [("alice", "alice")], reader, ledger.archive, None), reader)
    assert done.written + done.present == len(CONTENTS)
    assert done.present == survived
    assert digests(out / "alice.mbox" if form is Form.MBOX else out, form) == EXPECTED
    assert is_whole(out / exporting.MANIFEST)


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


def test_a_zip_holds_eml_files_only(full: Office, tmp_path: Path) -> None:
    assert full.call("export", "--to", str(tmp_path / "x.zip"), "--format", "mbox") == 2


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
