"""What it takes to open a session: connect, encrypt, ask what the server can do, log in (RFC 1939, 2449, 2595)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from migrator.errors import FerryError, Kind
from migrator.net.sasl import Credentials
from migrator.net.stream import CONNECT_TIMEOUT, Clock
from migrator.net.tls import TlsMode
from migrator.pop3.auth import log_in, mechanism_for
from migrator.pop3.connection import Conversation
from migrator.pop3.protocol import Reply, Verb
from migrator.pop3.replies import Capabilities, Stage, parse_capabilities, refusal
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


def open_line(
    source: Source, password: Callable[[], str | bytes], profile: ServerProfile, *, clock: Clock, connect: OpenStream
) -> Opened:
    """Go through all steps; a server that hangs or drops the line at CAPA is tried once more without."""
    try:
        return _Opening(source, profile, clock, connect).opened(password)
    except _CapaFailedError:
        learned = replace(profile, no_capa=True)
    return _Opening(source, learned, clock, connect).opened(password)


def capabilities_of(reply: Reply) -> Capabilities:
    """Return what a reply to CAPA says; a refusal says nothing."""
    return parse_capabilities(reply.content) if reply.is_ok else Capabilities()


class _CapaFailedError(Exception):
    """The server closed the line, or said nothing, when it was asked CAPA."""


class _Opening:
    """What it takes to open one session, step by step."""

    def __init__(self, source: Source, profile: ServerProfile, clock: Clock, connect: OpenStream) -> None:
        self._source = source
        self._profile = profile
        stream = connect(source.host, source.port, timeout=source.timeout, clock=clock)
        self._line = Conversation(stream, timeout=source.timeout, clock=clock, endpoint=source.endpoint)

    def opened(self, password: Callable[[], str | bytes]) -> Opened:
        """Go through all steps; on any failure the line is closed."""
        try:
            greeting = self._greeted()
            capabilities = self._capabilities()
            if self._source.tls.mode is TlsMode.STARTTLS:
                self._start_tls(capabilities)
                capabilities = self._capabilities()
            self._log_in(password, greeting, capabilities)
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

    def _greeted(self) -> bytes:
        if self._source.tls.mode is TlsMode.IMPLICIT:
            self._line.encrypt(self._source.host, self._source.tls)
        reply = self._line.short_reply(min(CONNECT_TIMEOUT, self._source.timeout))
        if not reply.is_ok:
            raise refusal(Stage.GREETING, reply.text)
        return reply.text

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
