"""What is exported is opened by programs that people have: each finds every message, once, with its bytes."""

from __future__ import annotations

import mailbox
import os
import re
import subprocess
import zipfile
from contextlib import closing
from pathlib import Path
from shutil import which

import pytest

from tests.mail import mail
from tests.terminal import talk
from tests.unit.archive.office import Office

CONTENTS = [
    mail("plain", Message_ID="<plain@example.org>", Date="Mon, 1 Jan 2024 12:00:00 +0000"),
    mail("from", "From here on\n>From there\n\nFrom x@y Mon Jan  1 12:00:00 2024\nSubject: no header\n", Message_ID="<from@example.org>"),
    mail("undated", Message_ID="<undated@example.org>"),
    mail("no end", Message_ID="<end@example.org>").rstrip(b"\r\n") + b"\r\n",
    mail("long", "y" * 990 + "\nFrom y\n" * 3_000, Message_ID="<long@example.org>"),
    b"Subject: raw \xfc\r\nMessage-ID: <raw@example.org>\r\nFrom: a@example.org\r\n\r\n\xff\xfe \x80\r\n",
]  # fmt: skip
LYING = mail("lying", "some text\n" * 30, Message_ID="<lying@example.org>", Content_Length="7")
"""Its Content-Length is its own: an archive keeps every byte, and readers of mboxrd do not look at it."""

LF = [re.sub(rb"\r\n", b"\n", content) for content in [*CONTENTS, LYING]]


def needed(program: str) -> str:
    """Return where a program is; without it the test is left out."""
    path = which(program)
    if path is None:
        pytest.skip(f"{program} is not installed (tests/prepare)")
    return path


def run(*command: str | Path, give: Path | None = None, environment: dict[str, str] | None = None) -> bytes:
    with (give or Path(os.devnull)).open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, env=environment, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.copy([*CONTENTS, LYING])
    return office


@pytest.fixture
def box(office: Office, tmp_path: Path) -> Path:
    assert office.call("export", "--to", str(tmp_path / "all.mbox"), "--format", "mbox") == 0
    return tmp_path / "all.mbox"


@pytest.fixture
def maildir(office: Office, tmp_path: Path) -> Path:
    assert office.call("export", "--to", str(tmp_path / "Maildir"), "--format", "maildir") == 0
    return tmp_path / "Maildir"


def unquoted(content: bytes) -> bytes:
    return re.sub(rb"(?m)^>(>*From )", rb"\1", content)


def test_python_s_mailbox_reads_mbox_and_maildir(box: Path, maildir: Path) -> None:
    with closing(mailbox.mbox(box)) as one:
        assert sorted(unquoted(one.get_bytes(key)) for key in one.keys()) == sorted(LF)  # noqa: SIM118  # no dict
    other = mailbox.Maildir(maildir)
    assert sorted(other.get_bytes(key) for key in other.keys()) == sorted(LF)  # noqa: SIM118  # as above


def test_a_maildir_is_unread_mail_to_python(maildir: Path) -> None:
    messages = list(mailbox.Maildir(maildir))
    assert {(one.get_subdir(), one.get_flags()) for one in messages} == {("new", "")}


@pytest.mark.parametrize("form", ["mbox", "maildir"])
def test_mutt_finds_every_message(box: Path, maildir: Path, tmp_path: Path, form: str) -> None:
    place = {"mbox": box, "maildir": maildir}[form]
    out = tmp_path / "ids"
    settings = tmp_path / "muttrc"
    settings.write_text(f"set folder={tmp_path} pipe_split=yes wait_key=no mark_old=no quit=yes\n")
    collect = tmp_path / "collect"
    collect.write_text(f"grep -i ^Message-ID: >> {out}\n")
    typed = [
        (f"Msgs:{len(LF)}", "T"),
        ("Tag messages matching: ", "~A\r"),
        (f"Tag:{len(LF)}", ";|"),
        ("Pipe to command: ", f"sh {collect}\rx"),
    ]
    command = [needed("mutt"), "-n", "-R", "-F", str(settings), "-f", str(place)]
    talked = talk(command, typed, folder=tmp_path, environment={**os.environ, "TERM": "vt100"})
    assert talked.code == 0
    found = re.findall(rb"<(\w+)@example.org>", out.read_bytes())
    assert sorted(found) == sorted(re.findall(rb"Message-ID: <(\w+)@", b"".join(LF))), talked.said


@pytest.mark.parametrize("form", ["maildir", "eml"])
def test_notmuch_finds_every_message_with_its_bytes(office: Office, tmp_path: Path, form: str) -> None:
    program = needed("notmuch")
    place = tmp_path / "mail"
    assert office.call("export", "--to", str(place), "--format", form) == 0
    settings = tmp_path / "notmuch-config"
    ignored = "[new]\nignore=SHA256SUMS\n"
    settings.write_text(f"[database]\npath={place}\n[user]\nname=a\nprimary_email=a@example.org\n{ignored}")
    environment = {"NOTMUCH_CONFIG": str(settings), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    run(program, "new", environment=environment)
    assert run(program, "count", "*", environment=environment).strip() == str(len(LF)).encode()
    raw = run(program, "show", "--format=raw", "id:from@example.org", environment=environment)
    assert raw in (LF[1], CONTENTS[1])


def test_formail_splits_at_every_message_where_it_shall_not_believe_lengths(box: Path) -> None:
    """Without ``-Y`` it goes by a message's own Content-Length, which an archive must not touch (docs/archive.md)."""
    ids = run(needed("formail"), "-Y", "-s", "sh", "-c", "grep -i -m1 ^Message-ID:", give=box)
    assert len(ids.splitlines()) == len(LF)


@pytest.mark.parametrize("program", ["unzip", "python"])
def test_a_zip_is_whole_to_others(office: Office, tmp_path: Path, program: str) -> None:
    path = tmp_path / "all.zip"
    assert office.call("export", "--to", str(path), "--format", "eml") == 0
    if program == "python":
        with zipfile.ZipFile(path) as archive:
            files = [archive.read(name) for name in archive.namelist() if name.endswith(".eml")]
    else:
        run(needed("unzip"), "-q", path, "-d", tmp_path / "unpacked")
        files = [file.read_bytes() for file in (tmp_path / "unpacked").glob("*.eml")]
        run("sh", "-c", f"cd {tmp_path}/unpacked && sha256sum -c --quiet SHA256SUMS")
    assert sorted(files) == sorted([*CONTENTS, LYING])
