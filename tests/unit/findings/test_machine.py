from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.findings.facts import (
    DiskFacts,
    ExposedFacts,
    LedgerFacts,
    LedgerState,
    RunFacts,
    StateFacts,
    TellingFacts,
    VolumeFacts,
    VolumeLook,
    WorkerFacts,
)
from migrator.findings.model import Severity
from tests.unit.findings.samples import ANN, FACTS, MBOX, NOW, found_with

DISK = DiskFacts("/archive", 500_000_000, 10**12, 10**9)
OPEN = ExposedFacts("secret", 0o644, is_foreign=False, is_folder=False, holds="it holds a password")


@pytest.mark.parametrize(
    ("changes", "finding", "severity", "words"),
    [
        ({"ledger": LedgerFacts(LedgerState.DAMAGED, ("row 7",))}, "ledger-damaged", Severity.BROKEN, "row 7"),
        ({"ledger": LedgerFacts(LedgerState.NEWER, ("by 9",))}, "ledger-newer", Severity.BROKEN, "by 9"),
        ({"ledger": LedgerFacts(LedgerState.AWAY, ("no answer",))}, "ledger-away", Severity.BROKEN, "no answer"),
        ({"ledger": LedgerFacts(LedgerState.WELL, (), ("fsync",))}, "ledger-settings", Severity.SOON, "fsync"),
        ({"state": StateFacts("s", can_be_written=False)}, "state-read-only", Severity.BROKEN, "s cannot be written"),
        ({"state": StateFacts("s", network_file_system="nfs4")}, "state-on-network", Severity.BROKEN, "(nfs4)"),
        ({"disks": (replace(DISK, free=5),)}, "disk-full", Severity.BROKEN, "only 5 bytes of 1.0 TB"),
        ({"disks": (DISK,)}, "disk-low", Severity.SOON, "at least 1.0 GB are wanted"),
        ({"disks": (replace(DISK, free=10**10, full_in=86_400.0),)}, "disk-low", Severity.SOON, "for about 24 h"),
        ({"now": 1e9}, "clock-jump", Severity.BROKEN, "it was never set"),
        ({"exposed": (OPEN,)}, "secret-exposed", Severity.SOON, "its mode is 0644"),
        ({"exposed": (replace(OPEN, holds="configuration"),)}, "config-exposed", Severity.SOON, "a password stands in"),
        ({"exposed": (replace(OPEN, is_foreign=True),)}, "secret-exposed", Severity.SOON, "belongs to a user other"),
        ({"worker": WorkerFacts(is_expected=True)}, "worker-dead", Severity.BROKEN, "run ended without being stopped"),
        ({"worker": WorkerFacts(True, True, 90.0)}, "worker-dead", Severity.BROKEN, "not been heard of for 2 min"),
        ({"worker": WorkerFacts(True, True, 0.0, ("a thread ended",))}, "worker-dead", Severity.BROKEN, "a thread"),
        ({"telling": TellingFacts()}, "nobody-told", Severity.HINT, "nobody hears of it"),
        ({"telling": TellingFacts(True, dead="no answer")}, "notify-dead", Severity.SOON, "no answer"),
        ({"telling": TellingFacts(True, ("X is not set",))}, "notify-dead", Severity.SOON, "X is not set"),
        ({"index_problem": "malformed"}, "index-damaged", Severity.SOON, "malformed"),
        ({"listen_problem": "in use"}, "listen-taken", Severity.SOON, "in use"),
        ({"package_problem": "pip install"}, "package-missing", Severity.SOON, "pip install"),
        ({"vault_key_at": "/etc/v.key"}, "vault-key-nearby", Severity.HINT, "stands in /etc/v.key"),
        ({"bad_rows": ("line 3: no host",)}, "account-row", Severity.BROKEN, "line 3"),
    ],
)
def test_each_trouble_of_the_machine_is_found(
    changes: dict[str, object], finding: str, severity: Severity, words: str
) -> None:
    if "now" in changes:
        changes = {**changes, "accounts": ()}
    [found] = found_with(**changes)
    assert (found.id, found.severity) == (finding, severity)
    assert words in found.text


def test_a_disk_with_room_is_no_finding_whatever_it_is_filled_by() -> None:
    assert found_with(disks=(replace(DISK, free=2 * 10**9),)) == []


def test_an_archive_without_a_ledger_is_unknown() -> None:
    place = replace(MBOX, known=0, volumes=(VolumeFacts("2026-11.mbox", VolumeLook.UNKNOWN),))
    unknown = found_with(ledger=LedgerFacts(LedgerState.NONE), accounts=(ANN,), places=(place,))
    assert [(found.id, found.cure.command) for found in unknown] == [
        ("archive-unknown", ("mailferry", "-c", "config.toml", "rebuild-ledger"))
    ]


def test_a_last_run_that_is_yet_to_come_is_a_clock_that_jumped() -> None:
    bob = replace(ANN, name="bob", maildrop="bob", last_run=RunFacts(NOW + 7200, is_ok=True))
    [found] = found_with(accounts=(ANN, bob))
    assert (found.id, found.accounts) == ("clock-jump", ("bob",))
    assert "in the future" in found.text
    assert found.cure.command == ("mailferry", "-c", "config.toml", "migrate", "bob")


def test_a_ledger_that_cannot_be_read_for_want_of_room_is_one_finding() -> None:
    ledger = LedgerFacts(LedgerState.UNREADABLE, ("disk I/O error",))
    full = replace(DISK, path=FACTS.state.path, free=0)
    assert [one.id for one in found_with(ledger=ledger)] == ["state-read-only"]
    assert [one.id for one in found_with(ledger=ledger, disks=(full,))] == ["disk-full"]


def test_what_others_can_read_is_cured_by_a_command_of_the_system() -> None:
    [found] = found_with(exposed=(OPEN,))
    assert found.cure.command == ("chmod", "600", "secret")
    [found] = found_with(exposed=(replace(OPEN, is_folder=True),))
    assert found.cure.command == ("chmod", "700", "secret")
