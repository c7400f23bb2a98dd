from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from tests.command_line import Ferry, account, maildir, mbox, source
from tests.mail import mail
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

EVIL = mail("=HYPERLINK(1)", "body", Date="Mon, 15 Jan 2024 12:00:00 +0000")
PLAIN = mail("lunch", "bread", Date="Tue, 16 Jan 2024 12:00:00 +0000")


@pytest.fixture
def moved_home(ferry: Ferry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Alice, whose two messages were copied to an mbox folder and a Maildir, and deleted; returns the configuration."""
    with Pop3Server(Maildrop([EVIL, PLAIN])) as server:
        monkeypatch.setenv("PASSWORD", server.password)
        written = account("alice", source(server.port, leave_on_server=False), mbox(), maildir("archive/Maildir"))
        (tmp_path / "config.toml").write_text(written)
        assert ferry("migrate").code == 0
        assert server.maildrop.left() == []
    return written


def test_without_a_ledger_nothing_was_deleted(ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(account("alice", source(1110), mbox()))
    assert ferry("receipts", "--json").document == {"receipts": []}
    assert (ferry("receipts").out, ferry("receipts").err) == ("", "Nothing was deleted.\n")
    assert ferry("receipts", "bob").code == 2
    assert not (tmp_path / "state").exists()


@pytest.mark.usefixtures("moved_home")
def test_a_receipt_says_what_went_what_confirmed_it_and_where_its_copies_are(ferry: Ferry, tmp_path: Path) -> None:
    first, second = ferry("receipts", "--json").document["receipts"]
    assert (first["account"], first["unique_id"], first["octets"]) == ("alice", "uid-00000001", len(EVIL))
    assert (first["confirmed_by"], second["unique_id"]) == ("quit", "uid-00000002")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", first["deleted_at"])
    folder, files = first["copies"]
    assert folder["destination"] == f"mbox {tmp_path}/archive/alice"
    assert re.fullmatch(r"\S+\.mbox, offset 0, \d+ octets", folder["where"])
    assert files["where"].startswith("file ")
    assert folder["state"] == files["state"] == "verified"
    assert folder["verified_at"] <= first["deleted_at"]
    assert (first["date"], first["from"], first["subject"]) == (None, None, None)

    assert ferry("search", "lunch").code == 0
    assert ferry("receipts", "--json").document["receipts"][1]["subject"] == "lunch"
    text = ferry("receipts")
    assert text.err == "2 deletions.\n"
    assert "  alice: message uid-00000001 (" in text.out
    assert "    confirmed by the reply to QUIT" in text.out
    assert ": lunch\n" in text.out


@pytest.mark.usefixtures("moved_home")
def test_receipts_are_chosen_by_account_time_and_digest(ferry: Ferry) -> None:
    def count(*arguments: str) -> int:
        return len(ferry("receipts", "--json", *arguments).document["receipts"])

    digest = ferry("receipts", "--json").document["receipts"][1]["digest"]
    assert (count("alice"), count("--since", "1 hour"), count("--since", "7 days")) == (2, 2, 2)
    assert (count("--since", "2020-01-01"), count("--since", "2100-01-01")) == (2, 0)
    assert (count("--digest", digest), count("--digest", digest[:9].upper()), count("--digest", "0" * 64)) == (1, 1, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "lately"], '--since: "lately" must be a day such as 2026-05-31, or an age such as "7 days"'),
        (["--digest", "abc"], '--digest: "abc" must be 8 to 64 hexadecimal digits'),
        (["--digest", "g" * 8], "must be 8 to 64 hexadecimal digits"),
        (["alyce"], 'there is no account "alyce"; did you mean "alice"?'),
        (["--csv", "--json"], "not allowed with argument"),
    ],
)
@pytest.mark.usefixtures("moved_home")
def test_what_cannot_be_meant_is_wrong_usage(ferry: Ferry, arguments: list[str], said: str) -> None:
    done = ferry("receipts", *arguments)
    assert done.code == 2
    assert said in done.err
    assert "receipts" not in done.out


@pytest.mark.usefixtures("moved_home")
def test_a_spreadsheet_takes_no_subject_for_a_formula(ferry: Ferry) -> None:
    assert ferry("search", "body").code == 0
    written = ferry("receipts", "--csv").out
    assert written.count("\r\n") == 3
    first, second = csv.DictReader(io.StringIO(written, newline=""))
    assert first["subject"] == "'=HYPERLINK(1)"
    assert (second["subject"], second["unique_id"], second["confirmed_by"]) == ("lunch", "uid-00000002", "quit")
    assert second["copies"].count("; ") == 1


def test_the_log_outlives_its_account(ferry: Ferry, moved_home: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(moved_home.replace('name = "alice"', 'name = "bob"'))
    assert [one["account"] for one in ferry("receipts", "alice", "--json").document["receipts"]] == ["alice"] * 2
    assert len(ferry("receipts", "--json").document["receipts"]) == 2
    assert ferry("receipts", "bob", "--json").document == {"receipts": []}


@pytest.mark.usefixtures("moved_home")
def test_a_copy_that_is_damaged_now_is_not_said_to_be_well(ferry: Ferry, tmp_path: Path) -> None:
    [volume] = (tmp_path / "archive/alice").glob("*.mbox")
    volume.write_bytes(volume.read_bytes().replace(b"bread", b"broad"))
    assert ferry("verify").code == 1
    second = ferry("receipts", "--json").document["receipts"][1]
    assert [copy["state"] for copy in second["copies"]] == ["damaged", "verified"]
    assert ", damaged; last equal " in ferry("receipts").out
