"""POP3: whatever comes, in whatever slices, is understood in one way or ends in an error of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from migrator.errors import FerryError
from migrator.pop3.columns import OddLines, Text
from migrator.pop3.protocol import (
    MOVES,
    NEED_DATA,
    BodyBegins,
    BodyEnds,
    BodyPart,
    Challenge,
    Outcome,
    Protocol,
    Reply,
    Verb,
)
from migrator.pop3.refusals import Stage, refusal, response_code, what_is_said
from migrator.pop3.replies import (
    BodyReader,
    apop_timestamp,
    parse_capabilities,
    parse_stat,
    parse_status,
    whole_body,
)
from migrator.pop3.retrieve import InStep, Retrieved, RetrieveEvent
from migrator.pop3.server_profile import ServerProfile
from migrator.pop3.transport import Saying
from tests.fuzz.draw import Draw, said_well
from tests.unit.pop3 import scripted

SECRET = b"pass-word-1"
_TRANSACTION = (Verb.STAT, Verb.LIST, Verb.UIDL, Verb.RETR, Verb.TOP, Verb.DELE, Verb.NOOP, Verb.CAPA, Verb.RSET)
_ALONE = (Verb.CAPA, Verb.USER, Verb.PASS, Verb.APOP, Verb.STLS, Verb.AUTH)


def replies(data: bytes) -> None:
    """Read one line as everything that a line can be."""
    draw = Draw(data)
    stage = draw.one_of(tuple(Stage))
    line = draw.rest()
    parse_status(line)
    parse_stat(line)
    assert re.fullmatch(rb"(?:<[!-~]+@[!-~]+>)?", apop_timestamp(line))
    assert response_code(line).isascii()
    what_is_said(line)
    said_well(refusal(stage, line, secrets=(SECRET,), wait=60.0), SECRET.decode())
    try:
        capabilities = parse_capabilities(line)
    except FerryError:
        return
    assert capabilities.login_delay is None or capabilities.login_delay >= 0
    assert all(name.isprintable() for name in (*capabilities.sasl, capabilities.expire, capabilities.implementation))


def protocol(data: bytes) -> None:
    """Feed the protocol machine after legal commands, whole and sliced."""
    draw = Draw(data)
    commands = _commands(draw)
    slices = draw.slices()
    said = draw.rest()
    whole = _told(commands, [said])
    assert _told(commands, slices.of(said)) == whole
    if len(said) < 3000:
        assert _told(commands, (said[at : at + 1] for at in range(len(said)))) == whole


def _commands(draw: Draw) -> list[tuple[Verb, int]]:
    """Return what is sent at once: one command where a state may change, up to five where none does."""
    if draw.number(3) == 0:
        return [(draw.one_of(_ALONE), 0)]
    return [(draw.one_of(_TRANSACTION), draw.number(4)) for _ in range(1 + draw.number(5))]


def _told(commands: list[tuple[Verb, int]], pieces: Iterable[bytes]) -> list[object]:
    """Return what the machine makes of it: replies as one, however they came, and the error that ended it."""
    machine = Protocol()
    machine.secrets = (SECRET,)
    machine.receive(b"+OK ready\r\n")
    machine.next_event()
    if (commands[0][0], Outcome.SENT) not in MOVES[machine.state] or commands[0][1] or len(commands) > 1:
        machine.send(Verb.PASS)
        machine.receive(b"+OK\r\n")
        machine.next_event()
    for verb, number in commands:
        machine.send(verb, number)
    told: list[object] = []
    try:
        for piece in pieces:
            machine.receive(piece)
            told += _events(machine)
    except FerryError as error:
        told.append(type(error))
    told.append((machine.state, machine.in_flight, machine.completed))
    return _joined(told)


def _events(machine: Protocol) -> Iterator[object]:
    while (event := machine.next_event()) is not NEED_DATA:
        yield event
        if isinstance(event, Challenge):
            machine.respond(b"")


def _joined(told: list[object]) -> list[object]:
    """Make one reply of one that was streamed, and nothing of one that was not finished."""
    joined: list[object] = []
    begun: Reply | None = None
    for event in told:
        match event:
            case BodyBegins(verb, number, text):
                begun = Reply(verb, number, is_ok=True, text=text, content=b"")
            case BodyPart(content) if begun is not None:
                begun.content += content
            case BodyEnds() if begun is not None:
                joined.append(begun)
                begun = None
            case _:
                joined.append(event)
    return joined


def dots(data: bytes) -> None:
    """Undo dot-stuffing in every way there is; what a correct server sends comes back as it was."""
    draw = Draw(data)
    is_bare_lf = bool(draw.number(2))
    slices = draw.slices()
    wire = draw.rest()
    status = b"+OK\n" if is_bare_lf else b"+OK\r\n"
    whole = whole_body(status + wire, len(status), is_bare_lf=is_bare_lf)
    reader = BodyReader(is_bare_lf=is_bare_lf)
    assert _read(reader, slices.of(wire)) == (None if whole is None else whole[0])
    message = wire.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    message += b"" if message.endswith(b"\r\n") or not message else b"\r\n"
    sent = scripted.stuffed(message) + b"+OK next\r\n"
    assert whole_body(b"+OK\r\n" + sent, 5, is_bare_lf=False) == (message, len(sent) - 10 + 5)
    assert _read(BodyReader(is_bare_lf=False), slices.of(sent)) == message


def _read(reader: BodyReader, pieces: Iterable[bytes]) -> bytes | None:
    content = b""
    for piece in pieces:
        parts, end = reader.feed(piece)
        content += b"".join(parts)
        if end >= 0:
            return content
    return None


def listing(data: bytes) -> None:
    """Understand a listing's text, in whatever pieces it came."""
    draw = Draw(data)
    slices = draw.slices()
    content = draw.rest()
    whole = _lines([content])
    if isinstance(whole, list):  # an error may come earlier with pieces, and says other words
        assert _lines(slices.of(content)) == whole
    else:
        assert isinstance(_lines(slices.of(content)), str)


