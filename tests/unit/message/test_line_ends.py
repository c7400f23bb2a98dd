from __future__ import annotations

import pytest

from migrator.message.body import LinesBody, MemoryBody, PiecedBody
from migrator.message.digest import canonical, digest_of, lf_lines
from migrator.message.line_ends import (
    beginning_of,
    lines_of,
    pieces_of_lines,
    to_crlf,
    to_lf,
)
from migrator.pop3.assembly import Collector, small_message
from tests.unit.pop3.scripted import MemorySpool

EVEN = [
    b"",
    b"\r\n",
    b"a: b\r\n",
    b"a: b\r\n\r\nbody\r\n",
    b"a: b\r\n\r\n\r\n\r\nFrom me\r\nno end",
]
UNEVEN = [b"a: b\r\n\r\nbare\rcr\r\n", b"\r", b"\r\r\n", b"x\ry\nz", b"\n\r"]


@pytest.mark.parametrize("message", EVEN)
def test_lines_are_undone_exactly_where_there_are_any(message: bytes) -> None:
    lines = lf_lines(message)
    assert lines is not None
    assert b"\r" not in lines
    assert to_crlf(lines) == message


@pytest.mark.parametrize("message", [*UNEVEN, b"bare\nlf\r\n"])
def test_a_cr_or_lf_alone_leaves_no_lines(message: bytes) -> None:
    assert lf_lines(message) is None


@pytest.mark.parametrize("message", [*EVEN, b"a: b\r\n\r\nbare\rcr\r\n", b"\r\r\n"])
def test_a_message_is_the_same_however_it_is_held(message: bytes) -> None:
    held = small_message(message)
    plain = MemoryBody(message)
    assert b"".join(held.body.chunks()) == message
    assert (held.octets, held.digest) == (len(message), digest_of(message))
    assert lines_of(held.body) == lines_of(plain) == to_lf(message)
    assert isinstance(held.body, LinesBody)


@pytest.mark.parametrize("header", [b"a: b\r\nc: d\r\n\r\n", b"\r\n\r\n", b""])
def test_the_beginning_holds_the_header(header: bytes) -> None:
    body = small_message(header + b"x" * 100 + b"\r\n\r\ny\r\n").body
    assert isinstance(body, LinesBody)
    assert beginning_of(body, 1_000).startswith(to_lf(header))


def test_the_beginning_of_an_endless_header_is_bounded() -> None:
    body = small_message(b"x: y\r\n" * 1_000).body
    assert len(beginning_of(body, 100)) < 200


@pytest.mark.parametrize("piece", [*EVEN, *UNEVEN])
def test_a_message_in_pieces_gives_the_lines_of_the_whole(piece: bytes) -> None:
    collector = Collector(MemorySpool)
    pieces = [b"a: b\r\n\r\n", piece.removesuffix(b"\r"), b"between\r\n", piece.replace(b"\r\n", b"\n"), b".\r\n"]
    for part in pieces:
        collector.add(part)
    body = collector.message().body
    whole = canonical(b"".join(pieces))
    assert isinstance(body, PiecedBody)
    assert (body.octets, b"".join(body.chunks())) == (len(whole), whole)
    assert b"".join(pieces_of_lines(body)) == b"".join(pieces_of_lines(MemoryBody(whole))) == to_lf(whole)
