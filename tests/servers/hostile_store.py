"""A door in front of an object store through which some requests go wrong: each fault is named after the damage."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "server", "date", "expect"})


class Asked(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_of_object(self) -> bool:
        return ".mbox" in self.path.partition("?")[0]


class Answered(NamedTuple):
    """What goes back. ``cut`` is how many bytes of the body come before the line breaks, None for all."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    cut: int | None = None


def said(status: int, code: str, words: str) -> Answered:
    """Return an error as S3 says it."""
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{words}</Message></Error>".encode()
    return Answered(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))], text)


Pass = Callable[[Asked], Answered]


@dataclass
class Fault:
    """Does something to ``times`` requests of a ``method`` about objects (or about anything), after ``after`` good ones.

    Without a ``code`` it is for a subclass to say what.
    """

    method: str = ""
    times: int = 1_000
    after: int = 0
    status: int = 500
    code: str = "InternalError"
    of_objects: bool = True
    words: str = "in the test"
    met: int = 0

    def strikes(self, asked: Asked) -> bool:
        if self.method not in ("", asked.method) or (self.of_objects and not asked.is_of_object):
            return False
        self.met += 1
        return self.after < self.met <= self.after + self.times

    def instead(self, asked: Asked, pass_on: Pass) -> Answered:
        return said(self.status, self.code, self.words)


class Truncates(Fault):
    """The line breaks in the middle of an answer."""

    def instead(self, asked: Asked, pass_on: Pass) -> Answered:
        answer = pass_on(asked)
        return answer._replace(cut=len(answer.body) // 2)


class WrongBytes(Fault):
    """What comes is not what was stored."""

    def instead(self, asked: Asked, pass_on: Pass) -> Answered:
        answer = pass_on(asked)
        middle = len(answer.body) // 2
        return answer._replace(body=answer.body[:middle] + b"!" + answer.body[middle + 1 :])


class StoresWrongBytes(Fault):
    """What is stored is not what was sent, and it says nothing of that."""

    def instead(self, asked: Asked, pass_on: Pass) -> Answered:
        middle = len(asked.body) // 2
        headers = {name: value for name, value in asked.headers.items() if name.lower() != "content-md5"}
        wrong = asked.body[:middle] + b"!" + asked.body[middle + 1 :]
        return pass_on(asked._replace(body=wrong, headers=headers))


class LosesAnswer(Fault):
    """The request is obeyed, and the line breaks before the answer."""

    def instead(self, asked: Asked, pass_on: Pass) -> Answered:
        pass_on(asked)
        return Answered(0, [], b"", 0)


class NoCondition(Fault):
    """It does not know ``If-None-Match`` in a PUT."""

    def strikes(self, asked: Asked) -> bool:
        return "If-None-Match" in asked.headers and super().strikes(asked)


class NoRanges(Fault):
    """It gives the whole object, whatever range was asked for."""

    def instead(self, asked: Asked, pass_on: Pass) -> Answered:
        return pass_on(asked._replace(headers={k: v for k, v in asked.headers.items() if k.lower() != "range"}))


@dataclass
class Kills(Fault):
    """Kills the client when it asks: before it is obeyed, or after."""

    pid: int = 0
    when: str = "before"

    def instead(self, asked: Asked, pass_on: Pass) -> Answered:
        if self.when == "after":
            pass_on(asked)
        os.kill(self.pid, signal.SIGKILL)
        return Answered(0, [], b"", 0)


class Stalls(Fault):
    """It says nothing, until the test is over."""

    over: threading.Event = threading.Event()

    def instead(self, asked: Asked, pass_on: Pass) -> Answered:
        self.over.wait(60)
        return Answered(0, [], b"", 0)


@dataclass
class HostileStore:
    """The door. ``asked`` are the requests that came, as method and path; the first fault that strikes decides."""

    behind: str
    faults: list[Fault] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    endpoint: str = ""

    def pass_on(self, asked: Asked) -> Answered:
        parts = urlsplit(self.behind)
        line = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=30)
        try:
            headers = {name: value for name, value in asked.headers.items() if name.lower() not in _HOP}
            line.request(asked.method, asked.path, asked.body, headers)
            answer = line.getresponse()
            return Answered(answer.status, answer.getheaders(), answer.read())
        finally:
            line.close()

    def answer(self, asked: Asked) -> Answered:
        self.asked.append(asked)
        fault = next((one for one in self.faults if one.strikes(asked)), None)
        return fault.instead(asked, self.pass_on) if fault else self.pass_on(asked)

    def count(self, method: str) -> int:
        """Return how many requests of a method about objects came."""
        return sum(one.method == method and one.is_of_object for one in self.asked)


@contextmanager
def hostile(behind: str, *faults: Fault, tls: ssl.SSLContext | None = None) -> Iterator[HostileStore]:
    """Open the door on loopback; with ``tls`` it is one for https."""
    store = HostileStore(behind, list(faults))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = store.answer(Asked(self.command, self.path, dict(self.headers.items()), body))
            self.close_connection = True
            if answer.status:
                self.send_response(answer.status)
                for name, value in answer.headers:
                    if name.lower() not in _HOP:
                        self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
            if self.command != "HEAD":
                with suppress(OSError):
                    self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815  # http.server's names

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients die here
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    store.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    try:
        yield store
    finally:
        Stalls.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
        Stalls.over.clear()
