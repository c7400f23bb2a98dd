from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from migrator.config import Account
from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.operations.check_account import CheckedAccount, CheckedEnd
from migrator.operations.doctor import LedgerFacts, file_system_of, ledger_facts, machine_facts
from migrator.report import AccountReport
from tests.unit.archive.office import Office


def down(accounts: Sequence[Account], _state_dir: Path) -> list[CheckedAccount]:
    error = FerryError(Kind.CONNECT, "nobody answers", cure="plug it in")
    return [CheckedAccount(one.name, CheckedEnd("pop", {}, error), (CheckedEnd("mbox", {}),)) for one in accounts]


def test_every_end_is_told_apart_with_its_problem_and_cure(office: Office) -> None:
    facts = machine_facts(office.config, check=down)
    assert [(end.account, end.is_source, end.cure) for end in facts.ends] == [
        ("alice", True, "plug it in"),
        ("alice", False, ""),
        ("bob", True, "plug it in"),
        ("bob", False, ""),
    ]
    assert facts.ends[0].problem.startswith("[connect] nobody answers")


def test_an_account_without_its_password_is_not_asked(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    text = office.config_path.read_text().replace('password = "secret"', 'password = { env = "NOT_THERE" }', 1)
    office.config_path.write_text(text)
    assert {end.account for end in machine_facts(office.config, check=down).ends} == {"bob"}


def test_a_sound_ledger_has_no_problems_and_knows_its_newest_run(office: Office, ledger: Ledger) -> None:
    assert ledger_facts(office.config, ledger) == LedgerFacts((), 0.0)
    ledger.history.run_ended(ledger.history.run_started("bob", 100.0), AccountReport("bob"), 160.0)
    assert ledger_facts(office.config, ledger).newest_run == 100.0


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/", "ext4"), ("/home", "ext4"), ("/mnt/my disk/a", "nfs4"), ("/mnt/my", "ext4"), ("/run/x", "tmpfs")],
)
def test_a_file_system_is_that_of_the_nearest_mount(folder: str, kind: str) -> None:
    mounts = "/dev/sda / ext4 rw 0 0\nsrv:/x /mnt/my\\040disk nfs4 rw 0 0\ntmpfs /run tmpfs rw 0 0\nodd\n"
    assert file_system_of(Path(folder), mounts) == kind
