"""Sample mail: every test that needs messages, and does not care which, takes them from here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migrator.message.body import Body, MemoryBody, Message
from migrator.message.digest import canonical, digest_of, header_block, header_facts

_HEAD = (
    b"Return-Path: <sender@example.org>\r\nFrom: a@example.org\r\nMessage-ID: <%d@example.org>\r\n"
    b"Date: Mon, 02 Nov 2026 08:00:00 +0000\r\nSubject: letter %d\r\n\r\n"
)
_AWKWARD = b"From here\r\n>From there\r\n.\r\n..two dots\r\n"

ODD_MESSAGES = {
    "empty": b"",
    "header only, no blank line": b"Subject: x\r\n",
    "header only, blank line": b"Subject: x\r\n\r\n",
    "no final line end": b"Subject: x\r\n\r\nlast line",
    "From_ line at the very start": b"From somebody\r\n\r\nbody\r\n",
    "From_ line as everything": b"From ",
    "From_ lines at any depth": b"a\r\nFrom b\r\n>From c\r\n>>From d\r\n" + b">" * 5000 + b"From e\r\n",
    "nearly From_ lines": b"a\r\nFrom\r\nFrom:\r\nfrom x\r\n >From x\r\n>FFrom x\r\nxFrom y\r\n> From z\r\n>",
    "8-bit": bytes(range(128, 256)) + b"\r\n",
    "NUL": b"Subject: \0\r\n\r\n\0\0\r\n\0",
    "bare CRs": b"a\rb\r\r\nc\r\r\r\n\r",
    "CR before From_": b"a\rFrom b\r\n\r\r\nFrom c\r\n",
    "many blank lines": b"\r\n" * 50,
    "a line of 2 MB": b"x" * 2_000_000 + b"\r\nFrom y\r\n",
    "a line of 2 MB of quotes": b">" * 2_000_000 + b"From y\r\n",
}
"""What archives have got wrong, by what is odd about it."""


def letter(number: int, *, octets: int = 0) -> bytes:
    """Return one of many different messages, of exactly so many octets where that is more than its shortest form.

    It holds what may go wrong in an archive or on the line: From_ lines and dots. Shortest forms of numbers of as many
    digits have one size.
    """
    shortest = _HEAD % (number, number) + _AWKWARD + b"word %d " % number * 5
    line = b"a line of letter %d\r\n" % number
    missing = max(0, octets - len(shortest) - 2)
    return shortest + b"x" * (missing % len(line)) + b"\r\n" + line * (missing // len(line))


def letters(count: int, first: int = 1, *, octets: int = 0) -> list[bytes]:
    """Return so many of them."""
    return [letter(number, octets=octets) for number in range(first, first + count)]


def growing_letters(count: int, *, by: int) -> list[bytes]:
    """Return letters of which each has so many octets more than the one before: a size tells which one it is."""
    return [letter(number, octets=300 + number * by) for number in range(count)]


def mail(subject: str = "hello", body: str = "text", sender: str = "alice@example.org", **headers: str) -> bytes:
    """Return a plain message in canonical form; an underscore in a header's name is a hyphen."""
    lines = [f"From: {sender}", f"Subject: {subject}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return canonical(("\n".join(lines) + "\n\n" + body + "\n").encode())


def message_of(content: bytes, body: Body | None = None) -> Message:
    """Make a message of its canonical form; ``body`` gives the same bytes in another way."""
    facts = header_facts(header_block(content))
    return Message(digest_of(content), facts.digest, facts.message_id, len(content), body or MemoryBody(content))


def simple(number: int, size: int = 100) -> Message:
    """Make one of many different messages whose body has about so many octets."""
    head = b"Return-Path: <sender%d@example.org>\r\nMessage-ID: <%d@example.org>\r\n\r\n" % (number, number)
    line = b"From here on: message %d\r\n" % number
    return message_of(head + line * max(1, size // len(line)))


@dataclass(frozen=True)
class Pieces:
    """A body that comes in small pieces, as from a spool file."""

    content: bytes
    size: int = 65_521

    @property
    def octets(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        for at in range(0, len(self.content), self.size):
            yield self.content[at : at + self.size]
