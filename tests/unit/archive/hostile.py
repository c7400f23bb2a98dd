"""Mail that was made to hurt who reads it."""

from __future__ import annotations


def nested(depth: int) -> bytes:
    """A part in a part in a part."""
    opening = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(depth)
    )
    return b"Subject: nested deeply\r\n" + opening + b"\r\nx\r\n"


def empty_parts(count: int) -> bytes:
    head = b"Subject: empty parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    return head + b"--b\r\n\r\n" * count + b"--b--\r\n"


def long_inner_header(words: int) -> bytes:
    """A header inside a part, of so many encoded words: decoding takes time by the square of them."""
    inner = b"Subject: " + b"=?utf-8?q?a?= " * words
    return (
        b"Subject: slow inside\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        + inner
        + b"\r\n\r\n\r\n--b--\r\n"
    )


def long_header(words: int) -> bytes:
    return b"Subject: " + b"=?utf-8?q?a?= " * words + b"\r\n\r\nfindable body\r\n"


HOSTILE = {
    "2,000 nested parts": nested(2_000),
    "100,000 empty parts": empty_parts(100_000),
    "a million encoded words": long_header(1_000_000),
    "messages in messages": b"Content-Type: message/rfc822\r\n\r\n" * 3_000 + b"x",
    "200,000 headers": b"X: y\r\n" * 200_000 + b"\r\nx",
    "a header of 4 MB, folded": b"Subject: " + b"a\r\n " * 1_000_000 + b"\r\n\r\nx",
    "100,000 parameters": b"Content-Type: text/plain; " + b"name*0=a; " * 100_000 + b"\r\n\r\nx",
    "deep HTML": b"Content-Type: text/html\r\n\r\n" + b"<div>" * 200_000 + b"deep",
    "broken HTML": b"Content-Type: text/html\r\n\r\n" + b"<a <b <!-- <![CDATA[ <script>" * 10_000,
    "broken base64": b"Content-Transfer-Encoding: base64\r\n\r\n*=" * 1_000,
    "nothing": b"",
    "NULs": b"\0" * 100_000,
    "noise": bytes(range(256)) * 400,
}
