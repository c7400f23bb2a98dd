"""A very small HTTP server: ``/metrics`` for Prometheus, ``/healthz`` for a monitor. It only reads."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from jobs.monitoring import metrics
from jobs.monitoring.health import Health, HealthVerdict
from jobs.monitoring.snapshot import Snapshot
from migrator.errors import ConfigError

REQUEST_SECONDS = 10.0
"""How long one client may take, from its first byte to our last, however slowly it reads or writes."""

MOST_CLIENTS = 32
"""Clients that are served at one time; each has a thread. Twice as many are never there."""

_BOTH_WAYS = 2  # SHUT_RDWR


class Web:
    """The server and its thread."""

    def __init__(self, listen: str, look: Callable[[], Snapshot], health: Callable[[], Health]) -> None:
        """Listen at ``address:port``; raises ``ConfigError`` when that cannot be had. ``start`` begins to answer."""
        self._server = _bound(listen, handler_of(look, health))
        self._thread = threading.Thread(target=self._server.serve_forever, name="web", daemon=True)

    @staticmethod
    def try_address(listen: str) -> None:
        """Raise ``ConfigError`` if that address cannot be had now."""
        _bound(listen, BaseHTTPRequestHandler).server_close()

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


def _bound(listen: str, handler: type[BaseHTTPRequestHandler]) -> BoundedServer:
    host, _, port = listen.rpartition(":")
    address = host.removeprefix("[").removesuffix("]")
    try:
        return BoundedServer((address, int(port)), handler)
    except OSError as error:
        raise ConfigError([f"[metrics] listen: {listen} cannot be used: {error.strerror}"]) from error


_Request = Any  # a socket, which only migrator.net.stream may name


class BoundedServer(ThreadingHTTPServer):
    """Serves a bounded number of clients, each for a bounded time: one that only connects keeps nobody else out."""

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        *,
        seconds: float = REQUEST_SECONDS,
        most: int = MOST_CLIENTS,
    ) -> None:
        """Listen at ``address``; raises ``OSError``."""
        self._seconds = seconds
        self._most = most
        self._since: dict[_Request, float] = {}
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: _Request, client_address: _Request) -> None:
        """Begin to serve a client; where many are served, the one that takes longest loses its place."""
        with self._lock:
            served = len(self._since)
            if served >= self._most:
                _hang_up(min(self._since, key=self._since.__getitem__))
            if served < 2 * self._most:
                self._since[request] = time.monotonic()
        if request in self._since:
            super().process_request(request, client_address)
        else:
            super().shutdown_request(request)

    def shutdown_request(self, request: _Request) -> None:
        """End with a client."""
        with self._lock:
            self._since.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Hang up on a client that takes too long; ``serve_forever`` calls it twice a second."""
        until = time.monotonic() - self._seconds
        with self._lock:
            for request in [request for request, since in self._since.items() if since < until]:
                _hang_up(request)

    def handle_error(self, request: _Request, client_address: _Request) -> None:
        """Say nothing of a client that went away; a defect of ours is written to stderr."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _hang_up(request: _Request) -> None:
    """Wake the thread that waits for a client: it finds the line closed and ends."""
    with suppress(OSError):  # it has gone meanwhile
        request.shutdown(_BOTH_WAYS)


def handler_of(look: Callable[[], Snapshot], health: Callable[[], Health]) -> type[BaseHTTPRequestHandler]:
    """Return what answers one request with what is seen then."""

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
                    now = health()
                    is_well = now.verdict is not HealthVerdict.UNHEALTHY
                    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
                    self._send(status, "application/json", json.dumps(now.as_json()).encode())
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
