"""What it takes to open a session: connect, encrypt, ask what the server can do, log in (RFC 1939, 2449, 2595)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from migrator.errors import Correction, FerryError, Kind, StoppedError
from migrator.lazy_dataclasses import replace
from migrator.net.failures import silence
from migrator.net.first_words import Service, check_greeting, check_service, patience
from migrator.net.stream import Clock
from migrator.net.tls import TlsMode
from migrator.pop3.auth import LoginRefusedError, log_in, offered_by
from migrator.pop3.connection import Conversation
from migrator.pop3.login_advice import Circumstances
from migrator.pop3.login_attempts import LoginAttempts
from migrator.pop3.protocol import Reply, Verb
from migrator.pop3.refusals import Stage, refusal
from migrator.pop3.replies import Capabilities, parse_capabilities
from migrator.pop3.server_profile import ServerProfile
from migrator.pop3.source import Source
from migrator.pop3.transport import OpenStream

CAPA_TIMEOUT = 15.0
"""Seconds for a reply to CAPA: some old servers never give one."""


class Opened(NamedTuple):
    """A conversation with a server that let us in; a CAPA may be under way on it."""

    capabilities: Capabilities
    profile: ServerProfile
    line: Conversation


class NotOpenedError(FerryError):
    """No session came about; ``profile`` is what was learned of the server all the same."""

    def __init__(self, cause: FerryError, profile: ServerProfile) -> None:
        super().__init__(**vars(cause))
        self.profile = profile


def open_line(
    source: Source, password: Callable[[], str | bytes], profile: ServerProfile, *, clock: Clock, connect: OpenStream
) -> Opened:
    """Go through all steps; a server that hangs or drops the line at CAPA is tried once more without.

    With ``auth = "auto"`` a server that refuses one way to log in is tried with another (``login_order``). An access
    token is fetched before the first connection, and renewed once where it is refused.
    """
    attempts = LoginAttempts(source, profile.login, password)
    attempts.prepare()
    known = profile
    while True:
        try:
            opened = _Opening(source, profile, clock, connect, attempts).opened()
        except _CapaFailedError:
            profile = replace(profile, no_capa=True)
        except _AnotherWayError:
            continue
        except StoppedError:
            raise
        except FerryError as error:
            if attempts.has_other_token(error):
                continue
            if error.finding == "wrong-tls" and source.tls.mode is TlsMode.IMPLICIT:
                _ask_in_the_clear(error, source, profile, clock, connect, attempts)
            attempts.failed(error)
            if profile == known and attempts.memory == known.login:
                raise
            raise NotOpenedError(error, replace(profile, login=attempts.memory)) from error
        else:
            return opened._replace(profile=replace(profile, login=attempts.memory))


def _ask_in_the_clear(  # what another opening needs
    error: FerryError,
    source: Source,
    profile: ServerProfile,
    clock: Clock,
    connect: OpenStream,
    attempts: LoginAttempts,
) -> None:
    """Let the error of a server that speaks in the clear name the ``tls`` that it does offer; no secret is sent."""
    open_source = replace(source, tls=replace(source.tls, mode=TlsMode.NONE))
    with suppress(FerryError, _CapaFailedError):
        if _Opening(open_source, profile, clock, connect, attempts).offers_starttls():
            return
        if source.may_reveal(is_encrypted=False):
            error.cure = 'the server offers no encryption there: set tls = "none"'
            error.settings = (Correction("tls", "none"),)
        else:
            error.cure = 'the server offers no encryption there: try tls = "implicit" with the port 995'
            error.settings = ()


def capabilities_of(reply: Reply) -> Capabilities:
    """Return what a reply to CAPA says; a refusal says nothing."""
    return parse_capabilities(reply.content) if reply.is_ok else Capabilities()


class _CapaFailedError(Exception):
    """The server closed the line, or said nothing, when it was asked CAPA."""


class _AnotherWayError(Exception):
    """The server refused a way to log in; there is another one to try, on a new connection."""


class _SilentError(Exception):
    """The server has said nothing for as long as it was waited for."""


class _Opening:
    """What it takes to open one session, step by step."""

    def __init__(
        self, source: Source, profile: ServerProfile, clock: Clock, connect: OpenStream, attempts: LoginAttempts
    ) -> None:
        self._source = source
        self._profile = profile
        self._attempts = attempts
        stream = connect(source.host, source.port, timeout=source.timeout, clock=clock)
        self._line = Conversation(stream, timeout=source.timeout, clock=clock, endpoint=source.endpoint)

    def opened(self) -> Opened:
        """Go through all steps; on any failure the line is closed."""
        try:
            greeting = self._greeted()
            capabilities = self._capabilities()
            if self._source.tls.mode is TlsMode.STARTTLS:
                self._start_tls(capabilities)
                capabilities = self._capabilities()
            self._log_in(greeting, capabilities)
            if capabilities.pipelining and not self._profile.lock_step:
                self._line.send(Verb.CAPA)  # the session hears the reply, in one round trip with what it asks first
                return Opened(capabilities, self._profile, self._line)
            return Opened(self._capabilities(), self._profile, self._line)
        except FerryError as error:
            self._line.hang_up()
            error.blame(self._source.endpoint)
            raise
        except BaseException:
            self._line.hang_up()
            raise

    def offers_starttls(self) -> bool:
        """Tell whether the server could encrypt this line, and hang up."""
        try:
            self._greeted()
            return "STLS" in self._capabilities()
        finally:
            self._line.hang_up()

    def _greeted(self) -> bytes:
        if self._source.tls.mode is TlsMode.IMPLICIT:
            self._line.encrypt(self._source.host, self._source.tls)
        words = self._first_words()
        check_greeting(words, Service.POP3, self._source.endpoint, self._source.tls.mode)
        self._line.protocol.receive(words)
        reply = self._line.short_reply()
        if not reply.is_ok:
            raise refusal(Stage.GREETING, reply.text)
        return reply.text

    def _first_words(self) -> bytes:
        words = self._awaited()
        if not words:
            raise FerryError(
                Kind.CONNECT,
                "the server closed the connection in place of a greeting",
                cure="too many connections at once? wrong port?",
                finding="host-unreachable",
            )
        return words

    def _awaited(self) -> bytes:
        """Wait for the first bytes; in the clear, see after some silence whether the server waits for TLS."""
        stream, source = self._line.stream, self._source
        if source.tls.mode is TlsMode.IMPLICIT:
            return stream.receive()
        look_after = patience(source.port, source.timeout)
        with suppress(_SilentError):
            return self._within(look_after)
        check_service(stream.service_in_waiting(), Service.POP3, source.endpoint, source.tls.mode)
        try:
            return self._within(source.timeout - look_after)
        except _SilentError as error:
            raise silence(source.timeout) from error

    def _within(self, seconds: float) -> bytes:
        try:
            return self._line.stream.receive(seconds)
        except FerryError as error:
            if error.kind is Kind.TIMEOUT:
                raise _SilentError from error
            raise

    def _capabilities(self) -> Capabilities:
        if self._profile.no_capa:
            return Capabilities()
        try:
            reply = self._line.ask(Verb.CAPA, timeout=min(CAPA_TIMEOUT, self._source.timeout))
        except FerryError as error:
            if error.kind in {Kind.CONNECT, Kind.TIMEOUT}:
                raise _CapaFailedError from error
            raise
        return capabilities_of(reply)

    def _start_tls(self, capabilities: Capabilities) -> None:
        if capabilities.is_known and "STLS" not in capabilities:
            raise self._no_starttls("does not offer STLS")
        reply = self._line.ask(Verb.STLS)
        if not reply.is_ok:
            raise self._no_starttls("refuses STLS")
        if injected := self._line.stream.receive_now():
            self._line.protocol.receive(injected)
        self._line.protocol.secured()
        self._line.encrypt(self._source.host, self._source.tls)

    def _no_starttls(self, what: str) -> FerryError:
        return FerryError(
            Kind.TLS,
            f"{self._source.host} {what}, so the connection cannot be encrypted; nothing was sent",
            cure='use tls = "implicit" if the server has a TLS port; otherwise someone may be stripping STLS',
            finding="wrong-tls",
            settings=(Correction("tls", "none"),) if self._source.may_reveal(is_encrypted=False) else (),
        )

    def _log_in(self, greeting: bytes, capabilities: Capabilities) -> None:
        is_encrypted = self._line.stream.is_encrypted
        seen = Circumstances(
            self._source.host,
            offered_by(greeting, capabilities),
            may_reveal=self._source.may_reveal(is_encrypted=is_encrypted),
            is_encrypted=is_encrypted,
            has_starttls="STLS" in capabilities,
        )
        mechanism = self._attempts.mechanism(seen)
        try:
            log_in(
                self._line,
                self._attempts.credentials,
                mechanism,
                about=self._attempts.name(mechanism),
                greeting=greeting,
                capabilities=capabilities,
                host=self._source.host,
                port=self._source.port,
            )
        except LoginRefusedError as error:
            if self._attempts.refused(mechanism, error, seen):
                raise _AnotherWayError from error
            raise
        except FerryError as error:
            if error.kind is Kind.AUTH and error.server_words:
                self._attempts.advise(error, seen)
            raise
        self._attempts.succeeded(mechanism)
