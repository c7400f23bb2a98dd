"""One command for each of many messages, said ahead where that is allowed: TOP n 0 and DELE.

A reply to TOP is read to the end of the header. A server that sends the message behind it (RFC 1939, section 7: n lines
of the body, here none) is not worth asking: beyond some room for oddities the session ends over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from migrator.errors import FerryError, Kind
from migrator.message.digest import HeaderFacts, canonical, header_block, header_facts
from migrator.model import MessageNumber
from migrator.pop3.connection import Conversation
from migrator.pop3.protocol import BodyBegins, BodyEnds, BodyPart, Reply, Verb, out_of_step

_HEADER_KEPT = 512 * 1024
_HEADER_BOUND = 8 * 1024 * 1024
_BODY_BOUND = 64 * 1024
_BODY_LINES_TOLERATED = 4 * 1024
"""Octets behind a header, asked for none: OpenMail gives a line, which is no message."""


class WholeBodyError(FerryError):
    """TOP n 0 gives the body, too: the server has no TOP that is worth its name."""


def replies(
    line: Conversation, verb: Verb, numbers: Iterable[MessageNumber], argument: bytes, *, window: int
) -> Iterator[Reply]:
    """Say one command for each number, ``window`` of them ahead, and yield the replies in order."""
    unsaid = iter(numbers)
    line.expect_silence()
    for number in islice(unsaid, window):
        line.send(verb, number, argument)
    while line.protocol.in_flight:
        yield _reply_cut_short(line)
        for number in islice(unsaid, 1):
            if not line.protocol.in_flight:
                line.expect_silence()
            line.send(verb, number, argument)


def short_replies(
    line: Conversation, verb: Verb, numbers: Iterable[MessageNumber], *, window: int
) -> Iterator[list[MessageNumber] | Reply]:
    """Say one command for each number, up to ``window`` of them ahead; yield in order what was accepted, and refusals.

    For commands whose replies have one line. One by one, they would cost more here than at the server.
    """
    unsaid = iter(numbers)
    while True:
        in_flight = line.protocol.in_flight
        if in_flight <= window // 2 and (said := list(islice(unsaid, window - in_flight))):
            if not in_flight:
                line.expect_silence()
            line.send_each(verb, said)
        elif not in_flight:
            return
        if accepted := line.accepted(verb):
            yield accepted
            continue
        reply = _reply_cut_short(line)
        yield [MessageNumber(reply.number)] if reply.is_ok else reply


def _reply_cut_short(line: Conversation) -> Reply:
    """Wait for a reply; of a long one only the beginning is kept."""
    event = line.next_event()
    if isinstance(event, Reply):
        return event
    if not isinstance(event, BodyBegins):
        raise out_of_step("a SASL challenge out of place", b"")
    kept, octets, body_at = bytearray(), 0, -1
    while not isinstance(part := line.next_event(), BodyEnds):
        piece = part.content if isinstance(part, BodyPart) else b""
        octets += len(piece)
        if len(kept) < _HEADER_KEPT:
            kept += piece
            body_at = _blank_line(kept, len(kept) - len(piece)) if body_at < 0 else body_at
        _check_length(octets, body_at)
    return Reply(event.verb, event.number, is_ok=True, text=event.text, content=bytes(kept))


def _blank_line(kept: bytearray, news: int) -> int:
    """Return where the first blank line stands, -1 if none does; before ``news`` none was found."""
    places = [kept.find(mark, max(0, news - len(mark))) for mark in (b"\n\r\n", b"\n\n")]
    return min((place for place in places if place >= 0), default=-1)


def _check_length(octets: int, body_at: int) -> None:
    """Raise if a header has ended long ago, or never does."""
    if 0 <= body_at < octets - _BODY_BOUND:
        raise WholeBodyError(Kind.PROTOCOL, "TOP gives the whole message where its header was asked for")
    if octets > _HEADER_BOUND:
        raise FerryError(Kind.PROTOCOL, "an endless header")


def header_of(reply: Reply) -> HeaderFacts:
    """Return what a reply to TOP says of its message. Raises ``protocol`` if it begins like another reply."""
    if reply.content[:4].upper().startswith((b"+OK", b"-ERR")):
        raise out_of_step("a header that begins with a status line", reply.content[:80])
    return header_facts(header_block(canonical(reply.content)))


def shows_body(reply: Reply) -> bool:
    """Say whether a complete reply to TOP n 0 holds more than a header and a line or two."""
    return len(reply.content) - len(header_block(canonical(reply.content))) > _BODY_LINES_TOLERATED
