"""Mail of other programs into a real IMAP mailbox: with the date and the flags that stood beside each message."""

from __future__ import annotations

import imaplib
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.cli.main import main
from tests.servers.dovecot import Dovecot

FRAME = b"From ann@example.org Mon Jan  1 10:20:30 2001\n"
MESSAGE = b"X-Mozilla-Status: 0005\nFrom: ann@example.org\nSubject: no date\n\nFrom here\nto there\n"
ARRIVED = datetime(2001, 1, 1, 10, 20, 30, tzinfo=UTC).timestamp()
DELETED = b"X-Mozilla-Status: 0009\nFrom: ann@example.org\nSubject: away\n\nx\n"

CONFIGURATION = """
state_dir = "state"
[[accounts]]
name = "alice"
[accounts.source]
host = "localhost"
username = "u"
password = {{ env = "PW" }}
tls = "none"
[[accounts.destinations]]
type = "imap"
host = "{host}"
port = {port}
tls = "none"
username = "ann"
password = {{ env = "PW" }}
folder = "Old"
"""


@pytest.mark.parametrize(("options", "flags"), [((), b""), (("--flags",), b"\\Flagged \\Seen")])
def test_a_message_without_a_date_arrived_when_its_from_line_says(
    tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], flags: bytes
) -> None:
    monkeypatch.setenv("PW", dovecot.password)
    config = tmp_path / "config.toml"
    config.write_text(CONFIGURATION.format(host=dovecot.host, port=dovecot.imap_port))
    (tmp_path / "old").write_bytes(FRAME + MESSAGE + b"\n" + FRAME + DELETED + b"\n")
    for _ in range(2):
        assert main(["-q", "-c", str(config), "import", "alice", str(tmp_path / "old"), *options]) == 0
    assert dovecot.mailbox("ann", "Old").messages() == [MESSAGE.replace(b"\n", b"\r\n")]
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port, timeout=60) as session:
        session.login("ann", dovecot.password)
        session.select("Old", readonly=True)
        _, data = session.fetch("1", "(INTERNALDATE FLAGS)")
    [answer] = data
    assert isinstance(answer, bytes)
    kept = {flag for flag in imaplib.ParseFlags(answer) if flag != b"\\Recent"}
    assert kept == set(flags.split())
    arrived = imaplib.Internaldate2tuple(answer)
    assert arrived is not None
    assert time.mktime(arrived) == ARRIVED


def test_what_an_archive_knows_of_its_arrival_is_restored_with_it(
    tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PW", dovecot.password)
    config = tmp_path / "config.toml"
    archive = '[[accounts.destinations]]\ntype = "mbox"\npath = "archive"\n'
    config.write_text(
        CONFIGURATION.partition("[[accounts.destinations]]")[0].replace("{{", "{").replace("}}", "}") + archive
    )
    (tmp_path / "old").write_bytes(
        FRAME + MESSAGE + b"\n" + FRAME + b"From: a@b.c\nSubject: long\n\n" + b"x" * 200_000 + b"\n\n"
    )
    assert main(["-q", "-c", str(config), "import", "alice", str(tmp_path / "old")]) == 0
    target = f"imap://bob@{dovecot.host}:{dovecot.imap_port}/Back?tls=none"
    assert main(["-q", "-c", str(config), "restore", "--to", target, "--to-password-env", "PW"]) == 0
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port, timeout=60) as session:
        session.login("bob", dovecot.password)
        session.select("Back", readonly=True)
        _, answers = session.fetch("1:2", "(INTERNALDATE)")
    arrived = [imaplib.Internaldate2tuple(answer) for answer in answers if isinstance(answer, bytes)]
    assert [moment and time.mktime(moment) for moment in arrived] == [ARRIVED] * 2


def test_what_a_person_took_out_is_not_said_to_be_there(
    tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PW", dovecot.password)
    config = tmp_path / "config.toml"
    config.write_text(CONFIGURATION.format(host=dovecot.host, port=dovecot.imap_port).replace('"Old"', '"Kept"'))
    (tmp_path / "old").write_bytes(FRAME + MESSAGE + b"\n" + FRAME + b"From: a@b.c\nSubject: two\n\nx\n\n")
    assert main(["-q", "-c", str(config), "import", "alice", str(tmp_path / "old")]) == 0
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port, timeout=60) as session:
        session.login("ann", dovecot.password)
        session.select("Kept")
        session.store("1", "+FLAGS", "(\\Deleted)")
        session.expunge()
    capsys.readouterr()
    assert main(["-c", str(config), "import", "alice", str(tmp_path / "old"), "--json"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["found"], document["duplicates"], document["taken_out"]) == (2, 2, 1)
    assert "1 message was taken out of a destination" in said.err
    assert dovecot.mailbox("ann", "Kept").count() == 1
