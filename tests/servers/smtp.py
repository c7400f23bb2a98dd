"""A small SMTP server that keeps the mails it is given, or refuses them as told (RFC 5321)."""

from __future__ import annotations

import base64
import socketserver
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Self

from tests.servers.process import LOOPBACK


@dataclass(frozen=True, slots=True)
class Taken:
    """One mail."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    was_encrypted: bool
    login: str


@dataclass(slots=True)
class _Says:
    """What the server does."""

    refusal: str = ""
    password: str = ""
    tls: ssl.SSLContext | None = None
    taken: list[Taken] = field(default_factory=list)


class SmtpServer:
    """Serves until the end of its ``with`` block. ``refusal`` is its reply to MAIL, where it is to refuse."""

    def __init__(self, *, refusal: str = "", password: str = "", tls: ssl.SSLContext | None = None) -> None:
        self._says = _Says(refusal, password, tls)
        self._server = _Server((LOOPBACK, 0), _Session)
        self._server.says = self._says
        self._thread = Thread(target=lambda: self._server.serve_forever(0.01), daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def taken(self) -> list[Taken]:
        """The mails it has taken."""
        return self._says.taken

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    says: _Says


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with suppress(OSError):  # a client that hangs up, or does not like the certificate
            self._converse()

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.request.close()

    def _converse(self) -> None:
        self._is_encrypted = False
        self._login = ""
        self._sender, self._recipients = "", list[str]()
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            if not self._obey(verb.upper(), rest):
                return

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
        self.wfile.flush()

    def _obey(self, verb: str, rest: str) -> bool:
        says = self.server.says
        match verb:
            case "EHLO":
                offers = ["STARTTLS"] if says.tls and not self._is_encrypted else []
                offers += ["AUTH PLAIN"] if says.password else []
                lines = ["here", *offers]
                for offer in lines[:-1]:
                    self._say(f"250-{offer}")
                self._say(f"250 {lines[-1]}")
            case "STARTTLS" if says.tls:
                self._say("220 go on")
                self._encrypt(says.tls)
            case "AUTH":
                self._authenticate(rest)
            case "MAIL":
                self._sender = rest
                self._say(says.refusal or "250 ok")
            case "RCPT":
                self._recipients.append(rest)
                self._say("250 ok")
            case "DATA":
                self._take()
            case "QUIT":
                self._say("221 bye")
                return False
            case _:
                self._say("250 ok")
        return True

    def _encrypt(self, context: ssl.SSLContext) -> None:
        encrypted = context.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)
        self.request = encrypted  # closed with the session
        encrypted.do_handshake()
        self.rfile, self.wfile = encrypted.makefile("rb"), encrypted.makefile("wb")
        self._is_encrypted = True

    def _authenticate(self, rest: str) -> None:
        _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        if password != self.server.says.password:
            self._say(f"535 wrong password {password}")
            return
        self._login = user
        self._say("235 ok")

    def _take(self) -> None:
        self._say("354 go on")
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line)
        taken = Taken(self._sender, tuple(self._recipients), b"".join(lines), self._is_encrypted, self._login)
        self.server.says.taken.append(taken)
        self._say("250 ok")
