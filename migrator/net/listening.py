"""The other end of TCP: a socket that listens, for the page. What it serves is not this module's business."""

from __future__ import annotations

import socket

BACKLOG = 128


def listening(address: str, port: int) -> socket.socket:
    """Return a socket that listens: those who connect from now on wait to be served. Raises ``OSError``.

    An address is one of version 6 where it has a colon; of the addresses of a name the first is taken. Port 0 is any.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=BACKLOG)
