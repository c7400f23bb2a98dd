"""The archive and a real IMAP server: restore there once each, read it back from there, verify it, repair from it."""

from __future__ import annotations

import imaplib
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.servers.dovecot import Dovecot
from tests.unit.archive.office import Office, document, mail

CONTENTS = [
    mail("january", "From here\n>From there\n.\n..", Date="Mon, 15 Jan 2024 12:00:00 +0000"),
    mail("february", Date="Thu, 15 Feb 2024 12:00:00 +0100"),
    b"Subject: raw \xfc\r\n\r\na\rb \xff\r\n",
    mail("long", "x" * 70 + "\nFrom y\n" * 100_000),
]


@pytest.fixture
def office(tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setenv("IMAP_PASSWORD", dovecot.password)
    office = Office(tmp_path)
    office.bring(CONTENTS)
    return office


def target(dovecot: Dovecot, folder: str = "Restored") -> list[str]:
    url = f"imap://ann@{dovecot.host}:{dovecot.imap_port}/{folder}?tls=none"
    return ["--to", url, "--to-password-env", "IMAP_PASSWORD"]


def restored(office: Office, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    code = office.call("restore", *arguments, "--json")
    return code, document(capsys.readouterr().out)


def test_restored_mail_is_equal_byte_for_byte_and_there_once(
    office: Office, dovecot: Dovecot, capsys: pytest.CaptureFixture[str]
) -> None:
    for stored, present in ((4, 0), (0, 4)):
        code, report = restored(office, capsys, *target(dovecot))
        assert (code, report["restored"], report["present"]) == (0, stored, present)
    assert sorted(dovecot.mailbox("ann", "Restored").messages()) == sorted(CONTENTS)


def test_by_month_in_folders_of_their_own_with_their_dates(
    office: Office, dovecot: Dovecot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restored(office, capsys, *target(dovecot), "--by", "month")[0] == 0
    assert dovecot.mailbox("ann", "Restored.2024-01").messages() == CONTENTS[:1]
    assert dovecot.mailbox("ann", "Restored.2024-02").messages() == CONTENTS[1:2]
    assert dovecot.mailbox("ann", "Restored.undated").count() == 2
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port, timeout=60) as session:
        session.login("ann", dovecot.password)
        session.select("Restored.2024-02", readonly=True)
        _, data = session.fetch("1", "(INTERNALDATE)")
    assert isinstance(data[0], bytes)
    arrived = imaplib.Internaldate2tuple(data[0])
    assert arrived is not None
    assert time.mktime(arrived) == datetime(2024, 2, 15, 11, tzinfo=UTC).timestamp()


def with_imap(office: Office, dovecot: Dovecot) -> None:
    """Give the account the server as a second destination."""
    office.config_path.write_text(
        office.config_path.read_text()
        + f"""
[[accounts.destinations]]
type = "imap"
host = "{dovecot.host}"
port = {dovecot.imap_port}
tls = "none"
username = "ann"
password = {{ env = "IMAP_PASSWORD" }}
"""
    )


def test_a_server_stands_in_for_a_lost_archive(
    office: Office, dovecot: Dovecot, capsys: pytest.CaptureFixture[str]
) -> None:
    with_imap(office, dovecot)
    office.bring(CONTENTS, is_seen=False)
    [volume] = (office.root / "archive/alice").glob("*.mbox")
    volume.unlink()
    capsys.readouterr()
    assert office.call("verify", "--json") == 1
    report = document(capsys.readouterr().out)
    assert (report["checked"], report["ok"]) == (
        4,
        4,
    )  # an archive that is not there is named once, not message by message
    assert office.call("search", "subject:january", "--json") == 0
    assert '"total": 1' in capsys.readouterr().out
    assert office.call("repair") == 0
    assert office.call("verify") == 0


def test_a_message_that_somebody_deleted_on_the_server_is_missed_and_comes_back_where_that_is_wished(
    office: Office, dovecot: Dovecot, capsys: pytest.CaptureFixture[str]
) -> None:
    with_imap(office, dovecot)
    office.bring(CONTENTS, is_seen=False)
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port, timeout=60) as session:
        session.login("ann", dovecot.password)
        session.select("INBOX")
        session.store("1", "+FLAGS", r"(\Deleted)")
        session.expunge()
    capsys.readouterr()
    assert office.call("verify", "--json") == 1
    report = document(capsys.readouterr().out)
    assert (report["checked"], report["ok"]) == (8, 7)
    assert office.call("repair") == 0
    assert dovecot.mailbox("ann").count() == 3  # it is no damage: whether it comes back is a person's to say
    office.config_path.write_text(office.config_path.read_text() + 'when_copy_is_gone = "restore"\n')
    assert office.call("repair") == 0
    assert office.call("verify") == 0
    assert sorted(dovecot.mailbox("ann").messages()) == sorted(CONTENTS)
