from __future__ import annotations

import shutil
import socket
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest

from migrator.interchange.mail_files import message_in
from tests.mail import mail
from tests.unit.archive.office import Office, document

CONTENTS = [
    mail("january", "From here", Date="Mon, 15 Jan 2024 12:00:00 +0000"),
    mail("february", Date="Thu, 15 Feb 2024 12:00:00 +0000"),
    mail("undated", "From x\n" * 200_000),
]


@pytest.fixture
def full(office: Office) -> Office:
    office.copy(CONTENTS)
    return office


def restored(office: Office, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    code = office.call("restore", *arguments, "--json")
    return code, document(capsys.readouterr().out)


def digests(maildir: Path) -> list[bytes]:
    files = [file for name in ("cur", "new") for file in (maildir / name).iterdir()]
    return sorted(message.digest for file in files for message in message_in(file, has_lf=True))


def expected(*contents: bytes) -> list[bytes]:
    return sorted(sha256(content).digest() for content in contents)


def test_each_message_is_restored_once_however_often_it_is_asked(
    full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = f"maildir:{tmp_path}/target"
    for stored, present in ((3, 0), (0, 3)):
        code, report = restored(full, capsys, "--to", target)
        assert (code, report["restored"], report["present"], report["failed"]) == (0, stored, present, 0)
    assert digests(tmp_path / "target") == expected(*CONTENTS)


@pytest.mark.parametrize("harm", ["emptied", "one taken out", "deleted"])
def test_a_maildir_that_lost_mail_gets_exactly_what_is_not_there(
    full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    target = tmp_path / "target"
    assert restored(full, capsys, "--to", f"maildir:{target}")[0] == 0
    files = list((target / "new").iterdir())
    if harm == "deleted":
        shutil.rmtree(target)
    for file in files[: {"one taken out": 1, "emptied": 3}.get(harm, 0)]:
        file.unlink()
    again = 1 if harm == "one taken out" else 3
    for stored in (again, 0):
        code, report = restored(full, capsys, "--to", f"maildir:{target}")
        assert (code, report["restored"], report["present"]) == (0, stored, 3 - stored)
    assert digests(target) == expected(*CONTENTS)


def test_two_spellings_of_a_maildir_are_one_and_a_lost_ledger_is_no_matter(
    full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for target in (f"{tmp_path}/target", f"{tmp_path}/./target/", f"{tmp_path}/link/target"):
        assert restored(full, capsys, "--to", f"maildir:{target}")[0] == 0
    for file in full.state_dir.glob("ledger*"):
        file.unlink()
    assert full.call("rebuild-ledger") == 0
    assert restored(full, capsys, "--to", f"maildir:{tmp_path}/target")[0] == 0
    assert digests(tmp_path / "target") == expected(*CONTENTS)


def test_what_came_later_is_added(full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = f"maildir:{tmp_path}/target"
    restored(full, capsys, "--to", target)
    full.copy([mail("late")], is_seen=False)
    assert restored(full, capsys, "--to", target)[1]["restored"] == 1


def test_by_month_each_goes_to_the_folder_of_its_date(
    full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restored(full, capsys, "--to", f"maildir:{tmp_path}/target", "--by", "month")[0] == 0
    target = tmp_path / "target"
    assert digests(target / "2024-01") == expected(CONTENTS[0])
    assert digests(target / "2024-02") == expected(CONTENTS[1])
    assert digests(target / "undated") == expected(CONTENTS[2])


def test_by_account_each_goes_to_the_folder_of_its_owner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    office = Office(tmp_path, {"alice": ["mbox:shared"], "bob": ["mbox:shared"]})
    office.copy([mail("both"), mail("hers")], "alice")
    office.copy([mail("both"), mail("his")], "bob")
    assert restored(office, capsys, "--to", f"maildir:{tmp_path}/target", "--by", "account")[0] == 0
    assert digests(tmp_path / "target/alice") == expected(mail("both"), mail("hers"))
    assert digests(tmp_path / "target/bob") == expected(mail("both"), mail("his"))


def test_by_label_each_goes_to_one_folder_of_its_label_and_a_slash_nests_nothing(
    office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = {"Inbox": "", "Opened,Work": "Work", "Bills/2024": "Bills_2024", "../x": "_x", "nul": "_nul"}
    contents = {folder: mail(label, X_Gmail_Labels=label) for label, folder in labels.items()}
    office.copy(contents.values())
    for stored in (5, 0):
        code, report = restored(office, capsys, "--to", f"maildir:{tmp_path}/target", "--by", "label")
        assert (code, report["restored"]) == (0, stored)
        assert report["renamed"] == [
            {"name": "Bills/2024", "folder": "Bills_2024"},
            {"name": "../x", "folder": "_x"},
            {"name": "nul", "folder": "_nul"},
        ]
    for folder, content in contents.items():
        assert digests(tmp_path / "target" / folder) == expected(content)
    assert not (tmp_path / "x").exists()


def test_a_query_and_an_account_choose(full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = f"maildir:{tmp_path}/target"
    assert restored(full, capsys, "alice", "--to", target, "--query", "date:2024-02")[1]["restored"] == 1
    assert digests(tmp_path / "target") == expected(CONTENTS[1])


def test_many_folders_are_not_all_open_at_once(
    office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    office.copy(mail(f"m{month}", Date=f"15 {name} 2023 12:00:00 +0000") for month, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    ))  # fmt: skip
    code, report = restored(office, capsys, "--to", f"maildir:{tmp_path}/target", "--by", "month")
    assert (code, report["restored"]) == (0, 12)
    assert len(list((tmp_path / "target").iterdir())) == 12


def test_a_damaged_copy_is_never_restored(full: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [volume] = (full.root / "archive/alice").glob("*.mbox")
    volume.write_bytes(volume.read_bytes().replace(b"Subject: january", b"Subject: jAnuary"))
    code, report = restored(full, capsys, "--to", f"maildir:{tmp_path}/target")
    assert (code, report["restored"], report["failed"]) == (1, 2, 1)
    assert digests(tmp_path / "target") == expected(*CONTENTS[1:])


def test_an_mbox_is_no_target(full: Office, tmp_path: Path) -> None:
    assert full.call("restore", "--to", f"mbox:{tmp_path}/x") == 2
    assert full.call("restore", "--to", "nonsense") == 2


def knocks(office: Office, grouping: str) -> int:
    """Return how often a restore knocks at a server that lets nobody in."""
    knocked = 0
    with socket.create_server(("127.0.0.1", 0)) as server:

        def turn_away() -> None:
            nonlocal knocked
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return
                knocked += 1

        thread = Thread(target=turn_away)
        thread.start()
        url = f"imap://u@127.0.0.1:{server.getsockname()[1]}/A?tls=none"
        assert office.call("restore", "--to", url, "--to-password-env", "PW", "--by", grouping) == 1
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    return knocked


@pytest.mark.slow  # both runs wait between their tries
def test_a_server_that_cannot_be_reached_is_asked_for_one_folder_only(
    full: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PW", "secret")
    assert knocks(full, "month") == knocks(full, "none") > 0


def test_a_password_that_is_not_there_is_wrong_usage(full: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert full.call("restore", "--to", "imaps://u@h/A", "--to-password-env", "NO_SUCH_VARIABLE") == 2
    assert "--to: the environment variable NO_SUCH_VARIABLE is not set" in capsys.readouterr().err
