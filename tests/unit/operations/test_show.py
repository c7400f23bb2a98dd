from __future__ import annotations

import os
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import pytest

from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.message.digest import canonical
from migrator.operations.show import open_message, render_message, save_attachment
from tests.unit.archive.office import Office
from tests.unit.operations.conftest import CONTENTS


@pytest.fixture
def attached(office: Office) -> str:
    """The id of a message with an attachment whose name leads out of a folder."""
    message = EmailMessage()
    message["Subject"] = "a file"
    message.set_content("see below")
    message.add_attachment(b"1,2\n", maintype="text", subtype="csv", filename="../numbers.csv")
    [digest] = office.copy([canonical(message.as_bytes())])
    return digest.hex()[:20]


def test_a_message_is_given_by_the_beginning_of_its_digest(office: Office, ledger: Ledger) -> None:
    [digest] = office.copy(CONTENTS[:1])
    with open_message(digest.hex()[:12], office.config, ledger, exact=True) as body:
        assert b"".join(body.chunks()) == CONTENTS[0]
        shown = render_message(body)
    assert "Subject: lunch" in shown.headers
    assert "bread" in shown.text


def test_when_a_message_arrived_is_said_by_the_line_above_it_in_the_archive(
    office: Office, ledger: Ledger, tmp_path: Path
) -> None:
    (tmp_path / "old").write_bytes(b"From a@b.c Mon Jan  1 10:20:30 2001\nFrom: a@b.c\nSubject: no date\n\nx\n\n")
    assert office.call("import", "alice", str(tmp_path / "old")) == 0
    digest = sha256(b"From: a@b.c\r\nSubject: no date\r\n\r\nx\r\n").hexdigest()
    with open_message(digest, office.config, ledger, exact=True) as body:
        assert "Arrived: 2001-01-01 10:20:30 +0000 (where it stood)" in render_message(body).headers


def test_an_attachment_stays_in_the_folder_that_was_named(
    office: Office, ledger: Ledger, attached: str, tmp_path: Path
) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    with open_message(attached, office.config, ledger, exact=False) as body:
        saved = save_attachment(body, 1, folder)
        assert (saved.path.parent, saved.octets) == (folder, saved.path.stat().st_size)
        with pytest.raises(FerryError, match="is not overwritten"):
            save_attachment(body, 1, saved.path)
        with pytest.raises(FerryError, match=r"attachment 9 cannot be taken out: it has 1 attachment$"):
            save_attachment(body, 9, folder)


def test_a_file_that_cannot_be_made_is_named(office: Office, ledger: Ledger, attached: str, tmp_path: Path) -> None:
    with (
        open_message(attached, office.config, ledger, exact=False) as body,
        pytest.raises(FerryError, match=r"cannot write .*: No such file or directory") as caught,
    ):
        save_attachment(body, 1, tmp_path / "no" / "file")
    assert caught.value.kind is Kind.REFUSED


def test_a_full_disk_leaves_no_half_of_a_file(
    office: Office, ledger: Ledger, attached: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = os.fdopen

    def full(handle: int, mode: str) -> IO[Any]:
        os.dup2(os.open("/dev/full", os.O_WRONLY), handle)
        return made(handle, mode)

    monkeypatch.setattr(os, "fdopen", full)
    path = tmp_path / "numbers.csv"
    with (
        open_message(attached, office.config, ledger, exact=False) as body,
        pytest.raises(FerryError, match=r"cannot write .*: the disk is full") as caught,
    ):
        save_attachment(body, 1, path)
    assert (caught.value.kind, caught.value.finding) == (Kind.DISK_FULL, "disk-full")
    assert not path.exists()


def test_an_id_of_nothing_is_refused(office: Office, ledger: Ledger) -> None:
    with (
        pytest.raises(FerryError, match="no archived message"),
        open_message("00000000", office.config, ledger, exact=True),
    ):
        pass
