from __future__ import annotations

import csv
from pathlib import Path

import pytest

from migrator.config import load
from migrator.config.model import BadRow
from migrator.errors import ConfigError, FerryError, Kind
from migrator.operations.check_account import CheckedAccount, CheckedEnd
from migrator.operations.check_report import COLUMNS, report_rows, write_report
from tests.command_line import account, mbox, source


def test_every_account_and_every_bad_row_has_a_row_without_a_formula(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(account("alice", source(1110, user="=alice"), mbox()))
    accounts = load(tmp_path / "config.toml").accounts
    full = FerryError(Kind.QUOTA, "the mailbox is full and more")
    ends = CheckedEnd("source", {"messages": 3, "bytes": 40}), (CheckedEnd("mbox a", {}), CheckedEnd("imap", {}, full))
    bad = BadRow("bob", "@cmd", "accounts.csv, line 3: no")
    write_report(tmp_path / "r.csv", report_rows(accounts, [CheckedAccount("alice", *ends)], [bad]))
    alice, bob = csv.DictReader((tmp_path / "r.csv").read_text().splitlines())
    assert tuple(alice) == COLUMNS
    assert (alice["address"], alice["status"], alice["messages"], alice["octets"]) == ("'=alice", "failed", "3", "40")
    assert alice["destination_status"] == "imap: [quota] the mailbox is full and more"
    assert alice["kind"] == "quota"
    assert (bob["address"], bob["kind"], bob["message"]) == ("'@cmd", "account-row", "accounts.csv, line 3: no")


def test_a_report_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--report: .*cannot be written"):
        write_report(tmp_path / "no" / "r.csv", [])
