"""The limit: what a socket and the server can do when nothing is proven, undone or recorded.

    python -m benchmarks.drain HOST PORT USER FILE [--tls] [--delete | --list]

Sends every RETR ahead and writes what comes to one file, with one fsync at the end; ``--list`` asks for LIST and UIDL
instead and keeps them in memory, ``--delete`` deletes what was read. The password is in the variable POP3_PASSWORD.
"""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import ssl
from collections.abc import Callable

_CHUNK = 1 << 18


def main() -> None:
    """Drain one maildrop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("user")
    parser.add_argument("file")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--delete", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    line = _opened(options.host, options.port, is_encrypted=options.tls)
    count = _log_in(line, options.user)
    if options.list:
        _list(line)
        return
    commands = [b"RETR %d\r\n" % number for number in range(1, count + 1)]
    if options.delete:
        commands += [b"DELE %d\r\n" % number for number in range(1, count + 1)]
    with open(options.file, "wb", buffering=0) as file:  # noqa: PTH123  # it takes a path of os.fsencode too
        _exchange(line, b"".join((*commands, b"QUIT\r\n")), file.write)
        os.fsync(file.fileno())


def _opened(host: str, port: int, *, is_encrypted: bool) -> socket.socket:
    line = socket.create_connection((host, port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not is_encrypted:
        return line
    context = ssl.create_default_context(cafile=os.environ["POP3_CA_FILE"])
    context.check_hostname = False
    return context.wrap_socket(line, server_hostname="localhost")


def _log_in(line: socket.socket, user: str) -> int:
    """Log in and return how many messages there are."""
    _reply(line)
    for command in (f"USER {user}", f"PASS {os.environ['POP3_PASSWORD']}"):
        line.sendall(command.encode() + b"\r\n")
        _reply(line)
    line.sendall(b"STAT\r\n")
    return int(_reply(line).split()[1])


def _reply(line: socket.socket) -> bytes:
    reply = b""
    while not reply.endswith(b"\r\n"):
        reply += line.recv(4096)
    if not reply.startswith(b"+OK"):
        raise SystemExit(reply.decode(errors="replace"))
    return reply


def _list(line: socket.socket) -> None:
    pieces: list[bytes] = []
    _exchange(line, b"LIST\r\nUIDL\r\nQUIT\r\n", pieces.append)
    lines = b"".join(pieces).split(b"\r\n")
    assert len(lines) > 4


def _exchange(line: socket.socket, commands: bytes, take: Callable[[bytes], object]) -> None:
    """Say it all as fast as the server takes it, and take what it says until it hangs up."""
    line.setblocking(False)  # noqa: FBT003  # the socket's own way
    unsaid = memoryview(commands)
    both = selectors.EVENT_READ | selectors.EVENT_WRITE
    with selectors.DefaultSelector() as selector:
        selector.register(line, both)
        while True:
            [(_, events)] = selector.select()
            if events & selectors.EVENT_WRITE and unsaid:
                unsaid = unsaid[_sent(line, unsaid) :]
                if not unsaid:
                    selector.modify(line, selectors.EVENT_READ)
            while (data := _received(line)) is not None:
                if not data:
                    return
                take(data)


def _sent(line: socket.socket, unsaid: memoryview) -> int:
    try:
        return line.send(unsaid[:_CHUNK])
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return 0


def _received(line: socket.socket) -> bytes | None:
    try:
        return line.recv(_CHUNK)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None


if __name__ == "__main__":
    main()
