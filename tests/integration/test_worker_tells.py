"""What a person hears of a real worker: mails through a real SMTP session, pings over real HTTP, its commands."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from migrator.ledger import Ledger
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.service_manager import UNIT, ServiceManager
from tests.servers.smtp import SmtpServer

MESSAGES = [b"From: a@example.org\r\nSubject: secret plan %d\r\n\r\nbody\r\n" % number for number in range(3)]


def configuration(folder: Path, server: Pop3Server, password: str, more: str = "") -> Path:
    path = folder / "config.toml"
    fresh = folder / "config.toml.new"
    fresh.write_text(f"""
state_dir = "state"
[schedule]
every = "1 second"
{more}
[[accounts]]
name = "alice"
[accounts.source]
host = "127.0.0.1"
port = {server.port}
tls = "none"
username = "alice"
password = "{password}"
[[accounts.destinations]]
type = "mbox"
path = "archive"
""")
    fresh.chmod(0o600)
    fresh.replace(path)
    return path


def ferry(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "migrator", *words, "-c", str(config)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(UNIT.parents[1])},
    )


@contextmanager
def pinged() -> Iterator[tuple[int, list[str]]]:
    """A server that notes which paths were called."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    yield server.server_address[1], paths
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(MESSAGES)) as server:
        yield server


def smtp_table(port: int) -> str:
    return (
        f'[notify.smtp]\nhost = "localhost"\nport = {port}\ntls = "none"\n'
        'sender = "ferry@example.org"\nto = ["ann@example.org"]\n'
    )


@pytest.mark.slow
def test_a_refused_password_is_mailed_once_and_so_is_its_end(tmp_path: Path, server: Pop3Server) -> None:
    with SmtpServer() as mail:
        more = smtp_table(mail.port)
        with ServiceManager(configuration(tmp_path, server, "hunter2", more)) as manager:
            manager.start()
            manager.wait_for(lambda: mail.taken)
            configuration(tmp_path, server, server.password, more)
            manager.wait_for(lambda: len(mail.taken) > 1)
            assert manager.stop() == 0
    first, second = (taken.content for taken in mail.taken)
    assert b"] alice: the server refused the" in first
    assert b"] resolved: alice: " in second
    assert b"hunter2" not in first + second
    assert b"secret plan" not in first + second


def test_runs_are_pinged_with_start_and_end(tmp_path: Path, server: Pop3Server) -> None:
    with pinged() as (port, paths):
        more = f'[pings]\naccounts = {{ alice = "http://127.0.0.1:{port}/uuid" }}\n'
        with ServiceManager(configuration(tmp_path, server, server.password, more)) as manager:
            manager.start()
            manager.wait_for(lambda: len(paths) >= 2)
            assert manager.stop() == 0
    start, end = paths[:2]
    assert start.startswith("/uuid/start?rid=")
    assert end == start.replace("/start", "")


def test_the_worker_is_asked_how_it_is_and_backed_up_while_it_works(tmp_path: Path, server: Pop3Server) -> None:
    config = configuration(tmp_path, server, server.password)
    assert ferry(config, "healthcheck").returncode == 1
    with ServiceManager(config) as manager:
        manager.start()
        manager.wait_for(lambda: len(server.logins) > 2)
        health = ferry(config, "healthcheck")
        assert (health.returncode, health.stdout[:2]) == (0, "ok")
        backup = tmp_path / "backup.tar.gz"
        assert ferry(config, "backup-state", str(backup)).returncode == 0
        doctor = ferry(config, "doctor")
        assert (doctor.returncode, doctor.stderr) == (0, "")
        assert manager.stop() == 0
    assert ferry(config, "healthcheck").returncode == 1
    with tarfile.open(backup) as tar:
        assert sorted(tar.getnames()) == ["config.toml", "ledger.sqlite3"]
        (tmp_path / "restored").mkdir()
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            (tmp_path / "restored" / member.name).write_bytes(content.read())
    assert server.password not in (tmp_path / "restored" / "config.toml").read_text()
    restored = Ledger.open(tmp_path / "restored")
    assert restored.history.numbers("alice").safe == len(MESSAGES)
    assert restored.integrity_problems() == []
    restored.close()


def test_doctor_needs_a_person_for_a_dead_server(tmp_path: Path, server: Pop3Server) -> None:
    config = configuration(tmp_path, server, server.password)
    server.stop()
    done = ferry(config, "doctor")
    assert done.returncode == 1
    assert "BROKEN  alice: cannot connect to 127.0.0.1" in done.stdout


def test_a_test_message_reaches_everybody(tmp_path: Path, server: Pop3Server) -> None:
    with SmtpServer() as mail:
        config = configuration(tmp_path, server, server.password, smtp_table(mail.port))
        done = ferry(config, "notify", "--test")
    assert (done.returncode, done.stdout) == (0, "smtp localhost: sent\n")
    assert len(mail.taken) == 1
    done = ferry(configuration(tmp_path, server, server.password), "notify", "--test")
    assert done.returncode == 2


def test_a_one_shot_run_leaves_its_metrics(tmp_path: Path, server: Pop3Server) -> None:
    config = configuration(tmp_path, server, server.password, '[metrics]\ntextfile = "ferry.prom"\n')
    assert ferry(config, "migrate", "-q").returncode == 0
    assert 'mailferry_run_copied{account="alice"} 3.0' in (tmp_path / "ferry.prom").read_text()


def test_status_says_that_an_account_is_parked(tmp_path: Path, server: Pop3Server) -> None:
    config = configuration(tmp_path, server, "hunter2")
    with ServiceManager(config) as manager:
        manager.start()
        manager.wait_for(lambda: "worker.account.parked" in manager.log)
        assert manager.stop() == 0
    [alice] = json.load(io.StringIO(ferry(config, "status", "--json").stdout))["accounts"]
    assert (alice["parked"], alice["next_run"], alice["failed_runs"]) == (True, None, 1)
    assert "parked until its password or configuration changes" in ferry(config, "status").stdout
