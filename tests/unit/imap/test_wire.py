"""What the upload engine relies on in imaplib, on every supported Python, and what the line may do."""

from __future__ import annotations

import imaplib
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from threading import Thread
from typing import Protocol

import pytest

from migrator.errors import FerryError, Kind
from migrator.imap.append import Appender, AppendItem, options_of
from migrator.imap.capabilities import UploadCapabilities
from migrator.imap.fetch import BodyFetcher
from migrator.imap.find_copies import Glance, message_key
from migrator.imap.wire import LONGEST_LINE, Wire
from migrator.message.body import MemoryBody
from tests.mail import Pieces
from tests.unit.imap.scripted import Script, serving

OPTIONS = options_of([], b'" 1-Jan-2026 00:00:00 +0000"')


ticking = count().__next__  # a clock that goes on by a second whenever it is looked at


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def wire(script: Script) -> Iterator[Wire]:
    with serving(script) as port:
        wire = Wire(
            "127.0.0.1",
            port,
            lambda: socket.create_connection(("127.0.0.1", port)),
            timeout=10,
            clock=count().__next__,
        )
        yield wire
        wire.shutdown()


class Fed(Protocol):
    def __call__(self, *pieces: bytes, clock: Callable[[], float] = ..., timeout: float = ...) -> Wire: ...


@pytest.fixture
def fed() -> Iterator[Fed]:
    """Make wires at whose other end given pieces are said, and then nothing more."""
    with ExitStack() as wires:

        def wire(*pieces: bytes, clock: Callable[[], float] = ticking, timeout: float = 5.0) -> Wire:
            near, far = socket.socketpair()
            wires.callback(near.close)
            Thread(target=quietly(say), args=[far, pieces], daemon=True).start()
            made = Wire("test", 143, lambda: near, timeout=timeout, clock=clock)
            made.send(b"go\r\n")
            return made

        yield wire


