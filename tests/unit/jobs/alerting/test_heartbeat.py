from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jobs.alerting.heartbeat import Heartbeats, Ping, Pinger, call
from jobs.schedule.retry import RunOutcome
from migrator.config import Pings
from migrator.config.secrets import TextSecret
from migrator.errors import Kind
from migrator.report import Status

SECRET = "5f3c-hunter2"


class Elsewhere(HTTPServer):
    """Sends everybody who asks for /ping/… to /stolen/…, and remembers what it was asked for."""

    asked: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: Elsewhere

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path.startswith("/ping/"):
            self.send_response(302)
            self.send_header("Location", f"/stolen/{self.path}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        return


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    server = Elsewhere(("127.0.0.1", 0), _Handler)
    server.asked = []
    thread = threading.Thread(target=lambda: server.serve_forever(0.01))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_ping_goes_where_it_was_sent_and_nowhere_else(elsewhere: Elsewhere, caplog: pytest.LogCaptureFixture) -> None:
    url = f"http://127.0.0.1:{elsewhere.server_port}/ping/{SECRET}"
    with caplog.at_level("INFO", "jobs"):
        Pinger(pause=0.0).deliver(Ping(TextSecret(url), "", "", "ann"))
    assert set(elsewhere.asked) == {f"/ping/{SECRET}"}
    [record] = caplog.records
    assert "HTTP status 302, and no redirect is followed" in str(record.__dict__)
    assert SECRET not in str(record.__dict__)


def test_a_ping_that_is_taken_is_a_success(elsewhere: Elsewhere) -> None:
    call(f"http://127.0.0.1:{elsewhere.server_port}/well")
    assert elsewhere.asked == ["/well"]


def test_an_address_that_nobody_can_call_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "jobs"):
        Pinger(pause=0.0).deliver(Ping(TextSecret(f"http://{'x' * 70}.example/{SECRET}"), "", "", "ann"))
    assert SECRET not in str(caplog.records[0].__dict__)


def test_a_run_that_was_stopped_neither_succeeded_nor_failed() -> None:
    called: list[str] = []
    pinger = Pinger(called.append)
    hearts = Heartbeats(pinger, Pings(accounts={"ann": TextSecret("http://hc/ann")}))
    failed = RunOutcome(Status.FAILED, Kind.CONNECT, is_interrupted=True)
    for outcome in (RunOutcome(Status.OK), RunOutcome(Status.PARTIAL, is_interrupted=True), failed):
        hearts.run_ended("ann", outcome)
    pinger.start()
    assert pinger.stop(60.0)
    assert called == ["http://hc/ann", "http://hc/ann/fail"]
