"""A web server on loopback that gives what a test says, by host and path, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self

from tests.servers.certificates import Identity
from tests.servers.process import LOOPBACK

Pages = Mapping[str, str]
"""By ``host/path``: the document, or ``-> URL``, which redirects there."""


class WebServer:
    """Speaks https where it has an identity, else http; stops at the end of its ``with`` block."""

    def __init__(self, pages: Pages, *, identity: Identity | None = None, port: int = 0) -> None:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name that http.server calls
                url = f"{(self.headers['Host'] or '').partition(':')[0]}{self.path}"
                asked.append(url)
                page = pages.get(url)
                if page is None:
                    self.send_error(404)
                elif page.startswith("-> "):
                    self.send_response(302)
                    self.send_header("Location", page.removeprefix("-> "))
                    self.end_headers()
                else:
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(page.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
                pass

        self.asked = asked
        self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        self._server.daemon_threads = True
        if identity is not None:
            context = identity.server_context()
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=[0.02], name="web-server", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
