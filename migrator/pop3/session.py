"""One POP3 session in the order it happens: open, listing, retrieve, delete, quit; or abandon, at any time.

Only QUIT makes deletions real (RFC 1939, section 6), so whatever looks doubtful ends the session without it. What is
learned of a server (that it cannot be pipelined, has no CAPA, announces other sizes than it sends) is offered back as
``facts`` for the next session.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from migrator.digest import HeaderFacts, canonical, header_block, header_facts
from migrator.errors import FerryError, Kind, Scope
from migrator.model import MessageNumber
from migrator.net import CONNECT_TIMEOUT, Clock, open_stream
from migrator.pop3.auth import log_in, mechanism_for
from migrator.pop3.collecting import Spool
from migrator.pop3.conversation import Conversation
from migrator.pop3.listing import LISTING, Listing, stat_of, take_listing
from migrator.pop3.protocol import BodyBegins, BodyEnds, BodyPart, OutOfStepError, Reply, Verb, out_of_step
from migrator.pop3.replies import Capabilities, Stage, Stat, parse_capabilities, refusal
from migrator.pop3.retrieve import WINDOW_COMMANDS, Budget, Retrieval, RetrieveEvent, Wanted
from migrator.pop3.transport import OpenStream
from migrator.sasl import Credentials
from migrator.tls import TlsMode, TlsSettings, is_loopback

CAPA_TIMEOUT = 15.0
"""Seconds for a reply to CAPA: some old servers never give one."""

_FIRST_BLOCK = 256
_TOP_KEPT = 512 * 1024
_TOP_BOUND = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """Where a maildrop is and how to get in. ``timeout`` is for silence and lack of progress, in seconds."""

    host: str
    port: int
    tls: TlsSettings
    username: str
    auth: str = "auto"
    allow_plaintext: bool = False
    timeout: float = 45.0

    def may_reveal(self, *, is_encrypted: bool) -> bool:
        """Tell whether a password may cross the line."""
        return is_encrypted or self.allow_plaintext or is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What sessions learned of a server; kept by the ledger per host and port."""

    lock_step: bool = False
    """It lost step when commands were sent ahead, though it offers pipelining."""
    no_capa: bool = False
    """CAPA makes it hang or drop the line."""
    sizes_differ: bool = False
    """LIST announces other sizes than RETR sends."""


NOTHING_KNOWN = ServerFacts()


