from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.disk_usage import Disk
from jobs.doctor import DoctorInputs, Severity, findings, is_person_needed
from jobs.monitoring.health import Health, HealthVerdict
from jobs.monitoring.snapshot import AccountView
from jobs.schedule.account_state import AccountState
from migrator.config import load
from migrator.ledger.history import AccountNumbers
from migrator.operations.doctor import EndpointCheck, file_system_of

NOW = 2_000_000_000.0
ANN = AccountView("ann", AccountState(last_worked=NOW - 60, first_seen=NOW - 1e6))
TEXT = """\
state_dir = "state"
[notify]
apprise = ["json://localhost/"]
[[accounts]]
name = "ann"
[accounts.source]
host = "pop.example.org"
username = "ann"
password = { env = "MAILFERRY_TEST_PASSWORD" }
[[accounts.destinations]]
type = "mbox"
path = "archive"
"""


@pytest.fixture
def well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DoctorInputs:
    monkeypatch.setenv("MAILFERRY_TEST_PASSWORD", "x")
    path = tmp_path / "config.toml"
    path.write_text(TEXT)
    path.chmod(0o600)
    (tmp_path / "state").mkdir(mode=0o700)
    return DoctorInputs(load(path), NOW, [ANN], newest_run=NOW - 60)


def test_who_is_well_needs_nobody(well: DoctorInputs) -> None:
    assert findings(well) == []


FULL = Disk("/archive", 5, 100, 20)


@pytest.mark.parametrize(
    ("changes", "rank", "words"),
    [
        ({"ledger_problems": ["row 7 is missing"]}, Severity.BROKEN, "rebuild-ledger"),
        ({"disks": [FULL]}, Severity.BROKEN, "make room"),
        ({"disks": [replace(FULL, free=50, full_in=86_400.0)]}, Severity.SOON, "lasts for about"),
        (
            {"ends": [EndpointCheck("ann", "pop", problem="[tls] expired", cure="renew it")]},
            Severity.BROKEN,
            "renew it",
        ),
        ({"ends": [EndpointCheck("ann", "pop", {"capabilities": ["TOP"]}, is_source=True)]}, Severity.HINT, "UIDL"),
        ({"newest_run": NOW + 7200}, Severity.SOON, "set the clock"),
        ({"now": 1_000_000_000.0, "newest_run": 0.0, "accounts": []}, Severity.BROKEN, "never set"),
        ({"health": Health(HealthVerdict.UNHEALTHY, ("no worker",))}, Severity.SOON, "systemctl start"),
        ({"mounts": "server:/x / nfs4 rw 0 0\n"}, Severity.BROKEN, "network file system (nfs4)"),
        (
            {"read_from_memory": [Path("/a")], "mounts": "x /a fuse.x rw 0 0\n"},
            Severity.HINT,
            "(fuse.x) reads back from memory",
        ),
        ({"accounts": [replace(ANN, damaged=2)]}, Severity.BROKEN, "mailferry repair ann"),
        ({"accounts": [replace(ANN, verified_at=NOW - 90 * 86_400)]}, Severity.SOON, "mailferry verify ann"),
        (
            {"accounts": [replace(ANN, numbers=AccountNumbers(9, 7, 0, 2, 0, 0, None))]},
            Severity.SOON,
            "mailferry quarantine ann",
        ),
        (
            {"accounts": [replace(ANN, state=AccountState(attempts=1, parked="x", message="refused"))]},
            Severity.BROKEN,
            "change the password",
        ),
        (
            {"accounts": [replace(ANN, state=AccountState(attempts=3, failing_since=NOW - 60, message="no answer"))]},
            Severity.BROKEN,
            "3 times in a row: no answer",
        ),
        ({"accounts": [replace(ANN, state=AccountState(last_worked=NOW - 2e5))]}, Severity.BROKEN, "last worked at"),
    ],
)
def test_each_trouble_is_found_with_its_cure(
    well: DoctorInputs, changes: dict[str, object], rank: Severity, words: str
) -> None:
    [finding] = findings(replace(well, **changes))  # type: ignore[arg-type]  # fields of Patient
    assert finding.rank is rank
    assert words in f"{finding.what}; {finding.cure}"
    assert is_person_needed([finding]) is (rank is not Severity.HINT)


def test_the_worst_comes_first(well: DoctorInputs) -> None:
    found = findings(
        replace(
            well,
            disks=[FULL],
            newest_run=NOW + 7200,
            ends=[EndpointCheck("ann", "pop", {"capabilities": ["TOP"]}, is_source=True)],
        )
    )
    assert [finding.rank for finding in found] == [Severity.BROKEN, Severity.SOON, Severity.HINT]


def test_a_missing_password_is_found(well: DoctorInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILFERRY_TEST_PASSWORD")
    [finding] = findings(well)
    assert "MAILFERRY_TEST_PASSWORD is not set" in finding.what


def test_open_permissions_are_found(well: DoctorInputs) -> None:
    well.config.state_dir.chmod(0o755)
    [finding] = findings(well)
    assert finding.cure == f"chmod 700 {well.config.state_dir}"


def test_who_tells_nobody_is_hinted_at_it(well: DoctorInputs) -> None:
    silent = replace(well, config=replace(well.config, notify=None))
    assert [finding.subject for finding in findings(silent)] == ["notifications"]


def test_the_nearest_mount_counts() -> None:
    mounts = "a / ext4 rw 0 0\nb /data nfs rw 0 0\nc /data/my\\040disk xfs rw 0 0\n"
    assert file_system_of(Path("/data/state"), mounts) == "nfs"
    assert file_system_of(Path("/data/my disk/state"), mounts) == "xfs"
    assert file_system_of(Path("/var/lib"), mounts) == "ext4"
    assert file_system_of(Path("/var/lib"), "") == ""
