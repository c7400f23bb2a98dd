"""What the outside sees: health, metrics, the web, the digest."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from socket import create_connection

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobs.disk_usage import Disk
from jobs.lock import worker_lock
from jobs.monitoring.health import STALE_SECONDS, HealthVerdict, forget, health_of, read, write
from jobs.monitoring.http_server import BoundedServer, Web, handler_of
from jobs.monitoring.metrics import is_by_host, text_of, write_textfile
from jobs.monitoring.snapshot import AccountView, Snapshot
from jobs.monitoring.weekly_summary import weekly
from jobs.schedule.account_state import AccountState
from migrator.errors import ConfigError
from migrator.findings.model import Cure, Finding, Severity
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
REFUSED = Finding(
    "auth-refused",
    Severity.BROKEN,
    "ann",
    ("ann",),
    None,
    "the server refused the password",
    NOW,
    Cure("correct the password"),
)
WORKER = Snapshot(NOW, NOW - 1000, [ANN, BOB], [Disk("/archive", 50, 100, 20)])


def values(snapshot: Snapshot) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(text_of(snapshot).decode())
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_of_a_fleet_hosts_are_counted_and_no_account_is_a_series() -> None:
    shown = values(replace(WORKER, sources={ANN.name: "a:995", BOB.name: "a:995"}))
    assert not [name for name, _ in shown if name.startswith(("mailferry_messages", "mailferry_failed_runs"))]
    assert sum(count for (name, _), count in shown.items() if name == "mailferry_host_accounts") == 2
    assert {labels for name, labels in shown if name == "mailferry_host_accounts"} <= {
        f"a:995,{state}" for state in ("well", "failing", "parked", "running")
    }
    of_accounts = values(WORKER)
    for state in ("safe", "waiting"):
        whole = sum(count for (name, of), count in of_accounts.items() if name == "mailferry_messages" and state in of)
        assert shown["mailferry_host_messages", f"a:995,{state}"] == whole


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
        (replace(WORKER, findings=[REFUSED]), HealthVerdict.DEGRADED, "ann: the server refused the password"),
        (
            replace(WORKER, findings=[replace(REFUSED, severity=Severity.SOON)]),
            HealthVerdict.DEGRADED,
            "ann: the server",
        ),
        (replace(WORKER, findings=[replace(REFUSED, severity=Severity.HINT)]), HealthVerdict.OK, ""),
        (replace(WORKER, faults=["a thread has ended"]), HealthVerdict.UNHEALTHY, "a thread has ended"),
    ],
)
def test_health_says_why(snapshot: Snapshot, verdict: HealthVerdict, reason: str) -> None:
    health = health_of(snapshot)
    assert health.verdict is verdict
    assert reason in " ".join(health.reasons)


def test_another_process_reads_the_verdict(tmp_path: Path) -> None:
    assert read(tmp_path, NOW).verdict is HealthVerdict.UNHEALTHY
    health = health_of(replace(WORKER, findings=[REFUSED]))
    write(health, tmp_path, NOW)
    assert read(tmp_path, NOW + 1).reasons == ("mailferry run ended without being stopped",)
    with worker_lock(tmp_path):
        assert read(tmp_path, NOW + 1).as_json() == health.as_json()
        hangs = read(tmp_path, NOW + STALE_SECONDS + 1)
        assert hangs.verdict is HealthVerdict.UNHEALTHY
        assert hangs.reasons[0] == "mailferry run has not been heard of for 1 min"
        (tmp_path / "worker.json").write_text("{")
        assert read(tmp_path, NOW).verdict is HealthVerdict.UNHEALTHY
    forget(tmp_path)
    forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]


def answer(port: int, path: str) -> tuple[int, bytes]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as line:
        line.request("GET", path)
        said = line.getresponse()
        return said.status, said.read()


def test_the_web_answers_health_and_metrics_and_nothing_else() -> None:
    seen = [WORKER]
    web = Web("127.0.0.1:0", lambda: seen[0], lambda: health_of(seen[0]))
    web.start()
    try:
        status, body = answer(web.port, "/healthz")
        assert (status, json.loads(body)["summary"]) == (200, "2 accounts: 2 well; working now: 1")
        assert answer(web.port, "/metrics") == (200, text_of(WORKER))
        seen[0] = replace(WORKER, faults=["stuck"])
        status, body = answer(web.port, "/healthz")
        assert (status, json.loads(body)["reasons"]) == (503, ["stuck"])
        assert answer(web.port, "/secret")[0] == 404
    finally:
        web.stop()


def test_a_taken_port_is_a_configuration_error() -> None:
    web = Web("127.0.0.1:0", lambda: WORKER, lambda: health_of(WORKER))
    web.start()
    with pytest.raises(ConfigError, match=r"\[metrics\] listen"):
        Web(f"127.0.0.1:{web.port}", lambda: WORKER, lambda: health_of(WORKER))
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
    notification = weekly(replace(WORKER, findings=[REFUSED]))
    assert notification.title == "weekly digest: 1 account of 2 needs a person"
    assert "ann: the server refused the password\n    correct the password\n" in notification.body
    assert weekly(replace(WORKER, accounts=[BOB])).title == "weekly digest: all 1 account well"
    full = replace(REFUSED, accounts=(), text="the disk is full")
    assert weekly(replace(WORKER, findings=[full])).title == "weekly digest: the disk is full"


def test_the_status_line_says_who_is_well_and_who_is_not() -> None:
    assert WORKER.status_line() == "2 accounts: 2 well; working now: 1"
    assert replace(WORKER, findings=[REFUSED]).status_line() == "2 accounts: 1 well, 1 needs you (ann); working now: 1"


@contextmanager
def bounded(look: Callable[[], Snapshot], **bounds: float) -> Iterator[int]:
    server = BoundedServer(("127.0.0.1", 0), handler_of(look, lambda: health_of(look())), **bounds)  # type: ignore[arg-type]  # seconds, most
    thread = threading.Thread(target=lambda: server.serve_forever(0.01))
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_client_that_drips_is_hung_up_on() -> None:
    with bounded(lambda: WORKER, seconds=0.1) as port, create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert slow.recv(1) == b""
        assert answer(port, "/healthz")[0] == 200


def test_many_that_only_connect_keep_nobody_out() -> None:
    with bounded(lambda: WORKER, seconds=60, most=3) as port, ExitStack() as lines:
        idle = [lines.enter_context(create_connection(("127.0.0.1", port), timeout=30)) for _ in range(3)]
        assert answer(port, "/healthz")[0] == 200
        assert idle[0].recv(1) == b""


def test_metrics_are_by_host_where_a_series_an_account_would_be_too_many() -> None:
    assert [is_by_host(count, is_fleet=False) for count in (1, 5_000, 5_001)] == [False, False, True]
    assert is_by_host(1, is_fleet=True)
