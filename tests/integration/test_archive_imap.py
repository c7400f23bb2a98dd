"""The archive and a real IMAP server: restore there once each, read it back from there, verify it, repair from it."""

from __future__ import annotations

import imaplib
import tarfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.cli.main import main
from tests.mail import mail
from tests.servers.dovecot import Dovecot
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.unit.archive.office import Office, document

CONTENTS = [
    mail("january", "From here\n>From there\n.\n..", Date="Mon, 15 Jan 2024 12:00:00 +0000"),
    mail("february", Date="Thu, 15 Feb 2024 12:00:00 +0100"),
    b"Subject: raw \xfc\r\n\r\na\rb \xff\r\n",
    mail("long", "x" * 70 + "\nFrom y\n" * 100_000),
]


ODD = b"Subject: odd\r\nMessage-ID: <odd@x>\r\n\r\na\r\r\nb\r\n"
"""What Dovecot alters."""


@pytest.fixture
def office(tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setenv("IMAP_PASSWORD", dovecot.password)
    office = Office(tmp_path)
    office.copy(CONTENTS)
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


def test_a_dot_or_a_slash_in_a_name_makes_no_folders_within_folders(
    dovecot: Dovecot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """This server divides levels by a dot; what is nested in the target's own name stays so."""
    monkeypatch.setenv("IMAP_PASSWORD", dovecot.password)
    office = Office(tmp_path, {"alice@example.org": ["mbox:a"], "bob": ["mbox:b"]})
    office.copy([mail("hers", X_Gmail_Labels="v1.2/beta")], "alice@example.org")
    office.copy([mail("his")], "bob")
    for stored in (2, 0):
        code, report = restored(office, capsys, *target(dovecot, "Old/Mail"), "--by", "account")
        assert (code, report["restored"]) == (0, stored)
        assert report["renamed"] == [{"name": "alice@example.org", "folder": "alice@example_org"}]
    assert dovecot.mailbox("ann", "Old.Mail.alice@example_org").count() == 1
    assert dovecot.mailbox("ann", "Old.Mail.bob").count() == 1
    assert restored(office, capsys, *target(dovecot, "Labels"), "--by", "label")[0] == 0
    assert dovecot.mailbox("ann", "Labels.v1_2_beta").count() == 1
    assert dovecot.mailbox("ann", "Labels").count() == 1
    capsys.readouterr()
    assert office.call("restore", *target(dovecot, "Old/Mail"), "--by", "account") == 0
    assert "alice@example.org: its folder is called alice@example_org" in capsys.readouterr().err


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
    office.copy(CONTENTS, is_seen=False)
    [volume] = (office.root / "archive/alice").glob("*.mbox")
    volume.unlink()
    capsys.readouterr()
    assert office.call("verify", "--json") == 1
    report = document(capsys.readouterr().out)
    assert (report["checked"], report["ok"], report["damaged"]) == (4, 4, [])
    assert office.call("search", "subject:january", "--json") == 0
    assert '"total": 1' in capsys.readouterr().out
    assert office.call("repair") == 0
    assert office.call("verify") == 0
    assert sorted(dovecot.mailbox("ann").messages()) == sorted(CONTENTS)


def expunge(dovecot: Dovecot, messages: str, folder: str = "INBOX") -> None:
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port, timeout=60) as session:
        session.login("ann", dovecot.password)
        session.select(folder)
        session.store(messages, "+FLAGS", r"(\Deleted)")
        session.expunge()


def test_a_message_that_somebody_deleted_on_the_server_waits_for_a_decision(
    office: Office, dovecot: Dovecot, capsys: pytest.CaptureFixture[str]
) -> None:
    with_imap(office, dovecot)
    office.copy(CONTENTS, is_seen=False)
    expunge(dovecot, "1")
    capsys.readouterr()
    for _ in range(2):
        assert office.call("verify", "--json") == 1
        report = document(capsys.readouterr().out)
        assert (report["checked"], report["ok"]) == (8, 7)
        assert office.call("repair") == 0
        capsys.readouterr()
        assert dovecot.mailbox("ann").count() == 3
    assert office.call("verify") == 1
    text = capsys.readouterr().out
    assert "mailferry repair" not in text
    assert (
        'when_copy_is_gone = "restore"; "accept" says that this is as it should be: write either under [[accounts.dest'
        in text
    )
    written = office.config_path.read_text()
    office.config_path.write_text(written + 'when_copy_is_gone = "accept"\n')
    assert office.call("verify") == 0
    office.config_path.write_text(written + 'when_copy_is_gone = "restore"\n')
    for _ in range(2):
        assert office.call("repair") == 0
        assert office.call("verify") == 0
        assert sorted(dovecot.mailbox("ann").messages()) == sorted(CONTENTS)


def renewed(dovecot: Dovecot, folder: str) -> None:
    """Give a folder another UIDVALIDITY, with all its mail."""
    mailbox = dovecot.mailbox("ann", folder)
    messages = mailbox.messages()
    deleted(dovecot, folder)
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port, timeout=60) as session:
        session.login("ann", dovecot.password)
        session.create(folder)
    mailbox.append(messages)


