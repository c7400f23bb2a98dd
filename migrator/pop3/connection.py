"""Pumps the protocol over a stream: asks, waits, notices silence and crawling, and never says a secret aloud."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from migrator.errors import Endpoint, FerryError, Kind, printable
from migrator.model import MessageNumber
from migrator.net.failures import too_slow
from migrator.net.first_words import Service
from migrator.net.stream import Clock
from migrator.net.tls import TlsSettings
from migrator.net.trace import MASK, transcript
from migrator.pop3.protocol import (
    NEED_DATA,
    BodyBegins,
    BodyEnds,
    BodyPart,
    Challenge,
    Event,
    NeedData,
    Protocol,
    Reply,
    Verb,
    out_of_step,
)
from migrator.pop3.replies import MAX_CAPABILITY_OCTETS
from migrator.pop3.transcript import hearing, said
from migrator.pop3.transport import ByteStream

LEAST_RATE = 64
"""Octets per second that a server must send on average, over one time-out, unless it completes replies."""


class Conversation:
    """One connection with one server, from greeting to hanging up.

    After any ``FerryError`` of scope session the conversation is over: nothing more may be said, least of all QUIT.
    """

    def __init__(
        self,
        stream: ByteStream,
        *,
        timeout: float,
        clock: Clock = time.monotonic,
        endpoint: Endpoint | None = None,
    ) -> None:
        self.stream = stream
        self.endpoint = endpoint
        self.protocol = Protocol()
        self.pending_event: Callable[[], Event | NeedData] = self.protocol.next_event
        """Return the next event of what has arrived, without waiting. Raises ``protocol``."""
        self._trace = transcript(str(endpoint))
        if self._trace:
            self.pending_event = hearing(self.protocol, self._trace)
        self._timeout = timeout
        self._clock = clock
        self._proven_at = 0
        self._begin_watch()

    @property
    def has_pipelined(self) -> bool:
        """Whether a command was ever sent before an earlier one was answered."""
        return self._proven_at > 0

    @property
    def has_proven_pipelining(self) -> bool:
        """Whether at least two commands sent ahead have been answered."""
        return 0 < self._proven_at <= self.protocol.completed

    def _begin_watch(self) -> None:
        self._waited = 0.0
        self._arrived = 0
        self._completed = self.protocol.completed

    def send(self, verb: Verb, number: int = 0, argument: bytes = b"") -> None:
        """Queue a command; it leaves with the next wait for a reply."""
        if not self.protocol.in_flight:
            self._begin_watch()
        elif not self._proven_at:
            self._proven_at = self.protocol.completed + self.protocol.in_flight + 2
        self.stream.queue(self.protocol.send(verb, number, argument))
        if self._trace:
            self._trace.client(said(verb, number, argument))

    def send_each(self, verb: Verb, numbers: Sequence[MessageNumber]) -> None:
        """Queue a command for each of these messages."""
        singly = numbers if self._trace else numbers[:2]  # a transcript tells each; sending ahead begins at the second
        for number in singly:
            self.send(verb, number)
        if rest := numbers[len(singly) :]:
            self.stream.queue(self.protocol.send_each(verb, rest))

    def accepted(self, verb: Verb) -> list[MessageNumber]:
        """Return the messages of which this command was accepted by now, as far as no other reply came between them."""
        return [] if self._trace else self.protocol.accepted(verb)

    def next_event(self, timeout: float | None = None) -> Event:
        """Wait for the next event. Raises ``timeout``, ``connect`` or ``protocol``."""
        while (event := self.pending_event()) is NEED_DATA:
            self._receive(timeout)
        return event

    def _receive(self, timeout: float | None) -> None:
        before = self._clock()
        data = self.stream.receive(timeout)
        if not data:
            raise FerryError(Kind.CONNECT, "the server closed the connection in the middle of the session")
        self.protocol.receive(data)
        # Only time spent waiting counts: a slow destination is no fault of the server's.
        self._waited += self._clock() - before
        self._arrived += len(data)
        if self._waited >= self._timeout:
            if self.protocol.completed == self._completed and self._arrived < LEAST_RATE * self._waited:
                words = f"no progress: {self._arrived} octets in {self._waited:.0f} seconds of waiting"
                raise too_slow(words, self._timeout)
            self._begin_watch()

    def ask(self, verb: Verb, argument: bytes = b"", *, number: int = 0, timeout: float | None = None) -> Reply:
        """Say one command with nothing else in flight and return its short reply."""
        self.expect_silence()
        self.send(verb, number, argument)
        return self.short_reply(timeout)

    def expect_silence(self) -> None:
        """Raise ``protocol`` if the server said anything that was not asked for. Nothing may be in flight."""
        stray = self._unasked()
        if stray[:4].upper() == b"-ERR":  # "-ERR Disconnected for inactivity", and the like
            words = printable(stray[4:].partition(b"\n")[0].strip(), secrets=self.protocol.secrets)
            raise FerryError(Kind.CONNECT, "the server ended the session", server_words=words)
        if stray:
            raise out_of_step("it spoke without being asked", stray, self.protocol.secrets)

    def _unasked(self) -> bytes:
        """Return what came without being asked for, unless it belongs to a greeting of several lines."""
        stray = self.protocol.leftover
        if stray and self.protocol.completed > 1:
            return stray
        if news := self.stream.receive_now():
            self.protocol.receive(news)
        return b"" if self.protocol.is_in_greeting() else self.protocol.leftover

    def short_reply(self, timeout: float | None = None) -> Reply:
        """Wait for a reply that is held in memory. Raises ``protocol`` if it grows beyond what CAPA ever needs."""
        event = self.next_event(timeout)
        if isinstance(event, BodyBegins):
            return self._gathered(event, timeout)
        if isinstance(event, Reply):
            return event
        raise out_of_step("a SASL challenge out of place", b"")

    def _gathered(self, begun: BodyBegins, timeout: float | None) -> Reply:
        content = bytearray()
        while not isinstance(event := self.next_event(timeout), BodyEnds):
            content += event.content if isinstance(event, BodyPart) else b""
            if len(content) > MAX_CAPABILITY_OCTETS:
                raise out_of_step(f"an endless reply to {begun.verb}", b"")
        return Reply(begun.verb, begun.number, is_ok=True, text=begun.text, content=bytes(content))

    def respond(self, response: bytes) -> Reply | Challenge:
        """Say one SASL response, in base64, and return what comes of it."""
        self.stream.queue(self.protocol.respond(response))
        if self._trace:
            self._trace.client(MASK)
        return self.reply_or_challenge()

    def reply_or_challenge(self) -> Reply | Challenge:
        """Wait for a reply of one line or a challenge."""
        event = self.next_event()
        if isinstance(event, Reply | Challenge):
            return event
        raise out_of_step("a long reply out of place", b"")

    def hang_up(self) -> None:
        """Close the connection without QUIT: POP3's rollback. Never raises."""
        self.stream.close()
        if self._trace:
            self._trace.note("closed")
            self._trace = None

    def encrypt(self, host: str, tls: TlsSettings) -> None:
        """Go on over TLS. Raises as ``start_tls`` of the stream does."""
        self.stream.start_tls(host, tls, Service.POP3)
        if self._trace:
            self._trace.note("encrypted")