def say(far: socket.socket, pieces: tuple[bytes, ...]) -> None:
    with far:
        far.sendall(b"* OK hello\r\n")
        tag = far.recv(1000).split()[0]
        far.sendall(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK\r\n")
        far.recv(1000)  # the go-ahead of the test
        for piece in pieces:
            far.sendall(piece)
        far.shutdown(socket.SHUT_WR)
        while far.recv(1000):
            pass


def quietly(serve: Callable[[socket.socket, tuple[bytes, ...]], None]) -> Callable[..., None]:
    def served(far: socket.socket, pieces: tuple[bytes, ...]) -> None:
        with suppress(OSError):
            serve(far, pieces)

    return served


def test_imaplib_reads_and_writes_through_us(wire: Wire, script: Script) -> None:
    assert wire.state == "NONAUTH"
    assert "AUTH=PLAIN" in wire.capabilities
    assert wire.noop()[0] == "OK"
    assert script.heard[-1].endswith(b" NOOP\r\n")


def test_our_commands_and_those_of_imaplib_take_turns(wire: Wire) -> None:
    for _ in range(3):
        tag = wire.new_tag()
        wire.send(tag + b" NOOP\r\n")
        reply = wire.next_status()
        assert reply is not None
        assert reply.tag == tag
        assert wire.noop()[0] == "OK"


def test_an_append_sends_exactly_the_bytes_of_the_message(wire: Wire, script: Script) -> None:
    content = b"A: b\r\n\r\nbare\nand\rand\r\r\n\0\xff."
    upload_capabilities = UploadCapabilities.of({b"LITERAL+", b"MULTIAPPEND"})
    Appender(wire, b'"INBOX"', upload_capabilities).send(
        [AppendItem(MemoryBody(content), OPTIONS), AppendItem(Pieces(content, 3), OPTIONS)]
    )
    literal = b' " 1-Jan-2026 00:00:00 +0000" {%d+}\r\n%b' % (len(content), content)
    assert script.heard[-1].partition(b" ")[2] == b'APPEND "INBOX"' + literal * 2 + b"\r\n"


def test_flags_stand_between_folder_and_date() -> None:
    assert options_of([b"\\Seen", b"$X"], b'"date"') == b' (\\Seen $X) "date" '
    assert options_of([], b'"date"') == b' "date" '


def test_a_body_that_is_not_as_long_as_it_says_ends_the_connection(wire: Wire) -> None:
    class Liar(Pieces):
        @property
        def octets(self) -> int:
            return len(self.content) + 1

    with pytest.raises(FerryError) as raised:
        Appender(wire, b'"INBOX"', UploadCapabilities.of({b"LITERAL+"})).send([AppendItem(Liar(b"x"), OPTIONS)])
    assert raised.value.kind is Kind.INTERNAL
    with pytest.raises(OSError, match="file descriptor"):
        wire.send(b"more\r\n")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_replies_may_come_in_any_pieces(fed: Fed, size: int) -> None:
    said = b"* 1 FETCH (UID 5 BODY[] {5}\r\na\r\n)b)\r\n* 7 EXISTS\r\nmf1 OK done\r\n"
    wire = fed(*(said[start : start + size] for start in range(0, len(said), size)), timeout=1000)
    [(uid, body)] = BodyFetcher(wire, None).bodies([5]).items()
    assert (uid, b"".join(body.chunks())) == (5, b"a\r\n)b")


@pytest.mark.parametrize(
    "response",
    [
        b"* 1 FETCH (BODY[] {3}\r\nabc UID 5)",
        b'* 1 FETCH (UID 5 BODY[] "abc")',
        b"* 1 FETCH (FLAGS (\\Seen) UID 5 ENVELOPE {2}\r\nxx BODY[] {3}\r\nabc)",
        b"* 1 FETCH (UID 5 FLAGS (\\Seen))\r\n* 1 FETCH (UID 5 BODY[] {3}\r\nabc)",
        b"* 1 FETCH (UID 4 BODY[] {3}\r\nxyz)\r\n* 2 FETCH (UID 5 BODY[] {3}\r\nabc)",
        b"* OK {9}\r\nan oddity more\r\n* 1 FETCH (UID 5 BODY[] {3}\r\nabc)",
    ],
)
def test_a_body_is_found_wherever_the_server_puts_it(fed: Fed, response: bytes) -> None:
    wire = fed(response + b"\r\nmf1 OK done\r\n")
    assert {uid: b"".join(body.chunks()) for uid, body in BodyFetcher(wire, None).bodies([5]).items()} == {5: b"abc"}


@pytest.mark.parametrize(
    "response", [b"* 1 FETCH (UID 5 BODY[] NIL)", b"* 1 FETCH (UID 5)", b"* 1 FETCH (BODY[] {1}\r\nx)"]
)
def test_a_body_that_is_not_given_is_not_there(fed: Fed, response: bytes) -> None:
    wire = fed(response + b"\r\nmf1 OK done\r\n")
    assert BodyFetcher(wire, None).bodies([5]) == {}


def test_sizes_leave_out_the_last_message_that_a_star_always_names(fed: Fed) -> None:
    wire = fed(b"* 9 FETCH (UID 40 RFC822.SIZE 7)\r\nmf1 OK done\r\n")
    assert BodyFetcher(wire, None).sizes(41) == []


def test_sizes_are_asked_on_where_the_server_tells_a_limited_number(fed: Fed) -> None:
    wire = fed(
        b"* 3 FETCH (UID 9 RFC822.SIZE 3)\r\n* 2 FETCH (UID 8 RFC822.SIZE 2)\r\nmf1 OK [MESSAGELIMIT 2 8] more\r\n",
        b"* 1 FETCH (UID 4 RFC822.SIZE 1)\r\nmf2 OK done\r\n",
    )
    assert [(one.uid, one.size) for one in BodyFetcher(wire, None).sizes(1)] == [(4, 1), (8, 2), (9, 3)]


def test_a_listing_tells_sizes_and_message_ids_as_they_come(fed: Fed) -> None:
    field = b"BODY[HEADER.FIELDS (MESSAGE-ID)]"
    wire = fed(
        b"* 3 FETCH (UID 9 RFC822.SIZE 3 %b {26}\r\nMessage-Id:\r\n\t<a@b.c>\r\n\r\n)\r\n" % field,
        b"* 2 FETCH (UID 8 RFC822.SIZE 2 %b {2}\r\n\r\n)\r\n" % field,
        b"* 2 FETCH (FLAGS (\\Seen) UID 2)\r\nmf1 OK [MESSAGELIMIT 2 8] more\r\n",
        b"* 1 FETCH (UID 4 RFC822.SIZE 1 %b NIL)\r\nmf2 OK done\r\n" % field,
    )
    seen: list[Glance] = []
    BodyFetcher(wire, None).glance(1, seen.append)
    assert seen == [Glance(9, 3, message_key(b"<a@b.c>")), Glance(8, 2, b""), Glance(4, 1, b"")]


def test_a_limit_that_hides_nothing_more_ends_the_listing(fed: Fed) -> None:
    wire = fed(b"* 1 FETCH (UID 7 RFC822.SIZE 3)\r\nmf1 OK [MESSAGELIMIT 1 7] more\r\n")
    assert [one.uid for one in BodyFetcher(wire, None).sizes(7)] == [7]


def test_uids_are_listed_without_anything_else(fed: Fed) -> None:
    wire = fed(b"* 1 FETCH (UID 7)\r\n* 2 FETCH (UID 9)\r\nmf1 OK done\r\n")
    assert BodyFetcher(wire, None).uids(range(1, 10_000)) == {7, 9}


def test_a_few_uids_are_asked_for_and_all_are_listed_where_the_server_refuses_that(fed: Fed) -> None:
    wire = fed(b"* 1 FETCH (UID 7)\r\nmf1 OK done\r\n")
    assert BodyFetcher(wire, None).uids([7, 8, 12]) == {7}
    wire = fed(b"mf1 NO no such message\r\n* 1 FETCH (UID 7)\r\n* 2 FETCH (UID 9)\r\nmf2 OK done\r\n")
    assert BodyFetcher(wire, None).uids([7, 8]) == {7, 9}


def test_a_refused_fetch_says_the_words(fed: Fed) -> None:
    wire = fed(b"mf1 NO [SERVERBUG] oh dear\r\n")
    with pytest.raises(FerryError) as raised:
        BodyFetcher(wire, None).bodies([5])
    assert "oh dear" in raised.value.server_words


@pytest.mark.parametrize(
    "said", [b"", b"* 1 FETCH (UID 5 BODY[] {5}\r\nab", b"* 1 FETCH (UID 5 BODY[]", b"other OK done\r\n"]
)
def test_a_line_that_ends_or_falls_out_of_step_is_broken(fed: Fed, said: bytes) -> None:
    wire = fed(said)
    with pytest.raises(imaplib.IMAP4.abort):
        BodyFetcher(wire, None).bodies([5])


def test_a_dripping_server_is_timed_out(fed: Fed) -> None:
    for said in (b"x" * 100, b"* 1 FETCH (UID 5 BODY[] {100}\r\n" + b"x" * 99):
        wire = fed(*(said[at : at + 1] for at in range(len(said))), clock=count(0, 3).__next__)
        wire.receive_size = 1
        with pytest.raises(TimeoutError):
            BodyFetcher(wire, None).bodies([5])


def test_an_endless_line_is_refused(fed: Fed) -> None:
    wire = fed(*[b"x" * 65_536] * (LONGEST_LINE // 65_536 + 2), timeout=1000)
    with pytest.raises(imaplib.IMAP4.error, match="longer than"):
        wire.next_line()


def test_the_bye_is_remembered(fed: Fed) -> None:
    wire = fed(b"* BYE [UNAVAILABLE] going down\r\n")
    with pytest.raises(imaplib.IMAP4.abort):
        wire.next_status()
    assert wire.bye is not None
    assert wire.bye.words == b"[UNAVAILABLE] going down"


@pytest.mark.parametrize(("is_answered", "ended"), [(True, "closed"), (False, "reset")])
def test_a_line_on_which_something_may_be_under_way_yet_is_reset(is_answered: bool, ended: str) -> None:
    seen: list[str] = []

    def serve(listener: socket.socket) -> None:
        far, _ = listener.accept()
        try:
            say(far, (b"mf1 OK stored\r\n",))
            seen.append("closed")
        except OSError:  # a reset; where it comes before our own end, that is refused
            seen.append("reset")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve, args=[listener])
        thread.start()
        address = listener.getsockname()
        wire = Wire("test", 143, lambda: socket.create_connection(address), timeout=5, clock=ticking)
        with suppress(TimeoutError), wire.conversation():
            wire.send(b"mf1 APPEND INBOX {1+}\r\nx\r\n")
            assert wire.next_status()
            if not is_answered:
                raise TimeoutError
        wire.shutdown()
        thread.join(10)
    assert seen == [ended]