def _lines(pieces: Iterable[bytes]) -> list[tuple[int, bytes]] | str:
    text = Text(allowed=200, spool_dir=None)
    try:
        for piece in pieces:
            text.write(piece)
        return [
            entry
            for numbers, behind in text.columns(OddLines(Verb.LIST))
            for entry in zip(numbers, behind, strict=True)
        ]
    except FerryError as error:
        return str(error.kind)
    finally:
        text.close()


MESSAGES = [scripted.sample(number) for number in range(1, 6)]
_PLACES = ("CAPA", "AUTH", "USER", "PASS", "STAT", "LIST", "UIDL", "RETR 1", "RETR 2", "RETR 5", "DELE 2", "QUIT")


def session(data: bytes) -> None:
    """Hold a whole session with a server that says anything at some places, instead of or besides what is right."""
    draw = Draw(data)
    slice_size = 1 + draw.number(300)
    is_added = draw.number(2)
    places = [draw.one_of(_PLACES) for _ in range(1 + draw.number(3))]
    said = draw.rest()
    share = len(said) // len(places) + 1
    parts = {place: said[n * share : (n + 1) * share] for n, place in enumerate(places)}
    sayings: dict[str, list[Saying]] = {place: [part] for place, part in parts.items()}
    server = scripted.Maildrop(MESSAGES, before=parts) if is_added else scripted.Maildrop(MESSAGES, says=sayings)
    try:
        opened = scripted.opened(server, ServerProfile(), slice_size=slice_size)
        listing_ = opened.session.listing()
        seen = list(listing_)
        listing_.close()
        told = list(opened.session.retrieve(iter(seen), scripted.Room(), scripted.MemorySpool))
        list(opened.session.delete(opened.numbers(2)))
        opened.session.quit()
    except FerryError as error:
        said_well(error, scripted.PASSWORD)
        return
    for number, content in _in_step(told):
        assert f"RETR {number}" in parts or content == MESSAGES[number - 1]


def _in_step(told: list[RetrieveEvent]) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each message that was known to be the one asked for."""
    waiting: list[tuple[int, bytes]] = []
    for event in told:
        if isinstance(event, Retrieved):
            waiting.append((event.number, b"".join(event.message.body.chunks())))
        elif isinstance(event, InStep):
            yield from waiting
            waiting = []
