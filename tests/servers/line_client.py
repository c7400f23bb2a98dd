"""A client that knows nothing better than to say lines and to read what comes: for tests of the servers themselves."""

from __future__ import annotations

import socket
import ssl
from typing import Self

from tests.servers.process import LOOPBACK

TORN = r"(?i)\bEOF\b"
"""What ``ssl.SSLError`` says of a line that ended without a close_notify: some Pythons have a class of its own for it
(``SSLEOFError``), that of Debian 12 has only the reason.
"""


class LineClient:
    """One connection to a loopback port, closed at the end of its ``with`` block."""

    def __init__(self, port: int) -> None:
        self.line = socket.create_connection((LOOPBACK, port), timeout=30)
        self._replies = self.line.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._replies.close()
        self.line.close()

    def say(self, *lines: bytes) -> None:
        """Send lines, all at once."""
        self.line.sendall(b"".join(line + b"\r\n" for line in lines))

    def reply(self) -> bytes:
        """The next line, with its end; empty when the server hung up."""
        return self._replies.readline()

    def ask(self, line: bytes) -> bytes:
        """Send a line and return the next one."""
        self.say(line)
        return self.reply()

    def body(self) -> bytes:
        """Everything up to the terminating dot, as it comes."""
        return b"".join(iter(self._replies.readline, b".\r\n"))

    def read(self, octets: int) -> bytes:
        """The next so many bytes."""
        return self._replies.read(octets)

    def rest(self) -> bytes:
        """Everything until the server hangs up."""
        return self._replies.read()

    def log_in(self, password: str, user: str = "ann") -> None:
        """Go from the greeting into the maildrop."""
        self.reply()
        self.ask(b"USER " + user.encode())
        if not (reply := self.ask(b"PASS " + password.encode())).startswith(b"+OK"):
            raise PermissionError(reply)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on under TLS; a line that ends without a close_notify raises ``SSLError``, see ``TORN``."""
        self._replies.close()
        self.line = context.wrap_socket(self.line, server_hostname=LOOPBACK, suppress_ragged_eofs=False)
        self._replies = self.line.makefile("rb")
