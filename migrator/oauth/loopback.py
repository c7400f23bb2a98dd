"""The answer of a browser: a server on loopback that waits for one address (RFC 8252, section 7.3).

It answers any other address, an icon or a wrong state, with 404 and goes on waiting. It shows a page without scripts.
Browsers open lines on which they say nothing; each has a thread, so that none keeps the others waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Generic, TypeVar

from migrator.errors import FerryError, contained

Found = TypeVar("Found")

LONGEST = 300.0
"""Seconds that a person has for signing in."""

_CLIENT_SECONDS = 10.0
_LOOK_SECONDS = 0.1
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>mailferry</title>'
    "<body><h1>{title}</h1><p>You can close this page and go back to mailferry.</p>"
)


class Listener(Generic[Found]):
    """Listens from when it is made until ``close``; ``take`` makes something of an address that is an answer."""

    def __init__(self, take: Callable[[str], Found | None]) -> None:
        """``take`` returns None for what is no answer, and raises for one that says no."""
        self._found: Found | None = None
        self._failure: Exception | None = None
        listener = self

        class Handler(BaseHTTPRequestHandler):
            timeout = _CLIENT_SECONDS

            def do_GET(self) -> None:
                found, failure = listener._taken(take, self.path)
                try:
                    self._show(404 if found is None and failure is None else 200, _title(found, failure))
                finally:  # the page is on its way before this process may go on, and perhaps end
                    listener._hear(found, failure)

            def _show(self, status: int, title: str) -> None:
                content = _PAGE.format(title=title).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Cache-Control", "no-store")
                self.send_header("Content-Security-Policy", "default-src 'none'")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_args: object) -> None:
                """Say nothing: the address holds a code."""

        self._server = _Server(("127.0.0.1", 0), Handler)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def wait(self, seconds: float = LONGEST, clock: Callable[[], float] = time.monotonic) -> Found | None:
        """Return what the answer was, None if none came in time; raises what ``take`` has raised."""
        until = clock() + seconds
        self._server.timeout = _LOOK_SECONDS
        while self._found is None and self._failure is None and clock() < until:
            self._server.handle_request()
        if self._failure is not None:
            raise self._failure
        return self._found

    def close(self) -> None:
        """Listen no longer."""
        self._server.server_close()

    def _taken(self, take: Callable[[str], Found | None], path: str) -> tuple[Found | None, Exception | None]:
        if self._found is not None:
            return None, None  # the first answer counts
        try:
            with contained():
                return take(path), None
        except FerryError as error:  # it is raised again where somebody waits
            return None, error

    def _hear(self, found: Found | None, failure: Exception | None) -> None:
        if self._found is None and self._failure is None:
            self._found, self._failure = found, failure


def _title(found: object, failure: Exception | None) -> str:
    if failure is not None:
        return "The sign-in was not allowed"
    return "There is nothing here" if found is None else "You are signed in"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False

    def handle_error(self, *_args: object) -> None:
        """Let a client go that broke off; the next may be the one."""
