"""Connecting by TCP: every address of a host in turn, within one time, and no longer once the run is to stop."""

from __future__ import annotations

import errno
import os
import select
import socket
import time

from migrator.errors import Endpoint, StoppedError
from migrator.net import failures
from migrator.net.patience import Patience, Stop

CONNECT_TIMEOUT = 20.0
"""Seconds that a connection attempt may take, name resolution aside."""

Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""As getaddrinfo gives it."""


def connect(host: str, port: int, *, timeout: float = CONNECT_TIMEOUT, stop: Stop | None = None) -> socket.socket:
    """Return a connected blocking socket with no delay and keep-alive; its time-out is ``timeout`` seconds.

    Every address of the host is tried, all of them within that time and ``CONNECT_TIMEOUT``. Raises ``timeout`` or
    ``connect``, which names each address where not all failed alike; and ``StoppedError`` once ``stop`` is set.
    """
    sock = _connected(Endpoint(host, port), min(timeout, CONNECT_TIMEOUT), stop)
    sock.settimeout(timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


def _connected(endpoint: Endpoint, timeout: float, stop: Stop | None) -> socket.socket:
    if stop is not None and stop.is_set():
        raise StoppedError
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise failures.name_error(endpoint, error) from error
    addresses = {str(address[0]): (family, address) for family, _, _, _, address in reversed(found)}
    share = timeout / len(addresses)  # an address that swallows everything must leave time for the next
    attempts: list[failures.Attempt] = []
    for name, (family, address) in reversed(addresses.items()):
        try:
            return _dialled(family, address, Patience(share, time.monotonic, stop))
        except OSError as error:
            attempts.append((name, error))
    raise failures.unreachable(endpoint, attempts, share) from attempts[0][1]


def _dialled(family: socket.AddressFamily, address: Address, patience: Patience) -> socket.socket:
    """Connect to one address, for as long as there is patience; raises ``OSError``."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        _await_connection(sock, sock.connect_ex(address), patience)
    except BaseException:
        sock.close()
        raise
    return sock


def _await_connection(sock: socket.socket, failure: int, patience: Patience) -> None:
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while failure == errno.EINPROGRESS:
        if (left := patience.left()) <= 0:
            raise TimeoutError("timed out")
        if poll.poll(max(1, left * 1000)):
            failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failure:
        raise OSError(failure, os.strerror(failure))
