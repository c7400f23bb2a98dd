"""An IMAP server that knows only its lines: for each command it says what a test wrote down."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import BinaryIO

from migrator.destinations.imap import ImapSettings
from migrator.net.tls import TlsMode, TlsSettings

PLAIN = TlsSettings(TlsMode.NONE)
CAPABILITIES = b"IMAP4rev1 AUTH=PLAIN"


@dataclass
class Script:
    """What to say: ``replies`` by the command's first words, with ``TAG`` for its tag; b"" hangs up."""

    replies: dict[bytes, bytes] = field(default_factory=dict)
    greeting: bytes = b"* OK hello\r\n"
    capabilities: bytes = CAPABILITIES
    heard: list[bytes] = field(default_factory=list)

    def reply(self, command: bytes) -> bytes:
        """Return what to say to a command."""
        tag, _, rest = command.partition(b" ")
        for words, reply in self.replies.items():
            if rest.upper().startswith(words):
                return reply.replace(b"TAG", tag)
        if rest.upper().startswith(b"CAPABILITY"):
            return b"* CAPABILITY %b\r\n%b OK\r\n" % (self.capabilities, tag)
        return tag + b" OK done\r\n"


@contextmanager
def serving(script: Script) -> Iterator[int]:
    """Serve a script on a loopback port until the block ends; each connection begins it anew."""
    listener = socket.create_server(("127.0.0.1", 0))
    lines: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                line, _ = listener.accept()
                lines.append(line)
                Thread(target=_converse, args=[line, script], daemon=True).start()

    thread = Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        for line in (listener, *lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        thread.join()


def _converse(line: socket.socket, script: Script) -> None:
    with suppress(OSError), line.makefile("rb") as commands:
        line.sendall(script.greeting)
        for command in iter(lambda: _command(commands, line.sendall), b""):
            script.heard.append(command)
            reply = script.reply(command)
            if not reply:
                break
            line.sendall(reply)
        line.shutdown(socket.SHUT_RDWR)


def _command(commands: BinaryIO, say: Callable[[bytes], None]) -> bytes:
    """Read a command with all its literals; ask for those that have to be asked for."""
    command = line = commands.readline()
    while found := re.search(rb"\{(\d+)(\+?)\}\r\n\Z", line):
        if not found[2]:
            say(b"+ go on\r\n")
        literal = commands.read(int(found[1]))
        line = commands.readline()
        command += literal + line
    return command


def settings(port: int, *, auth: str = "auto", tls: TlsSettings = PLAIN, timeout: float = 10.0) -> ImapSettings:
    """Return settings for a scripted server."""
    return ImapSettings("127.0.0.1", port, "ann", tls=tls, auth=auth, timeout=timeout)
