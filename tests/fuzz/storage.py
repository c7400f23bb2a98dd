"""What is stored and compared: mboxrd, canonical form, header facts, proofs of copies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from migrator.destinations.mbox import mboxrd
from migrator.imap.find_copies import header_key, loose_form, unpacked
from migrator.imap.internal_date import internal_date
from migrator.message.arrival_date import arrival_date
from migrator.message.body import MemoryBody
from migrator.message.digest import (
    canonical,
    digest_of,
    digest_of_body,
    header_block,
    header_facts,
    same_but_for_server_headers,
)
from migrator.message.line_ends import pieces_to_lf, to_crlf, to_lf
from migrator.message.proof import prove
from migrator.model import Proof
from tests.fuzz.draw import Draw, Slices

NOW = datetime(2026, 11, 23, tzinfo=UTC)
_DATE = mboxrd.timestamp(NOW)
SERVER_HEADERS = (b"Status: RO\r\n", b"X-UID: 7\r\n", b"x-keywords: a\r\n b\r\n", b"Content-Length: 1\r\n")


@dataclass(frozen=True)
class Sliced:
    """A message that comes in pieces."""

    content: bytes
    slices: Slices

    @property
    def octets(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        yield from self.slices.of(self.content)


def quoting(data: bytes) -> None:
    """Quote and undo it; in slices too; then find the records again among others."""
    draw = Draw(data)
    slices = draw.slices()
    message = canonical(draw.rest())
    content = mboxrd.encode(message)
    assert mboxrd.decode(content) == message
    assert re.search(rb"(?m)^From ", content) is None
    assert b"".join(mboxrd.encoded(slices.of(message))) == content
    assert b"".join(mboxrd.decoded(slices.of(content))) == message
    sender = mboxrd.envelope_sender(message)
    assert re.fullmatch(rb"[!-~]+", sender), sender
    record = mboxrd.frame(sender, _DATE) + content + b"\n"
    volume = record * 3
    spans = list(mboxrd.scan(mboxrd.reader_of(volume), 0, len(volume)))
    assert [(span.offset, span.length) for span in spans] == [(n * len(record), len(record)) for n in range(3)]
    assert all(span.is_readable for span in spans)


def scanning(data: bytes) -> None:
    """Find records in anything; the size of the reads makes no difference, and no byte belongs to two records."""
    draw = Draw(data)
    chunk = 1 + draw.number(64)
    volume = draw.rest()
    read = mboxrd.reader_of(volume)
    spans = list(mboxrd.scan(read, 0, len(volume)))
    assert list(mboxrd.scan(read, 0, len(volume), chunk=chunk)) == spans
    assert all(one.end == other.offset for one, other in pairwise(spans))
    assert not spans or spans[-1].end == len(volume)
    assert [span.is_last for span in spans] == [False] * (len(spans) - 1) + [True] * bool(spans)


def canonical_form(data: bytes) -> None:
    """Make line ends even, and take the digests that rest on it."""
    draw = Draw(data)
    slices = draw.slices()
    received = draw.rest()
    message = canonical(received)
    assert message == re.sub(rb"(?<!\r)\n", b"\r\n", received)
    assert canonical(message) == message
    assert to_crlf(to_lf(message)) == message
    assert b"".join(pieces_to_lf(slices.of(message))) == to_lf(message)
    assert digest_of_body(Sliced(message, slices)) == digest_of(message)


def header(data: bytes) -> None:
    """Take a header's facts; what servers add of their own changes none of them."""
    draw = Draw(data)
    added = draw.one_of(SERVER_HEADERS)
    slices = draw.slices()
    message = canonical(draw.rest())
    block = header_block(message)
    facts = header_facts(block)
    assert b"\n" not in facts.message_id
    if block.endswith(b"\r\n") and not block.startswith((b" ", b"\t")):
        assert header_facts(added + block).digest == facts.digest
        assert same_but_for_server_headers(MemoryBody(added + message), Sliced(message, slices))
    moment = arrival_date(block.replace(b"\r\n", b"\n"), NOW).moment
    assert re.fullmatch(rb'"[ \d]\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d [+-]\d{4}"', internal_date(moment))
    header_key(block)
    assert loose_form(Sliced(message, slices)) == loose_form(MemoryBody(message))
    unpacked(message)


def proving(data: bytes) -> None:
    """Compare two messages by every grade of proof: equal is exact, slices change nothing, garbage raises nothing."""
    draw = Draw(data)
    slices = draw.slices()
    share = draw.number(256)
    both = draw.rest()
    cut = len(both) * share // 256
    one, other = canonical(both[:cut]), canonical(both[cut:])
    assert prove(MemoryBody(one), Sliced(one, slices)).proof is Proof.EXACT
    finding = prove(MemoryBody(one), other)
    assert (finding.proof is Proof.EXACT) == (one == other)
    assert prove(Sliced(one, slices), Sliced(other, slices)) == finding
    bare = one.replace(b"\r", b"")
    assert prove(MemoryBody(one), bare).proof in {Proof.EXACT, Proof.CANONICAL}