@dataclass(slots=True)
class Session:
    """A maildrop that is ours until ``quit`` or ``abandon``. Not shared between threads.

    Any ``FerryError`` of scope session means that the line has been closed without QUIT.
    """

    capabilities: Capabilities
    """What the server announced last; once the session has said something, after the log-in."""
    facts: ServerFacts
    _line: Conversation
    _start: Stat | None = None
    _deleted: set[MessageNumber] = field(default_factory=set)
    _has_marked: bool = False
    _is_confirmed: bool = False
    """Whether STAT's numbers fitted what was said before, and nothing was said since."""

    @property
    def is_pipelined(self) -> bool:
        """Whether commands are sent ahead in this session."""
        return self.capabilities.pipelining and not self.facts.lock_step and not self.retrieving_deletes

    @property
    def retrieving_deletes(self) -> bool:
        """Whether the server says that what was retrieved is gone with this session (RFC 2449, section 6.7)."""
        return self.capabilities.expire == "0"

    def stat(self) -> Stat:
        """Ask how much the maildrop shows; deleted messages do not count."""
        with self._talking():
            stat = stat_of(self._line.ask(Verb.STAT), self._line)
        self._start = self._start or (stat if not self._deleted else None)
        self._is_confirmed = self._is_expected(stat)
        return stat

    def listing(self, spool_dir: Path | None = None) -> Listing:
        """Take the listing; what is large of it goes to an unnamed file in ``spool_dir``."""
        is_asked = self.is_pipelined
        with self._talking(ahead=LISTING if is_asked else ()):
            listing = take_listing(self._line, is_asked=is_asked, spool_dir=spool_dir)
        self._start = self._start or listing.stat
        return listing

    def retrieve(self, wanted: Iterator[Wanted], budget: Budget, spool: Callable[[], Spool]) -> Iterator[RetrieveEvent]:
        """Retrieve messages; see ``migrator.pop3.retrieve`` for what is yielded and what it proves."""
        self._know_start()
        retrieval = Retrieval(
            self._line,
            wanted,
            budget,
            spool,
            is_expected=self._is_expected,
            is_pipelined=self.is_pipelined,
            sizes_differ=self.facts.sizes_differ,
        )
        with self._talking():
            yield from retrieval
        self._is_confirmed = retrieval.is_confirmed
        if retrieval.has_learned_sizes_differ:
            self.facts = replace(self.facts, sizes_differ=True)

    def top(self, numbers: Iterable[MessageNumber]) -> Iterator[tuple[MessageNumber, HeaderFacts | FerryError]]:
        """Yield what the header of each message says (TOP n 0), in order; only what is known to be in step.

        A message that the server does not show yields an error. Raises ``refused`` (scope session, but the session
        goes on) if the server has no TOP.
        """
        self._know_start()
        remaining = iter(numbers)
        size = _FIRST_BLOCK
        while block := list(islice(remaining, size)):
            with self._talking():
                answers = [self._header(reply) for reply in self._replies(Verb.TOP, block, b"0")]
            self.check_step()
            if "TOP" not in self.capabilities and all(isinstance(answer, FerryError) for answer in answers):
                raise FerryError(Kind.REFUSED, "the server has no TOP", scope=Scope.SESSION)
            yield from zip(block, answers, strict=True)
            size = WINDOW_COMMANDS if self.is_pipelined else _FIRST_BLOCK

    def delete(self, numbers: Iterable[MessageNumber]) -> Iterator[tuple[MessageNumber, FerryError | None]]:
        """Mark messages for deletion and yield each with the refusal, if any. Only ``quit`` makes it real."""
        self._know_start()
        self._has_marked = True
        with self._talking():
            for reply in self._replies(Verb.DELE, numbers):
                number = MessageNumber(reply.number)
                if reply.is_ok:
                    self._deleted.add(number)
                yield number, None if reply.is_ok else self._refused(reply)

    def check_step(self) -> None:
        """Prove that the session is in step: STAT must give the numbers of its start less what was deleted.

        Raises ``protocol`` if it does not; then the line has been closed without QUIT.
        """
        with self._talking():
            reply = self._line.ask(Verb.STAT)
            if not self._is_expected(stat_of(reply, self._line)):
                raise out_of_step("STAT's numbers do not fit", reply.text, self._line.protocol.secrets)
        self._is_confirmed = True

    def noop(self) -> None:
        """Keep the session awake."""
        with self._talking():
            self._line.ask(Verb.NOOP)

    def rset(self) -> None:
        """Take back every mark for deletion. Raises the refusal if the server does not."""
        with self._talking():
            reply = self._line.ask(Verb.RSET)
            if not reply.is_ok:
                raise refusal(Stage.MAILDROP, reply.text, secrets=self._line.protocol.secrets, about="RSET")
        self._deleted.clear()

    def quit(self) -> str:
        """Make deletions real, once the step is proven behind the last of them, and return the server's words.

        Any error means that nothing is known of the deletions: the next listing tells.
        """
        if (self._has_marked or self.retrieving_deletes) and not self._is_confirmed:
            self.check_step()
        with self._talking():
            reply = self._line.ask(Verb.QUIT)
            if not reply.is_ok:
                raise refusal(Stage.MAILDROP, reply.text, secrets=self._line.protocol.secrets, about="QUIT")
        self._line.hang_up()
        return reply.text.decode("ascii", "backslashreplace")

    def abandon(self) -> None:
        """Close the line without QUIT, which undoes every deletion of this session. Never raises."""
        self._line.hang_up()

    def _know_start(self) -> None:
        if self._start is None:
            self.stat()
        self._is_confirmed = False

    def _is_expected(self, stat: Stat) -> bool:
        """Whether STAT's numbers fit: octets too, as long as nothing was deleted."""
        start = self._start
        if start is None:
            return False
        return stat == start if not self._deleted else stat.count == start.count - len(self._deleted)

    def _replies(self, verb: Verb, numbers: Iterable[MessageNumber], argument: bytes = b"") -> Iterator[Reply]:
        """Say one command for each number, thousands ahead if pipelined, and yield the replies in order."""
        window = WINDOW_COMMANDS if self.is_pipelined else 1
        unsaid = iter(numbers)
        self._line.expect_silence()
        for number in islice(unsaid, window):
            self._line.send(verb, number, argument)
        while self._line.protocol.in_flight:
            yield self._reply_cut_short()
            for number in islice(unsaid, 1):
                if not self._line.protocol.in_flight:
                    self._line.expect_silence()
                self._line.send(verb, number, argument)

    def _reply_cut_short(self) -> Reply:
        """Wait for a reply; of a long one only the beginning is kept."""
        event = self._line.next_event()
        if isinstance(event, Reply):
            return event
        if not isinstance(event, BodyBegins):
            raise out_of_step("a SASL challenge out of place", b"")
        kept, octets = bytearray(), 0
        while not isinstance(part := self._line.next_event(), BodyEnds):
            piece = part.content if isinstance(part, BodyPart) else b""
            octets += len(piece)
            kept += piece if len(kept) < _TOP_KEPT else b""
            if octets > _TOP_BOUND:
                raise FerryError(Kind.PROTOCOL, f"an endless reply to {event.verb} {event.number}")
        return Reply(event.verb, event.number, is_ok=True, text=event.text, content=bytes(kept))

    def _header(self, reply: Reply) -> HeaderFacts | FerryError:
        if not reply.is_ok:
            return self._refused(reply)
        if reply.content[:4].upper().startswith((b"+OK", b"-ERR")):
            what = "a header that begins with a status line"
            raise out_of_step(what, reply.content[:80], self._line.protocol.secrets)
        return header_facts(header_block(canonical(reply.content)))

    def _refused(self, reply: Reply) -> FerryError:
        about = f"{reply.verb} {reply.number}"
        return refusal(Stage.MESSAGE, reply.text, secrets=self._line.protocol.secrets, about=about)

    @contextmanager
    def _talking(self, ahead: Sequence[Verb] = ()) -> Iterator[None]:
        """Close the line on any error that leaves the conversation in doubt, and learn from it.

        What is said ``ahead`` leaves together with the CAPA that open_session has sent.
        """
        self._is_confirmed = False
        try:
            if ahead and not self._line.protocol.in_flight:
                self._line.expect_silence()
            for verb in ahead:
                self._line.send(verb)
            if self._line.protocol.due == (Verb.CAPA, 0):
                self.capabilities = _capabilities_of(self._line.short_reply())
            yield
        except FerryError as error:
            if error.kind in _LINE_ENDING or self._line.protocol.in_flight:
                self._learn(error)
                self.abandon()
            raise
        except BaseException:
            self.abandon()
            raise

    def _learn(self, error: FerryError) -> None:
        """Remember a server that loses step, or answers none of the first commands sent ahead."""
        line = self._line
        is_mute = error.kind in {Kind.CONNECT, Kind.TIMEOUT} and not line.protocol.is_reply_begun
        is_oddity = isinstance(error, OutOfStepError) or (is_mute and not line.has_proven_pipelining)
        if line.has_pipelined and is_oddity:
            self.facts = replace(self.facts, lock_step=True)


