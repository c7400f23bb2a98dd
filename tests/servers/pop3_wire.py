"""Replies as they go over the wire (RFC 1939, section 3), and how a session ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

Wire = Iterator[bytes]
RunResult = Literal["close", "reset", "close-notify"]

_LINES_AT_ONCE = 1000


class HangUp(Exception):  # noqa: N818  an event of the script, no error
    """Ends the session here and now; what was yielded before is still sent. ``how`` matters to clients over TLS."""

    def __init__(self, how: RunResult = "close") -> None:
        super().__init__(how)
        self.how = how


def one(line: bytes) -> Wire:
    """A reply of one line."""
    yield line + b"\r\n"


def multi(status: bytes, lines: Iterator[bytes]) -> Wire:
    """A reply of a status line, lines in pieces of many, and the terminating dot."""
    yield status + b"\r\n"
    piece: list[bytes] = []
    for line in lines:
        piece.append(line)
        if len(piece) == _LINES_AT_ONCE:
            yield b"\r\n".join([*piece, b""])
            piece = []
    yield b"\r\n".join([*piece, b".\r\n"])


def content(status: bytes, message: bytes) -> Wire:
    """A reply that holds a message, dot-stuffed."""
    yield status + b"\r\n"
    yield stuffed(message)
    yield b".\r\n"


def sent_form(message: bytes) -> bytes:
    """The message as it goes over the wire, before stuffing: the last line always ends."""
    return message if message.endswith(b"\r\n") or not message else message + b"\r\n"


def stuffed(message: bytes) -> bytes:
    """The message as it goes over the wire (RFC 1939, section 3)."""
    body = sent_form(message).replace(b"\r\n.", b"\r\n..")
    return b"." + body if body.startswith(b".") else body


def top_of(message: bytes, lines: int) -> bytes:
    """The header, the blank line and so many lines of the body (RFC 1939, section 7)."""
    header, blank, body = sent_form(message).partition(b"\r\n\r\n")
    if not blank:
        return header
    return header + blank + b"".join(line + b"\r\n" for line in body.split(b"\r\n")[:-1][:lines])
