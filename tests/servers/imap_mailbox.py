"""Read and fill a mailbox of a real IMAP server byte for byte, to hold it against what a test expects.

The standard library's ``imaplib`` reads; it is not used to append, since it rewrites line ends.
"""

from __future__ import annotations

import imaplib
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from tests.servers.process import LOOPBACK

_AT_ONCE = 200  # messages in one FETCH or MULTIAPPEND


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One folder of one user on a loopback port without TLS."""

    port: int
    user: str
    password: str
    folder: str = "INBOX"

    def messages(self) -> list[bytes]:
        """Every message as the server gives it, in the order of UIDs; empty when there is no such folder."""
        with self._session() as session:
            if not _open(session, self.folder):
                return []
            return list(_fetch_all(session))

    def count(self) -> int:
        """The number of messages; 0 when there is no such folder."""
        with self._session() as session:
            kind, data = session.select(_quoted(self.folder), readonly=True)
            return int(data[0] or b"0") if kind == "OK" else 0

    def append(self, messages: Sequence[bytes]) -> None:
        """Store messages exactly as given, quickly; needs LITERAL+ and MULTIAPPEND (RFC 7888, RFC 3502)."""
        with socket.create_connection((LOOPBACK, self.port), timeout=60) as line, line.makefile("rb") as replies:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            replies.readline()
            _say(line, replies, f"a LOGIN {_quoted(self.user)} {_quoted(self.password)}".encode())
            for start in range(0, len(messages), _AT_ONCE):
                batch = b"".join(b" {%d+}\r\n%b" % (len(m), m) for m in messages[start : start + _AT_ONCE])
                _say(line, replies, b"a APPEND " + _quoted(self.folder).encode() + batch)
            _say(line, replies, b"a LOGOUT")

    @contextmanager
    def _session(self) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4(LOOPBACK, self.port, timeout=60) as session:
            session.login(self.user, self.password)
            yield session


def _open(session: imaplib.IMAP4, folder: str) -> bool:
    kind, _ = session.select(_quoted(folder), readonly=True)
    return kind == "OK"


def _fetch_all(session: imaplib.IMAP4) -> Iterator[bytes]:
    _, found = session.uid("SEARCH", "ALL")
    uids = (found[0] or b"").split()
    for start in range(0, len(uids), _AT_ONCE):
        wanted = b",".join(uids[start : start + _AT_ONCE]).decode()
        _, data = session.uid("FETCH", wanted, "(BODY.PEEK[])")
        yield from (part[1] for part in data if isinstance(part, tuple))


def _say(line: socket.socket, replies: BinaryIO, command: bytes) -> None:
    line.sendall(command + b"\r\n")
    while not (reply := replies.readline()).startswith(b"a "):
        if not reply:
            raise ConnectionError("the server hung up")
    if not reply.startswith(b"a OK"):
        raise ValueError(reply.decode(errors="replace"))


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
