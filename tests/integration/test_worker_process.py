"""The worker as systemd would have it: its unit's command line, a real notify socket, real signals, a real server."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_faults import LoginRefused
from tests.servers.process import free_ports
from tests.servers.service_manager import UNIT, ServiceManager

MESSAGES = [b"From: a@example.org\r\nSubject: %d\r\n\r\nbody %d\r\n" % (number, number) for number in range(12)]


def configuration(folder: Path, port: int, *, password: str, more: str = "", every: str = "1 second") -> Path:
    path = folder / "config.toml"
    text = f"""
state_dir = "state"
[schedule]
every = "{every}"
{more}
[[accounts]]
name = "alice"
[accounts.source]
host = "127.0.0.1"
port = {port}
tls = "none"
username = "alice"
password = "{password}"
leave_on_server = false
[[accounts.destinations]]
type = "mbox"
path = "archive"
"""
    fresh = folder / "config.toml.new"
    fresh.write_text(text)
    fresh.chmod(0o600)
    fresh.replace(path)
    return path


def archived(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\nSubject: ") for path in (folder / "archive").glob("*.mbox"))


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(MESSAGES)) as server:
        yield server


def test_it_starts_works_feeds_the_watchdog_and_stops(tmp_path: Path, server: Pop3Server) -> None:
    with ServiceManager(configuration(tmp_path, server.port, password=server.password)) as manager:
        manager.start()
        manager.wait_for(lambda: archived(tmp_path) == len(MESSAGES) and not server.maildrop.left())
        manager.wait_for(lambda: manager.messages.count("WATCHDOG=1") >= 3)
        manager.wait_for(lambda: "STATUS=1 account: 1 well; working now: 0" in manager.messages)
        assert manager.stop() == 0
        assert "STOPPING=1" in manager.messages
    events = [json.loads(line)["event"] for line in manager.log.splitlines() if line.startswith("{")]
    assert events[0] == "worker.started"
    assert events[-1] == "worker.stopped"
    assert "worker.run.finished" in events


def test_killed_and_restarted_it_loses_and_doubles_nothing(tmp_path: Path, server: Pop3Server) -> None:
    with ServiceManager(configuration(tmp_path, server.port, password=server.password)) as manager:
        for count in range(1, 6):
            manager.launch()
            manager.wait_for(lambda count=count: len(server.logins) >= count)  # type: ignore[misc]  # mypy cannot infer it
            manager.kill()
        manager.start()
        manager.wait_for(lambda: not server.maildrop.left())
        assert manager.stop() == 0
    assert archived(tmp_path) == len(MESSAGES)


def test_a_reload_takes_over_a_valid_configuration(tmp_path: Path, server: Pop3Server) -> None:
    path = configuration(tmp_path, server.port, password="wrong", every="1 hour")
    with ServiceManager(path) as manager:
        manager.start()
        manager.wait_for(lambda: "STATUS=1 account: 0 well, 1 needs you (alice); working now: 0" in manager.messages)
        configuration(tmp_path, server.port, password=server.password, every="1 hour")
        manager.messages.clear()
        manager.reload()
        manager.wait_for(lambda: {"RELOADING=1", "READY=1"} <= set(manager.messages))
        manager.wait_for(lambda: archived(tmp_path) == len(MESSAGES))
        assert manager.stop() == 0


def test_a_changed_file_is_taken_over_without_a_signal(tmp_path: Path, server: Pop3Server) -> None:
    path = configuration(tmp_path, server.port, password="wrong", every="1 hour")
    with ServiceManager(path) as manager:
        manager.start()
        manager.wait_for(lambda: "worker.account.parked" in manager.log)
        configuration(tmp_path, server.port, password=server.password, every="1 hour")
        manager.wait_for(lambda: archived(tmp_path) == len(MESSAGES))
        assert manager.stop() == 0


def test_after_a_migrate_that_logs_in_the_worker_goes_on(tmp_path: Path) -> None:
    refused = LoginRefused("[AUTH] come back later", times=1)
    with Pop3Server(Maildrop(MESSAGES), faults=[refused]) as server:
        path = configuration(tmp_path, server.port, password=server.password, every="1 hour")
        with ServiceManager(path) as manager:
            manager.start()
            manager.wait_for(lambda: "worker.account.parked" in manager.log)
            command = [sys.executable, "-m", "migrator", "migrate", "-c", str(path)]
            by_hand = subprocess.run(command, check=False, env={"PYTHONPATH": str(UNIT.parents[1])})
            assert by_hand.returncode == 0
            before = len(server.logins)
            manager.wait_for(lambda: len(server.logins) > before)
            assert manager.stop() == 0


def test_an_invalid_configuration_is_refused_and_the_old_one_goes_on(tmp_path: Path, server: Pop3Server) -> None:
    path = configuration(tmp_path, server.port, password=server.password)
    with ServiceManager(path) as manager:
        manager.start()
        path.write_text("nonsense = true\n")
        manager.reload()
        manager.wait_for(lambda: "worker.reload.refused" in manager.log)
        seen = len(server.logins)
        manager.wait_for(lambda: len(server.logins) > seen + 1)
        assert manager.stop() == 0


def test_a_second_worker_on_the_same_state_says_so_and_exits_2(tmp_path: Path, server: Pop3Server) -> None:
    path = configuration(tmp_path, server.port, password=server.password)
    with ServiceManager(path) as manager:
        manager.start()
        second = subprocess.run(
            [sys.executable, "-m", "migrator", "run", "-c", str(path)],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": str(UNIT.parents[1])},
        )
        assert second.returncode == 2
        assert "another mailferry run is at work" in second.stderr
        assert manager.stop() == 0


def test_no_password_is_in_what_it_says(tmp_path: Path, server: Pop3Server) -> None:
    path = configuration(tmp_path, server.port, password="hunter2-is-wrong")
    with ServiceManager(path) as manager:
        manager.start()
        manager.wait_for(lambda: "worker.account.parked" in manager.log)
        assert manager.stop() == 0
    written = [file for file in (tmp_path / "state").rglob("*") if file.is_file()]
    assert written
    assert all(b"hunter2" not in file.read_bytes() for file in [*written, tmp_path / "worker.log"])


def test_metrics_and_health_are_answered(tmp_path: Path, server: Pop3Server) -> None:
    [port] = free_ports(1)
    more = f'[metrics]\nlisten = "127.0.0.1:{port}"\n'
    path = configuration(tmp_path, server.port, password=server.password, more=more)
    with ServiceManager(path) as manager:
        manager.start()
        manager.wait_for(lambda: archived(tmp_path) == len(MESSAGES))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert json.load(answer)["status"] == "ok"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        assert 'mailferry_parked{account="alice"} 0.0' in text
        assert "mailferry_accounts 1.0" in text
        assert manager.stop() == 0