def deleted(dovecot: Dovecot, folder: str) -> None:
    with imaplib.IMAP4(dovecot.host, dovecot.imap_port, timeout=60) as session:
        session.login("ann", dovecot.password)
        assert session.delete(folder)[0] == "OK"


@pytest.mark.parametrize(
    ("harm", "again"),
    [
        (lambda dovecot: expunge(dovecot, "1:*", "Restored"), 4),
        (lambda dovecot: expunge(dovecot, "2", "Restored"), 1),
        (lambda dovecot: deleted(dovecot, "Restored"), 4),
        (lambda dovecot: renewed(dovecot, "Restored"), 0),
    ],
    ids=["emptied", "one taken out", "deleted", "renewed"],
)
def test_a_restore_asked_for_again_stores_exactly_what_is_not_there(
    office: Office,
    dovecot: Dovecot,
    capsys: pytest.CaptureFixture[str],
    harm: Callable[[Dovecot], None],
    again: int,
) -> None:
    assert restored(office, capsys, *target(dovecot))[0] == 0
    harm(dovecot)
    for stored in (again, 0):
        code, report = restored(office, capsys, *target(dovecot))
        assert (code, report["restored"], report["present"]) == (0, stored, 4 - stored)
        assert sorted(dovecot.mailbox("ann", "Restored").messages()) == sorted(CONTENTS)


