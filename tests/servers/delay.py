"""A proxy on loopback that makes the line long: each chunk is stamped as it comes and forwarded when it is due.

It can make the line bad, too: one that ``carries`` so many octets to the client breaks behind them, each time.

Reading and forwarding are threads of their own, so what is sent together arrives together: a pipelined stream is late
once, not once per chunk. As a process of its own, ``python -m tests.servers.delay PORT --round-trip 20`` (milliseconds)
prints its port as one line of JSON and forwards until its standard input closes.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Queue
from threading import Lock, Thread
from typing import Self

from tests.servers.process import LOOPBACK

_CHUNK = 1 << 18
_CHUNKS_ON_THE_LINE = 1024  # then the sender has to wait, as on any line


class DelayProxy:
    """Forwards to ``port`` with half of ``round_trip`` (seconds) each way; stops at the end of its ``with`` block."""

    def __init__(
        self,
        port: int,
        *,
        round_trip: float = 0.0,
        carries: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._target = port
        self._delay = round_trip / 2
        self._carries = carries
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._lines: list[socket.socket] = []
        self._listener = socket.create_server((LOOPBACK, 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, name="delay-accept", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuse new connections and cut the open ones."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for line in self._lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                Thread(target=self._connect, args=[near], name="delay-connect", daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection((LOOPBACK, self._target))
        except OSError:
            near.close()
            return
        with self._lock:
            self._lines += [near, far]
        ways = [self._one_way(near, far, None), self._one_way(far, near, self._carries)]
        for thread in (*ways[0], *ways[1]):
            thread.join()
        with self._lock:
            self._lines.remove(near)
            self._lines.remove(far)
        near.close()
        far.close()

    def _one_way(self, source: socket.socket, sink: socket.socket, carries: int | None) -> list[Thread]:
        sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stamped: Queue[tuple[float, bytes]] = Queue(_CHUNKS_ON_THE_LINE)
        threads = [
            Thread(target=self._stamp, args=[source, stamped], name="delay-stamp", daemon=True),
            Thread(target=self._forward, args=[stamped, sink, carries], name="delay-forward", daemon=True),
        ]
        for thread in threads:
            thread.start()
        return threads

    def _stamp(self, source: socket.socket, stamped: Queue[tuple[float, bytes]]) -> None:
        chunk = b"more"
        while chunk:
            try:
                chunk = source.recv(_CHUNK)
            except OSError:
                chunk = b""
            stamped.put((self._clock() + self._delay, chunk))

    def _forward(self, stamped: Queue[tuple[float, bytes]], sink: socket.socket, carries: int | None) -> None:
        left = carries
        while True:
            due, chunk = stamped.get()
            if (early := due - self._clock()) > 0:
                self._sleep(early)
            with suppress(OSError):  # the other end is gone: what is still to come is read and dropped
                if not chunk:
                    sink.shutdown(socket.SHUT_WR)
                sink.sendall(chunk[:left])
                if left is not None and len(chunk) >= left:
                    sink.shutdown(socket.SHUT_RDWR)
            left = None if left is None else max(0, left - len(chunk))
            if not chunk:
                return


def main() -> None:
    """Forward until standard input closes or SIGTERM comes."""
    parser = argparse.ArgumentParser(description="Forward to a loopback port over a long line.")
    parser.add_argument("port", type=int)
    parser.add_argument("--round-trip", type=float, default=20, help="milliseconds")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with DelayProxy(options.port, round_trip=options.round_trip / 1000) as proxy:
        print(json.dumps({"port": proxy.port}), flush=True)  # noqa: T201  the answer of this command
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
