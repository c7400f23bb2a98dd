"""What a POP3 session says and hears, as lines of a trace: arguments that are secret become stars, bodies sizes."""

from __future__ import annotations

from collections.abc import Callable

from migrator.net.trace import MASK, Transcript
from migrator.pop3.protocol import BodyBegins, BodyEnds, BodyPart, Challenge, Event, NeedData, Protocol, Reply, Verb


def said(verb: Verb, number: int, argument: bytes) -> bytes:
    """Return a command as a trace shows it."""
    if verb is Verb.PASS:
        argument = MASK
    elif verb in {Verb.APOP, Verb.AUTH}:  # user and digest; mechanism and initial response
        first, blank, _ = argument.partition(b" ")
        argument = first + blank + MASK if blank else first
    return b" ".join([verb.encode(), *([b"%d" % number] if number else []), *([argument] if argument else [])])


def hearing(protocol: Protocol, trace: Transcript) -> Callable[[], Event | NeedData]:
    """Return what gives a protocol's events and traces them."""
    octets = 0

    def next_event() -> Event | NeedData:
        nonlocal octets
        event = protocol.next_event()
        match event:
            case Reply():
                trace.server((b"+OK " if event.is_ok else b"-ERR ") + event.text, protocol.secrets)
                _trace_content(trace, event)
            case Challenge():
                trace.server(b"+ " + MASK)
            case BodyBegins():
                octets = 0
                trace.server(b"+OK " + event.text, protocol.secrets)
            case BodyPart():
                octets += len(event.content)
            case BodyEnds():
                trace.body(octets)
            case NeedData.NEED_DATA:
                pass
        return event

    return next_event


def _trace_content(trace: Transcript, reply: Reply) -> None:
    if reply.verb is Verb.CAPA:
        for line in reply.content.splitlines():
            trace.server(line)
    elif reply.content:
        trace.body(len(reply.content))
