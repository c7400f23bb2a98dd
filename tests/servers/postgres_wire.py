"""A proxy on loopback before PostgreSQL that counts how often a client waits for answers: the round trips.

A client waits after Sync, Flush or a simple Query (PostgreSQL's protocol, section "Message Formats"); what it sends
before those goes out with them, and so does a Flush that follows a Sync at once.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Thread
from typing import Self

from tests.servers.process import LOOPBACK

_WAITS = b"SHQ"


class RoundTrips:
    """Counts round trips to the server on ``port``; ``count`` may be set to 0 at any time.

    While it ``is_deaf``, what comes is passed on and the line is cut before the answer.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.count = 0
        self.is_deaf = False
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                Thread(target=self._connect, args=[near], daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        with near, socket.create_connection((LOOPBACK, self._target)) as far:
            for line in (near, far):
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answers = Thread(target=self._answer, args=[far, near], daemon=True)
            answers.start()
            self._forward(near, far)
            answers.join()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        pending, is_begun, last = b"", False, b""
        with suppress(OSError):
            while chunk := near.recv(1 << 16):
                pending += chunk
                while (size := _size(pending, is_begun)) and len(pending) >= size:
                    kind = pending[:1] if is_begun else b""
                    if kind and kind in _WAITS and (last, kind) != (b"S", b"H"):
                        self.count += 1
                    is_begun, pending, last = True, pending[size:], kind
                far.sendall(chunk)
        with suppress(OSError):
            far.shutdown(socket.SHUT_WR)

    def _answer(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while (chunk := far.recv(1 << 16)) and not self.is_deaf:
                near.sendall(chunk)
        with suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)


def _size(content: bytes, is_begun: bool) -> int:
    """How long the first message is, 0 while that cannot be known. The very first one has no letter."""
    start = 1 if is_begun else 0
    return start + int.from_bytes(content[start : start + 4]) if len(content) >= start + 4 else 0
