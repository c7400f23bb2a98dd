"""A very small HTTP server: ``/metrics`` for Prometheus, ``/healthz`` for a monitor. It only reads."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from jobs.monitoring import metrics
from jobs.monitoring.health import HealthVerdict, health_of
from jobs.monitoring.snapshot import Snapshot
from migrator.errors import ConfigError

REQUEST_SECONDS = 10.0


class Web:
    """The server and its thread."""

    def __init__(self, listen: str, look: Callable[[], Snapshot]) -> None:
        """Listen at ``address:port``; raises ``ConfigError`` when that cannot be had. ``start`` begins to answer."""
        host, _, port = listen.rpartition(":")
        address = host.removeprefix("[").removesuffix("]")
        try:
            self._server = ThreadingHTTPServer((address, int(port)), _handler(look))
        except OSError as error:
            raise ConfigError([f"[metrics] listen: {listen} cannot be had: {error.strerror}"]) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="web", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened at."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Start to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def _handler(look: Callable[[], Snapshot]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_SECONDS
        server_version = "mailferry"
        sys_version = ""

        def do_GET(self) -> None:
            """Answer."""
            match self.path:
                case "/metrics":
                    self._send(HTTPStatus.OK, metrics.CONTENT_TYPE, metrics.text_of(look()))
                case "/healthz":
                    health = health_of(look())
                    is_well = health.verdict is not HealthVerdict.UNHEALTHY
                    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
                    self._send(status, "application/json", json.dumps(health.as_json()).encode())
                case _:
                    self._send(HTTPStatus.NOT_FOUND, "text/plain", b"try /metrics or /healthz\n")

        def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Log nothing: scrapes are no events."""

    return Handler
