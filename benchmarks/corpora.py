"""The mail of the benchmarks: generated, the same every time, shaped like what people keep.

``small`` is lists and notices, ``office`` is text, HTML and attachments, ``large`` and ``huge`` are attachments,
``tiny`` is for maildrops of which only the number of messages matters.
"""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Callable, Iterator
from math import log
from random import Random

_WORDS = tuple(
    """
    the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which
    one you were all her she there would their we him been has when who will no more if out so up said what its about
    than into them can only other time new some could these two may first then do any like my now over such our man
    """.split()  # noqa: SIM905  # a hundred quoted words are no easier to read
)


def small(count: int = 20_000) -> Iterator[bytes]:
    """Yield text messages with a median of 4.4 KB and a mean of 7."""
    return _texts(count, median=4_400, spread=1.15)


def tiny(count: int) -> Iterator[bytes]:
    """Yield messages of a few hundred bytes."""
    return (
        b"Message-ID: <%d@bench.example.org>\nSubject: message %d\nFrom: a@example.org\n\nNumber %d.\n" % (n, n, n)
        for n in range(count)
    )


def office(count: int = 3_000) -> Iterator[bytes]:
    """Yield a mixture: 55 % text, 27 % HTML, 18 % with an attachment of up to 8 MB that makes up most of the bytes."""
    chance = Random("office")
    lines = _lines(chance)
    for number in range(count):
        kind = chance.random()
        text = _text(chance, lines, chance.lognormvariate(log(5_000), 0.8))
        if kind < 0.55:
            yield _head(number, chance) + text
        elif kind < 0.82:
            yield _with_html(number, chance, lines, text)
        else:
            size = min(8_000_000, int(chance.lognormvariate(log(450_000), 1.1)))
            yield _with_attachment(number, chance, text, size)


def large(count: int = 60) -> Iterator[bytes]:
    """Yield messages of 10 MB."""
    return _attachments("large", count, 10_000_000)


def huge(count: int = 1) -> Iterator[bytes]:
    """Yield messages of 200 MB."""
    return _attachments("huge", count, 200_000_000)


CORPORA: dict[str, Callable[[int], Iterator[bytes]]] = {
    "small": small,
    "tiny": tiny,
    "office": office,
    "large": large,
    "huge": huge,
}


def _texts(count: int, *, median: float, spread: float) -> Iterator[bytes]:
    chance = Random("small")
    lines = _lines(chance)
    for number in range(count):
        size = min(200_000.0, chance.lognormvariate(log(median - 900), spread))
        yield _head(number, chance) + _text(chance, lines, size)


def _attachments(name: str, count: int, octets: int) -> Iterator[bytes]:
    chance = Random(name)
    lines = _lines(chance)
    for number in range(count):
        yield _with_attachment(number, chance, _text(chance, lines, 2_000), octets)


def _head(number: int, chance: Random, content_type: bytes = b"text/plain; charset=utf-8") -> bytes:
    """Return some 900 bytes of header, each with a Message-ID of its own, and the blank line."""
    hops = b"".join(
        b"Received: from mx%d.example.org (mx%d.example.org [192.0.2.%d])\n\tby in.example.net with ESMTPS id %016x\n"
        b"\tfor <owner@example.net>; Mon, 14 Sep 2026 08:%02d:%02d +0000\n"
        % (hop, hop, chance.randrange(256), chance.getrandbits(64), number % 60, hop)
        for hop in range(3)
    )
    return (
        b"Return-Path: <sender%d@example.org>\n" % (number % 997)
        + hops
        + b"Message-ID: <%016x.%d@bench.example.org>\nDate: Mon, 14 Sep 2026 08:%02d:00 +0000\n"
        % (chance.getrandbits(64), number, number % 60)
        + b"From: Sender %d <sender%d@example.org>\nTo: owner@example.net\nSubject: Message number %d\n"
        % (number % 997, number % 997, number)
        + b"MIME-Version: 1.0\nContent-Type: %b\n\n" % content_type
    )


def _lines(chance: Random) -> list[bytes]:
    """Return the stock of lines that texts are made of; one in a few hundred needs quoting or stuffing."""
    stock = [" ".join(chance.choices(_WORDS, k=chance.randrange(4, 15))).encode() + b"\n" for _ in range(4_000)]
    return [*stock, b"\n", b"\n", b"From here on it gets better.\n", b">From a reply\n", b".\n", b"..dots\n"]


def _text(chance: Random, lines: list[bytes], octets: float) -> bytes:
    return b"".join(chance.choices(lines, k=max(1, int(octets / 43))))


def _with_html(number: int, chance: Random, lines: list[bytes], text: bytes) -> bytes:
    paragraphs = _text(chance, lines, chance.lognormvariate(log(25_000), 0.7)).split(b"\n")
    page = b"".join(b'<p class="x" style="margin:0">%b</p>\n' % paragraph for paragraph in paragraphs)
    return _multipart(number, chance, b"alternative", text, b"Content-Type: text/html; charset=utf-8\n\n" + page)


def _with_attachment(number: int, chance: Random, text: bytes, octets: int) -> bytes:
    """Return a message that weighs about ``octets`` in all; base64 takes 78 bytes for 57."""
    data = chance.randbytes(max(1, octets - len(text) - 1_200) * 57 // 78)
    head = b"Content-Type: application/octet-stream; name=a.bin\nContent-Transfer-Encoding: base64\n\n"
    return _multipart(number, chance, b"mixed", text, head + encodebytes(data))


def _multipart(number: int, chance: Random, kind: bytes, text: bytes, part: bytes) -> bytes:
    head = _head(number, chance, b'multipart/%b; boundary="=-bench"' % kind)
    plain = b"--=-bench\nContent-Type: text/plain; charset=utf-8\n\n" + text
    return head + plain + b"\n--=-bench\n" + part + b"\n--=-bench--\n"
