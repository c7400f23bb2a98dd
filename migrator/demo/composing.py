"""How a sample letter is put together: headers (RFC 5322), encoded words (RFC 2047), parts (RFC 2045 and 2046).

Written by hand and not by ``email.message``, because a sample has to be able to be wrong. Everything is in canonical
form: each line ends in CRLF.
"""

from __future__ import annotations

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.header import Header
from email.utils import encode_rfc2231, format_datetime

from migrator.lazy_dataclasses import dataclass

Headers = Sequence[tuple[str, str | bytes]]
"""Names and values; a value in bytes is written as it is, whatever the standards say."""

_MONDAY = datetime(2023, 1, 9, 7, 30, tzinfo=UTC)
_WIDTH = 60


@dataclass(frozen=True, slots=True)
class Part:
    """A body with the headers that explain it."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


def crlf(text: str, charset: str = "utf-8") -> bytes:
    """Return text in a charset, each line feed as CRLF."""
    return text.replace("\n", "\r\n").encode(charset)


def letter(headers: Headers, part: Part) -> bytes:
    """Return a whole message: its headers, those of its body, the empty line, the body."""
    return block([*headers, ("MIME-Version", "1.0"), *part.headers]) + b"\r\n" + part.body


def block(headers: Headers) -> bytes:
    """Return header lines, without the empty line that ends them."""
    return b"".join(
        b"%b: %b\r\n" % (name.encode(), value if isinstance(value, bytes) else crlf(value, "ascii"))
        for name, value in headers
    )


def encoded_words(text: str, charset: str) -> str:
    """Return text as a header holds it: as it is if it is ASCII, else in encoded words, folded."""
    return text if text.isascii() else Header(text, charset).encode(linesep="\n")


def mailbox(name: str, charset: str, address: str) -> str:
    """Return a person's name and address as From and To hold them."""
    return f"{encoded_words(name, charset)} <{address}>"


def text(content: str, charset: str = "utf-8", encoding: str = "8bit", kind: str = "plain") -> Part:
    """Return a text in a charset and a transfer encoding; 8bit becomes 7bit where that is enough."""
    written = crlf(content, charset)
    declared = "7bit" if encoding == "8bit" and written.isascii() else encoding
    return Part(
        (("Content-Type", f"text/{kind}; charset={charset}"), ("Content-Transfer-Encoding", declared)),
        transfer(written, encoding),
    )


def transfer(content: bytes, encoding: str) -> bytes:
    """Return content in a transfer encoding; 7bit and 8bit leave it as it is."""
    match encoding:
        case "base64":
            return encodebytes(content).replace(b"\n", b"\r\n")
        case "quoted-printable":
            return b2a_qp(content, istext=True)
        case _:
            return content


def attachment(kind: str, content: bytes, file_name: str, charset: str = "utf-8") -> Part:
    """Return a file in base64, its name as RFC 2231 wants it, in pieces if it is long."""
    return Part(
        (
            ("Content-Type", kind),
            ("Content-Transfer-Encoding", "base64"),
            ("Content-Disposition", "attachment" + _file_name(file_name, charset)),
        ),
        transfer(content, "base64"),
    )


def _file_name(name: str, charset: str) -> str:
    if name.isascii() and name.isprintable():
        return f'; filename="{name}"'
    written = encode_rfc2231(name, charset)
    if len(written) <= _WIDTH:
        return f";\n filename*={written}"
    pieces = re.findall("(?:%..|.){1,20}", written)  # no piece begins inside an encoded byte
    return "".join(f";\n filename*{place}*={piece}" for place, piece in enumerate(pieces))


def multipart(kind: str, parts: Sequence[Part], boundary: str, parameters: str = "") -> Part:
    """Return several parts as one, ``kind`` being mixed, alternative and so on."""
    between = f"--{boundary}\r\n".encode()
    body = b"".join(between + block(part.headers) + b"\r\n" + part.body + b"\r\n" for part in parts)
    header = ("Content-Type", f'multipart/{kind}; boundary="{boundary}"{parameters}')
    return Part((header,), body + f"--{boundary}--\r\n".encode())


def embedded(message: bytes) -> Part:
    """Return a whole message as a part of another one."""
    return Part((("Content-Type", "message/rfc822"), ("Content-Disposition", "inline")), message)


def moment(number: int) -> datetime:
    """Return when the letter of this number was written: one every few hours, in one time zone or another."""
    zone = timezone(timedelta(minutes=(0, 60, 120, 330, -300, 540)[number % 6]))
    return (_MONDAY + timedelta(hours=3 * number, minutes=7 * number % 60)).astimezone(zone)


def date(number: int) -> str:
    """Return the Date header of the letter of this number."""
    return format_datetime(moment(number))


def message_id(number: int) -> str:
    """Return the Message-ID of the letter of this number."""
    return f"<{number:06d}.office@mail.example.org>"


def trace(number: int) -> list[tuple[str, str]]:
    """Return what the servers on the way have put on top."""
    here = f"by mail.example.net with ESMTPS id {number * 2654435761 % 2**32:08X}"
    return [
        ("Return-Path", "<office@example.org>"),
        ("Delivered-To", "office@example.net"),
        ("Received", f"from mx.example.org ([192.0.2.{number % 250 + 1}])\n\t{here};\n\t{date(number)}"),
    ]
