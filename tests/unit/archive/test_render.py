from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tests.mail import mail
from tests.unit.archive.hostile import nested
from tests.unit.archive.office import Office

ATTACHED = (
    b"From: ann@example.org\r\nSubject: evil \x1b[2J\xc2\x9b31m title\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nsee \x1b]0;owned\x07 \xe2\x80\xaetxt.exe\r\n"
    b'--b\r\nContent-Type: application/octet-stream; name="../../../tmp/owned\xe2\x80\xaegpj.exe"\r\n\r\nMZ\r\n--b--\r\n'
)


def test_shows_headers_text_and_attachments(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    [digest] = office.copy([mail("hello", "how are you?", Date="Mon, 1 Jan 2024 12:00:00 +0000", To="bob@x.org")])
    assert office.call("show", digest.hex()[:20]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Subject: hello" in lines
    assert "To: bob@x.org" in lines
    assert "Arrived: 2024-01-01 12:00:00 +0000 (Date)" in lines
    assert "how are you?" in lines


def test_nothing_that_is_shown_steers_the_terminal(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    [digest] = office.copy([ATTACHED])
    assert office.call("show", digest.hex()[:20]) == 0
    assert office.call("search", "evil") == 0
    shown = capsys.readouterr().out
    assert "owned" in shown
    assert not set(shown) & set("\x1b\x07\x9b\u202e\r")


@pytest.mark.parametrize("size", [100, 3_000_000])
def test_raw_writes_the_bytes_of_the_digest(
    office: Office, capfdbinary: pytest.CaptureFixture[bytes], size: int
) -> None:
    content = b"Subject: r\xfcw\r\n\r\nFrom here\r\n>From there\r\n" + b"a\rb\0\r\n" * (size // 6)
    [digest] = office.copy([content])
    capfdbinary.readouterr()
    assert office.call("show", digest.hex(), "--raw") == 0
    assert sha256(capfdbinary.readouterr().out).digest() == digest


def test_an_id_may_be_cut_as_long_as_it_is_one(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    [digest] = office.copy([mail("one")])
    assert office.call("show", digest.hex()[:8]) == 0
    assert office.call("show", digest.hex().upper()[:9]) == 0
    assert office.call("show", digest.hex()[:7]) == 2
    assert office.call("show", "0123456789abcdef") == 1
    assert "no archived message has an id" in capsys.readouterr().err


def test_what_is_no_id_is_a_slip_of_the_hand(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.copy([mail("one")])
    assert office.call("show", "xyz") == 2
    said = capsys.readouterr().err
    assert "'xyz' is not an id: it has 8 or more of the characters 0-9 and a-f; `mailferry search` shows them\n" in said
    assert "refused" not in said


def test_an_attachment_is_saved_under_a_safe_name_and_overwrites_nothing(office: Office, tmp_path: Path) -> None:
    [digest] = office.copy([ATTACHED])
    folder = tmp_path / "saved"
    folder.mkdir()
    show = ("show", digest.hex()[:20], "--attachment", "1", "--to")
    assert office.call(*show, str(folder)) == 0
    [saved] = folder.iterdir()
    assert saved.name == "_.._.._tmp_ownedgpj.exe"
    assert saved.read_bytes() == b"MZ"
    assert saved.stat().st_mode & 0o077 == 0
    assert office.call(*show, str(folder)) == 1
    assert office.call(*show, str(tmp_path / "named.bin")) == 0
    assert (tmp_path / "named.bin").read_bytes() == b"MZ"
    assert office.call("show", digest.hex()[:20], "--attachment", "2", "--to", str(tmp_path / "none")) == 1
    assert not (tmp_path / "none").exists()


def test_without_a_place_an_attachment_is_saved_here(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [digest] = office.copy([ATTACHED])
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert office.call("show", digest.hex(), "--attachment", "1") == 0
    assert "saved 2 bytes to _.._.._tmp_ownedgpj.exe\n" in capsys.readouterr().err
    [saved] = folder.iterdir()
    assert saved.read_bytes() == b"MZ"
    saved.write_bytes(b"mine")
    assert office.call("show", digest.hex(), "--attachment", "1") == 1
    assert "_.._.._tmp_ownedgpj.exe exists, and is not overwritten; --to FILE names another" in capsys.readouterr().err
    assert saved.read_bytes() == b"mine"


def test_to_and_raw_fit_what_they_go_with(office: Office) -> None:
    assert office.call("show", "0123456789", "--raw", "--attachment", "1") == 2
    assert office.call("show", "0123456789", "--to", "x") == 2


def test_what_cannot_be_parsed_is_shown_by_its_headers_and_can_be_had_raw(
    office: Office, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    [digest] = office.copy([nested(2_000)])
    assert office.call("show", digest.hex()[:20]) == 0
    output = capfdbinary.readouterr()
    assert b"Subject: nested deeply" in output.out
    assert b"nested too deeply" in output.err
    assert office.call("show", digest.hex()[:20], "--raw") == 0
    assert capfdbinary.readouterr().out == nested(2_000)


def test_a_damaged_message_is_not_shown_as_if_it_were_whole(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    [digest] = office.copy([mail("whole")])
    [volume] = (office.root / "archive/alice").glob("*.mbox")
    volume.write_bytes(volume.read_bytes().replace(b"whole", b"wHole"))
    assert office.call("show", digest.hex()[:20], "--raw") == 1
    assert "damaged" in capsys.readouterr().err
