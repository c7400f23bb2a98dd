from __future__ import annotations

from collections import deque

import pytest

from migrator.errors import Advice, FerryError, Kind
from migrator.net.first_words import Service
from migrator.pop3.protocol import OutOfStepError
from migrator.pop3.session import open_session
from migrator.pop3.transport import HANG_UP, ScriptedStream
from tests.unit.pop3.scripted import Maildrop, opened, sample, source

MAIL = [sample(number) for number in range(1, 4)]


def test_a_server_of_another_kind_is_named() -> None:
    with pytest.raises(FerryError) as caught:
        opened(Maildrop(MAIL), greeting=b"* OK IMAP4rev1 ready\r\n")
    error = caught.value
    assert (error.kind, error.advice, error.finding) == (Kind.PROTOCOL, Advice.NEVER, "wrong-service")
    assert error.cure == "check host and port: this is an IMAP server (143 or 993); POP3 is 110 or 995"


def test_a_server_that_says_what_nobody_knows_is_asked_about() -> None:
    with pytest.raises(OutOfStepError, match=r"is it a POP3 server\? check host and port"):
        opened(Maildrop(MAIL), greeting=b"hello there\r\n")


@pytest.mark.parametrize(
    ("waiting", "finding"),
    [(Service.TLS, "wrong-tls"), (Service.HTTP, "wrong-service"), (None, ""), (Service.POP3, "")],
)
def test_a_silent_server_is_looked_at_in_another_way_before_its_time_is_up(
    waiting: Service | None, finding: str
) -> None:
    stream = ScriptedStream(lambda _: [], greeting=b"", waiting=waiting)
    with pytest.raises(FerryError) as caught:
        open_session(source(), lambda: "sesame", connect=lambda *_, **__: stream)
    assert caught.value.finding == finding
    assert (caught.value.kind is Kind.TIMEOUT) == (finding == "")
    assert (stream.heard, stream.is_closed) == ([], True)


def test_a_line_closed_in_place_of_a_greeting_says_so() -> None:
    stream = ScriptedStream(lambda _: [], greeting=b"", _arriving=deque([HANG_UP]))
    with pytest.raises(FerryError, match="in place of a greeting") as caught:
        open_session(source(), lambda: "sesame", connect=lambda *_, **__: stream)
    assert (caught.value.kind, caught.value.advice) == (Kind.CONNECT, Advice.NOW)


def test_a_greeting_has_the_whole_time_out_and_no_less() -> None:
    waited: list[float | None] = []

    class Slow(ScriptedStream):
        def receive(self, timeout: float | None = None) -> bytes:
            waited.append(timeout)
            raise FerryError(Kind.TIMEOUT, "the server was silent")

    with pytest.raises(FerryError) as caught:
        open_session(source(timeout=90.0), lambda: "sesame", connect=lambda *_, **__: Slow(lambda _: []))
    assert waited == [3.0, 87.0]
    assert caught.value.message == "the server was silent for 90 seconds"
    assert caught.value.cure == 'if it is only slow, set timeout = "5 minutes"'


@pytest.mark.parametrize("size", [1 << 20, 41])
def test_a_second_greeting_that_came_before_anything_was_asked_is_left_out(size: int) -> None:
    """In one piece with the first, or behind it and there already."""
    greeting = b"+OK POP3 proxy at your service, ready\r\n\r\n+OK server behind it is ready, too\r\n"
    session = opened(Maildrop(MAIL), greeting=greeting, slice_size=size)
    assert session.session.listing().stat.count == len(MAIL)


@pytest.mark.parametrize("more", [b"+OK half a li", b"+OK one\r\n" * 1000])
def test_what_may_be_the_reply_to_something_is_no_greeting(more: bytes) -> None:
    with pytest.raises(OutOfStepError):
        opened(Maildrop(MAIL), greeting=b"+OK ready\r\n" + more)
