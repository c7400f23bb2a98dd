"""What the outside sees: health, metrics, the web, the digest."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobs.disk_usage import Disk
from jobs.monitoring.health import STALE_SECONDS, HealthVerdict, forget, health_of, read, write
from jobs.monitoring.http_server import Web
from jobs.monitoring.metrics import text_of, write_textfile
from jobs.monitoring.snapshot import AccountView, Snapshot
from jobs.monitoring.weekly_summary import weekly
from jobs.schedule.account_state import AccountState
from migrator.errors import ConfigError
from migrator.ledger.history import AccountNumbers
from migrator.report import AccountReport, Status

NOW = 2_000_000_000.0
ANN = AccountView(
    "ann",
    AccountState(last_worked=NOW - 60),
    verified_at=NOW - 86_400,
    numbers=AccountNumbers(12, 9, 2, 1, 40, 900, NOW),
)
BOB = AccountView("bob@example.org", AccountState(), numbers=AccountNumbers(5, 5, 0, 0, 0, 100, None), is_running=True)
PARKED = replace(ANN, name="cleo", state=AccountState(attempts=1, parked="hash", kind="auth", message="refused"))
WORKER = Snapshot(NOW, NOW - 1000, [ANN, BOB], [Disk("/archive", 50, 100, 20)])


def values(snapshot: Snapshot) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(text_of(snapshot).decode())
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_numbers_of_each_account_are_exported() -> None:
    found = values(WORKER)
    assert found["mailferry_last_worked_seconds", "ann"] == NOW - 60
    assert found["mailferry_last_full_verify_seconds", "ann"] == NOW - 86_400
    assert [found["mailferry_messages", f"ann,{state}"] for state in ("safe", "waiting", "failed")] == [9, 2, 1]
    assert found["mailferry_deleted_messages_total", "ann"] == 40
    assert found["mailferry_disk_free_bytes", "/archive"] == 50
    assert found["mailferry_accounts", ""] == 2


def test_no_metric_carries_an_address() -> None:
    text = text_of(WORKER).decode()
    assert "@" not in text
    assert 'mailferry_running{account="' in text


def test_a_one_shot_run_leaves_a_textfile(tmp_path: Path) -> None:
    path = tmp_path / "mailferry.prom"
    write_textfile(path, [AccountReport("ann", copied=3, listed=3), AccountReport("bob", Status.FAILED)], NOW)
    text = path.read_text()
    assert 'mailferry_run_success{account="ann"} 1.0' in text
    assert 'mailferry_run_success{account="bob"} 0.0' in text
    assert 'mailferry_run_copied{account="ann"} 3.0' in text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("snapshot", "verdict", "reason"),
    [
        (WORKER, HealthVerdict.OK, ""),
        (replace(WORKER, accounts=[PARKED]), HealthVerdict.DEGRADED, "cleo: parked"),
        (replace(WORKER, hosts_down=["pop:995"]), HealthVerdict.DEGRADED, "pop:995 is down"),
        (
            replace(WORKER, accounts=[replace(ANN, damaged=2)]),
            HealthVerdict.DEGRADED,
            "ann: 2 stored copies are damaged",
        ),
        (replace(WORKER, faults=["a thread has ended"]), HealthVerdict.UNHEALTHY, "a thread has ended"),
        (replace(WORKER, disks=[Disk("/archive", 1, 100, 20)]), HealthVerdict.DEGRADED, "disk of /archive"),
    ],
)
def test_health_says_why(snapshot: Snapshot, verdict: HealthVerdict, reason: str) -> None:
    health = health_of(snapshot)
    assert health.verdict is verdict
    assert reason in " ".join(health.reasons)


def test_another_process_reads_the_verdict(tmp_path: Path) -> None:
    assert read(tmp_path, NOW).verdict is HealthVerdict.UNHEALTHY
    write(health_of(WORKER), tmp_path, NOW)
    assert read(tmp_path, NOW + 1) == health_of(WORKER)
    assert read(tmp_path, NOW + STALE_SECONDS + 1).verdict is HealthVerdict.UNHEALTHY
    (tmp_path / "worker.json").write_text("{")
    assert read(tmp_path, NOW).verdict is HealthVerdict.UNHEALTHY
    forget(tmp_path)
    forget(tmp_path)
    assert not list(tmp_path.iterdir())


def answer(port: int, path: str) -> tuple[int, bytes]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as line:
        line.request("GET", path)
        said = line.getresponse()
        return said.status, said.read()


def test_the_web_answers_health_and_metrics_and_nothing_else() -> None:
    seen = [WORKER]
    web = Web("127.0.0.1:0", lambda: seen[0])
    web.start()
    try:
        status, body = answer(web.port, "/healthz")
        assert (status, json.loads(body)["summary"]) == (200, "1 of 2 accounts, 0 errors")
        assert answer(web.port, "/metrics") == (200, text_of(WORKER))
        seen[0] = replace(WORKER, faults=["stuck"])
        status, body = answer(web.port, "/healthz")
        assert (status, json.loads(body)["reasons"]) == (503, ["stuck"])
        assert answer(web.port, "/secret")[0] == 404
    finally:
        web.stop()


def test_a_taken_port_is_a_configuration_error() -> None:
    web = Web("127.0.0.1:0", lambda: WORKER)
    web.start()
    with pytest.raises(ConfigError, match=r"\[metrics\] listen"):
        Web(f"127.0.0.1:{web.port}", lambda: WORKER)
    web.stop()


def test_the_digest_adds_up() -> None:
    notification = weekly(WORKER)
    head, ann, bob, total, *_ = (line.split() for line in notification.body.splitlines())
    assert head[:2] == ["account", "on"]
    assert ann[:6] == ["ann", "12", "9", "2", "1", "40"]
    assert total[:6] == ["all", "17", "14", "2", "1", "40"]
    for row in (ann, bob, total):
        assert int(row[1]) == int(row[2]) + int(row[3]) + int(row[4])


def test_the_digest_names_who_needs_a_person() -> None:
    notification = weekly(replace(WORKER, accounts=[BOB, PARKED]))
    assert notification.title == "weekly digest: 1 account of 2 in trouble"
    assert "cleo: waits for a changed password: refused" in notification.body
    assert weekly(replace(WORKER, accounts=[BOB])).title == "weekly digest: all 1 account well"