def test_a_restore_after_the_ledger_was_lost_recognises_what_is_there(
    office: Office, dovecot: Dovecot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restored(office, capsys, *target(dovecot))[0] == 0
    for file in office.state_dir.glob("ledger*"):
        file.unlink()
    assert office.call("rebuild-ledger") == 0
    code, report = restored(office, capsys, *target(dovecot))
    assert (code, report["restored"], report["present"]) == (0, 0, 4)
    assert sorted(dovecot.mailbox("ann", "Restored").messages()) == sorted(CONTENTS)


def test_two_spellings_of_one_target_are_one(
    office: Office, dovecot: Dovecot, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, host in (("INBOX", dovecot.host), ("inbox", dovecot.host), ("Inbox/", "localhost")):
        url = f"imap://ann@{host}:{dovecot.imap_port}/{folder}?tls=none"
        assert restored(office, capsys, "--to", url, "--to-password-env", "IMAP_PASSWORD")[0] == 0
    assert sorted(dovecot.mailbox("ann").messages()) == sorted(CONTENTS)


@pytest.fixture
def served(tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """An office whose account has a server, an archive and a mailbox; three messages, of which Dovecot alters one."""
    monkeypatch.setenv("IMAP_PASSWORD", dovecot.password)
    with Pop3Server(Maildrop([ODD, *CONTENTS[:2]])) as server:
        office = Office(tmp_path)
        text = office.config_path.read_text().replace('host = "localhost"', f'host = "localhost"\nport = {server.port}')
        office.config_path.write_text(text.replace('password = "secret"', f'password = "{server.password}"'))
        with_imap(office, dovecot)
        yield office


def test_what_the_server_alters_is_never_stored_a_second_time(
    served: Office, dovecot: Dovecot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert served.call("migrate") == 1
    for _ in range(3):
        capsys.readouterr()
        assert served.call("verify") == 0
        told = capsys.readouterr()
        assert "5 equal, 1 altered by the server (carriage returns), 0 damaged or gone" in told.out
        assert 'write proof = "canonical" under [[accounts.destinations]] of alice (' in told.err
        assert "mailferry repair" not in told.out + told.err
        assert served.call("repair") == 0
        assert served.call("migrate") == 1
        assert dovecot.mailbox("ann").count() == 3
    served.config_path.write_text(served.config_path.read_text() + 'proof = "canonical"\n')
    assert served.call("verify") == 0
    assert served.call("migrate") == 0
    assert dovecot.mailbox("ann").count() == 3


def test_after_a_lost_ledger_no_cure_doubles_the_mailbox(
    served: Office, dovecot: Dovecot, capsys: pytest.CaptureFixture[str]
) -> None:
    served.config_path.write_text(served.config_path.read_text() + 'proof = "canonical"\n')
    assert served.call("migrate") == 0
    for file in served.state_dir.glob("ledger*"):
        file.unlink()
    for command in ("rebuild-ledger", "repair", "migrate", "repair", "verify", "rebuild-ledger", "migrate"):
        assert served.call(command) == 0, (command, capsys.readouterr())
        assert dovecot.mailbox("ann").count() == 3, command


@pytest.mark.parametrize("is_told_by_verify", [False, True])
def test_after_a_new_uidvalidity_no_cure_doubles_the_mailbox(
    served: Office, dovecot: Dovecot, capsys: pytest.CaptureFixture[str], is_told_by_verify: bool
) -> None:
    folder = 'folder = "Old"\nproof = "canonical"\n'
    served.config_path.write_text(served.config_path.read_text() + folder)
    assert served.call("migrate") == 0
    renewed(dovecot, "Old")
    capsys.readouterr()
    if is_told_by_verify:
        assert served.call("verify") == 0, capsys.readouterr()
    for command in ("repair", "migrate", "repair", "verify"):
        assert served.call(command) == 0, (command, capsys.readouterr())
        assert dovecot.mailbox("ann", "Old").count() == 3


def test_an_older_state_put_back_stores_nothing_twice(
    served: Office, dovecot: Dovecot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = served.config_path.read_text() + 'proof = "canonical"\n'
    served.config_path.write_text(written)
    assert served.call("migrate", "--limit", "1") == 0
    assert served.call("backup-state", str(tmp_path / "backup.tar.gz")) == 0
    assert served.call("migrate") == 0
    for file in served.state_dir.glob("ledger*"):
        file.unlink()
    with tarfile.open(tmp_path / "backup.tar.gz") as backup:
        [name] = [name for name in backup.getnames() if name.endswith("ledger.sqlite3")]
        member = backup.extractfile(name)
        assert member is not None
        (served.state_dir / "ledger.sqlite3").write_bytes(member.read())
    for command in ("migrate", "repair", "verify", "migrate"):
        assert served.call(command) == 0, (command, capsys.readouterr())
    assert dovecot.mailbox("ann").count() == 3
    [volume] = (served.root / "archive/alice").glob("*.mbox")
    assert volume.read_bytes().count(b"\nSubject: ") + volume.read_bytes().startswith(b"Subject") == 3


def test_what_was_exported_and_the_archive_itself_are_duplicates(
    served: Office, dovecot: Dovecot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.config_path.write_text(served.config_path.read_text() + 'proof = "canonical"\n')
    assert served.call("migrate") == 0
    assert served.call("export", "--to", str(tmp_path / "out"), "--format", "mbox") == 0
    assert served.call("export", "--to", str(tmp_path / "out.zip"), "--format", "eml") == 0
    for path in (tmp_path / "out", tmp_path / "out.zip", tmp_path / "archive/alice", tmp_path / "out"):
        capsys.readouterr()
        assert served.call("import", "--json", "alice", str(path)) == 0
        report = document(capsys.readouterr().out)
        assert (report["found"], report["copied"], report["duplicates"]) == (3, 0, 3), path
    assert dovecot.mailbox("ann").count() == 3


def set_aside(office: Office, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert office.call("quarantine", "--json") == 0
    messages = document(capsys.readouterr().out)["messages"]
    assert isinstance(messages, list)
    return messages


def test_a_person_who_accepts_what_the_server_altered_hears_no_more_of_it(
    served: Office, dovecot: Dovecot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert served.call("migrate") == 1
    [message] = set_aside(served, capsys)
    assert message["kind"] == "unproven"
    assert served.call("quarantine", "--accept", str(message["number"])) == 0
    for _ in range(2):
        assert served.call("migrate") == 0, capsys.readouterr()
    assert dovecot.mailbox("ann").count() == 3
    capsys.readouterr()
    assert served.call("verify", "--json") == 0
    verified = document(capsys.readouterr().out)
    assert (verified["unproven"], verified["accepted"], verified["damaged"]) == (0, 1, [])

    served.config_path.write_text(served.config_path.read_text() + 'proof = "canonical"\n')
    assert served.call("migrate") == 0, capsys.readouterr()
    assert set_aside(served, capsys) == []
    assert served.call("status", "--json") == 0
    accounts = document(capsys.readouterr().out)["accounts"]
    assert isinstance(accounts, list)
    assert [(one["safe"], one["accepted"]) for one in accounts] == [(3, 0)]


def test_a_person_who_accepts_what_was_taken_out_hears_no_more_of_it(
    served: Office, dovecot: Dovecot, capsys: pytest.CaptureFixture[str]
) -> None:
    served.config_path.write_text(served.config_path.read_text() + 'proof = "canonical"\n')
    assert served.call("migrate") == 0
    expunge(dovecot, "2")
    assert served.call("verify") == 1
    [message] = set_aside(served, capsys)
    assert (message["kind"], message["accepted"]) == ("mismatch", False)
    assert "no longer in the folder INBOX; the source keeps it" in str(message["message"])
    assert served.call("quarantine", "--accept", str(message["number"])) == 0
    assert [one["accepted"] for one in set_aside(served, capsys)] == [True]
    for command in ("migrate", "verify", "repair", "migrate", "verify"):
        assert served.call(command) == 0, (command, capsys.readouterr())
    assert dovecot.mailbox("ann").count() == 2


def test_a_copy_that_falls_short_names_the_line_and_the_option(
    tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with Pop3Server(Maildrop([ODD])) as server:
        monkeypatch.setenv("PASSWORD", server.password)
        monkeypatch.setenv("IMAP_PASSWORD", dovecot.password)
        source = f"pop3://alice@127.0.0.1:{server.port}?tls=none"
        mailbox = f"imap://ann@{dovecot.host}:{dovecot.imap_port}/Here?tls=none"
        passwords = ["--from-password-env", "PASSWORD", "--to-password-env", "IMAP_PASSWORD"]
        assert main(["migrate", "--from", source, "--to", mailbox, *passwords, "--state-dir", "st"]) == 1
        config = tmp_path / "st" / "config.toml"
        line = 1 + config.read_text().splitlines().index("[[accounts.destinations]]")
        place = f"under [[accounts.destinations]] of alice@127.0.0.1 ({config}, line {line})"
        assert f'write proof = "canonical" {place}, or ?proof=canonical in --to' in capsys.readouterr().out
        assert main(["verify", "--state-dir", "st"]) == 0
        assert f'write proof = "canonical" {place.replace(f"{tmp_path}/", "")}' in capsys.readouterr().err
        assert (
            main(["migrate", "--from", source, "--to", f"{mailbox}&proof=canonical", *passwords, "--state-dir", "st"])
            == 0
        )
        assert 'proof = "canonical"' in config.read_text()
        assert main(["verify", "--state-dir", "st"]) == 0


def commands(office: Office, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """The commands that the findings of ``status`` offer, by their ids."""
    capsys.readouterr()
    assert office.call("status", "--json") == 0
    found = document(capsys.readouterr().out)["findings"]
    assert isinstance(found, list)
    return {finding["id"]: finding["cure"]["command"] for finding in found}


def test_what_a_finding_says_of_altered_copies_ends_it_though_no_run_has_met_them(
    served: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = served.config_path.read_text()
    served.config_path.write_text(written + 'proof = "canonical"\n')
    assert served.call("migrate") == 0
    served.config_path.write_text(written)
    assert served.call("verify") == 0
    program, *command = commands(served, capsys)["unproven-copies"]
    assert program == "mailferry"
    monkeypatch.chdir(served.root)
    assert main(command) == 0
    assert "unproven-copies" not in commands(served, capsys)
    assert served.call("migrate") == 0, capsys.readouterr()


def test_what_was_accepted_is_accepted_under_any_unique_id(
    tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAP_PASSWORD", dovecot.password)
    maildrop = Maildrop([ODD])
    with Pop3Server(maildrop) as server:
        monkeypatch.setenv("PASSWORD", server.password)
        url = f"pop3://alice@127.0.0.1:{server.port}?tls=none"
        mailbox = f"imap://ann@{dovecot.host}:{dovecot.imap_port}/Here?tls=none"
        passwords = ["--from-password-env", "PASSWORD", "--to-password-env", "IMAP_PASSWORD"]
        run = ["migrate", "--from", url, "--to", mailbox, *passwords, "--state-dir", "st", "--json"]
        assert main(run) == 1
        assert main(["quarantine", "--state-dir", "st", "--accept", "--all"]) == 0
        for message in maildrop.stored():
            maildrop.remove(message)
        maildrop.add(ODD, b"another")
        for _ in range(2):
            capsys.readouterr()
            assert main(run) == 0, capsys.readouterr()
        reports = document(capsys.readouterr().out)["accounts"]
        assert isinstance(reports, list)
        assert [(report["skipped"], report["failed"]) for report in reports] == [(1, 0)]
        assert maildrop.left() == [ODD]
