"""The lines between workers and servers: forwarded, cut for a while, and who opened which.

All workers use the same ports, as machines use the same servers. Who is at the other end is looked up in ``/proc``, and
who is no worker is not let through. A line that is cut loses nothing and is not closed: what is on it, and what is
said into it, is forwarded when it is mended, as a network does that is back after a while. What the sender has taken
back meanwhile, by resetting the connection, is not: TCP sends nothing again of a connection that was reset.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import NamedTuple, Self

from tests.servers.process import LOOPBACK

_CHUNK = 1 << 16
_ESTABLISHED = "01"


class Opened(NamedTuple):
    """A connection with a server: the server's port and the one it sees, whose it is, and since when.

    Connections with two servers may have one and the same port at their near end.
    """

    server: int
    port: int
    process: int
    at: float


class Lines:
    """Lines of the workers whose processes ``workers`` tells; they end with the ``with`` block."""

    def __init__(self, workers: Callable[[], Mapping[str, int]]) -> None:
        self.opened: list[Opened] = []
        self._workers = workers
        self._lock = Lock()
        self._listeners: list[socket.socket] = []
        self._sockets: list[socket.socket] = []
        self._whole: dict[tuple[str, str], Event] = defaultdict(_set)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for whole in self._whole.values():
            whole.set()
        for one in (*self._listeners, *self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for listener in self._listeners:
            listener.close()

    def to(self, port: int, kind: str) -> int:
        """Return the port at which that of a server on loopback is reached."""
        listener = socket.create_server((LOOPBACK, 0), backlog=256)
        self._listeners.append(listener)
        _in_thread(self._accept, listener, port, kind)
        return int(listener.getsockname()[1])

    def cut(self, worker: str, *kinds: str) -> None:
        """Forward nothing of that worker's any more, either way."""
        for kind in kinds:
            self._whole[worker, kind].clear()

    def mend(self, worker: str) -> None:
        """Go on."""
        for (name, _), whole in list(self._whole.items()):
            if name == worker:
                whole.set()

    def _accept(self, listener: socket.socket, port: int, kind: str) -> None:
        with suppress(OSError):
            while True:
                near, (_, client) = listener.accept()
                _in_thread(self._connect, near, client, port, kind)

    def _connect(self, near: socket.socket, client: int, port: int, kind: str) -> None:
        with near:
            found = owner_of(client, near.getsockname()[1], self._workers())
            if found is None:
                return
            worker, process = found
            whole = self._whole[worker, kind]
            whole.wait()
            with suppress(OSError), socket.create_connection((LOOPBACK, port)) as far:
                with self._lock:
                    self.opened.append(Opened(port, far.getsockname()[1], process, time.time()))
                    self._sockets += [near, far]
                for line in (near, far):
                    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                back = _in_thread(_forward, far, near, whole)
                _forward(near, far, whole)
                back.join()
            with self._lock, suppress(ValueError):
                self._sockets.remove(near)
                self._sockets.remove(far)


def _forward(source: socket.socket, sink: socket.socket, whole: Event) -> None:
    """Pass on what comes until the end; a connection that was reset is reset on the other side, too."""
    try:
        while chunk := source.recv(_CHUNK):
            if not whole.is_set():
                whole.wait()
                if _was_reset(source):
                    raise ConnectionResetError
            sink.sendall(chunk)
        whole.wait()
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for line in (source, sink):
            with suppress(OSError):
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                line.shutdown(socket.SHUT_RDWR)


def _was_reset(line: socket.socket) -> bool:
    poll = select.poll()
    poll.register(line, select.POLLERR)
    return bool(poll.poll(0))


def owner_of(port: int, to: int, workers: Mapping[str, int]) -> tuple[str, int] | None:
    """Return which of these processes has a connection on loopback from one port to another."""
    wanted = f"socket:[{_inode(port, to)}]"
    for name, process in workers.items():
        with suppress(OSError), os.scandir(f"/proc/{process}/fd") as entries:
            if any(_target(entry.path) == wanted for entry in entries):
                return name, process
    return None


def _target(link: str) -> str:
    try:
        return str(Path(link).readlink())
    except OSError:  # closed meanwhile
        return ""


def _inode(port: int, to: int) -> str:
    ends = [f"0100007F:{port:04X}", f"0100007F:{to:04X}", _ESTABLISHED]
    for line in Path("/proc/net/tcp").read_text().splitlines():
        fields = line.split()
        if fields[1:4] == ends:
            return fields[9]
    return ""


def _set() -> Event:
    event = Event()
    event.set()
    return event


def _in_thread(work: Callable[..., object], *values: object) -> Thread:
    thread = Thread(target=work, args=values, daemon=True)
    thread.start()
    return thread