_LINE_ENDING = frozenset({Kind.CONNECT, Kind.TLS, Kind.TIMEOUT, Kind.PROTOCOL, Kind.SHORT})


def _capabilities_of(reply: Reply) -> Capabilities:
    return parse_capabilities(reply.content) if reply.is_ok else Capabilities()


def open_session(
    source: Source,
    password: Callable[[], str | bytes],
    facts: ServerFacts = NOTHING_KNOWN,
    *,
    clock: Clock = time.monotonic,
    connect: OpenStream = open_stream,
) -> Session:
    """Connect, encrypt, ask CAPA, log in, ask CAPA again (Gmail tells more then).

    Where commands may be sent ahead, the second reply is heard together with that to the first command of the session.
    A server that hangs or drops the line at CAPA is tried once more without; if that works it is remembered.
    """
    try:
        return _Opening(source, facts, clock, connect).session(password)
    except _CapaFailedError:
        learned = replace(facts, no_capa=True)
    return _Opening(source, learned, clock, connect).session(password)


class _CapaFailedError(Exception):
    """The server closed the line, or said nothing, when it was asked CAPA."""


class _Opening:
    """What it takes to open one session, step by step."""

    def __init__(self, source: Source, facts: ServerFacts, clock: Clock, connect: OpenStream) -> None:
        self._source = source
        self._facts = facts
        stream = connect(source.host, source.port, timeout=source.timeout, clock=clock)
        self._line = Conversation(stream, timeout=source.timeout, clock=clock)

    def session(self, password: Callable[[], str | bytes]) -> Session:
        """Go through all steps; on any failure the line is closed."""
        try:
            greeting = self._greeted()
            capabilities = self._capabilities()
            if self._source.tls.mode is TlsMode.STARTTLS:
                self._start_tls(capabilities)
                capabilities = self._capabilities()
            self._log_in(password, greeting, capabilities)
            if capabilities.pipelining and not self._facts.lock_step:
                self._line.send(Verb.CAPA)  # the session hears the reply, in one round trip with what it asks first
                return Session(capabilities, self._facts, self._line)
            return Session(self._capabilities(), self._facts, self._line)
        except BaseException:
            self._line.hang_up()
            raise

    def _greeted(self) -> bytes:
        if self._source.tls.mode is TlsMode.IMPLICIT:
            self._line.stream.start_tls(self._source.host, self._source.tls)
        reply = self._line.short_reply(min(CONNECT_TIMEOUT, self._source.timeout))
        if not reply.is_ok:
            raise refusal(Stage.GREETING, reply.text)
        return reply.text

    def _capabilities(self) -> Capabilities:
        if self._facts.no_capa:
            return Capabilities()
        try:
            reply = self._line.ask(Verb.CAPA, timeout=min(CAPA_TIMEOUT, self._source.timeout))
        except FerryError as error:
            if error.kind in {Kind.CONNECT, Kind.TIMEOUT}:
                raise _CapaFailedError from error
            raise
        return _capabilities_of(reply)

    def _start_tls(self, capabilities: Capabilities) -> None:
        if capabilities.is_known and "STLS" not in capabilities:
            raise self._no_starttls("does not offer STLS")
        reply = self._line.ask(Verb.STLS)
        if not reply.is_ok:
            raise self._no_starttls("refuses STLS")
        if injected := self._line.stream.receive_now():
            self._line.protocol.receive(injected)
        self._line.protocol.secured()
        self._line.stream.start_tls(self._source.host, self._source.tls)

    def _no_starttls(self, what: str) -> FerryError:
        return FerryError(
            Kind.TLS,
            f"{self._source.host} {what}, so the connection cannot be encrypted; nothing was sent",
            cure='use tls = "implicit" if the server has a TLS port; otherwise someone may be stripping STLS',
        )

    def _log_in(self, password: Callable[[], str | bytes], greeting: bytes, capabilities: Capabilities) -> None:
        may_reveal = self._source.may_reveal(is_encrypted=self._line.stream.is_encrypted)
        mechanism = mechanism_for(self._source.auth, greeting, capabilities, may_reveal=may_reveal)
        secret = password()
        if isinstance(secret, str):
            secret = secret.encode(errors="surrogateescape")  # what the environment holds need not be UTF-8
        credentials = Credentials(self._source.username, secret)
        log_in(
            self._line,
            credentials,
            mechanism,
            greeting=greeting,
            capabilities=capabilities,
            host=self._source.host,
            port=self._source.port,
        )
