"""Proves that a server is there, speaks the service, and is who its name says: TLS, a greeting, and nothing more.

No user name, no password, no token is sent. A server whose certificate is good but for another name makes that name a
candidate (hosters show ``mail.hoster.example`` at ``mail.customer.example``), which a person must agree to.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from migrator.discovery.found import Found, Outcome
from migrator.errors import Endpoint, FerryError, Kind, printable
from migrator.lazy_dataclasses import replace
from migrator.net.certificates import OtherNameError
from migrator.net.first_words import Service, check_greeting
from migrator.net.stream import Stream, open_stream
from migrator.net.tls import TlsMode, TlsSettings

TIMEOUT = 5.0
"""Seconds for connecting, and again for each answer."""

_LONGEST_LINE = 8 * 1024
_MOST_NAMES = 3
_BEGIN_TLS = {Service.POP3: (b"STLS\r\n", b"+OK"), Service.IMAP: (b"a STARTTLS\r\n", b"a OK")}


def proven(candidates: Sequence[Found], service: Service) -> Outcome:
    """Return the first candidate that proves its name, else what the certificates name, else the reasons."""
    others: list[Found] = []
    notes: list[str] = []
    for candidate in candidates:
        try:
            prove(candidate, service)
        except OtherNameError as error:
            others += [other for name in error.names[:_MOST_NAMES] if (other := _named(name, candidate, service))]
            notes.append(_note(candidate, error))
        except FerryError as error:
            if error.finding != "host-unknown":  # most names that are guessed are nobody's
                notes.append(_note(candidate, error))
        else:
            return Outcome((replace(candidate, has_proven_name=True),), tuple(notes))
    return Outcome(tuple(others), tuple(notes))


def prove(candidate: Found, service: Service) -> None:
    """Connect, encrypt, verify, hear the greeting, hang up. Raises ``FerryError``."""
    endpoint = Endpoint(candidate.host, candidate.port)
    stream = open_stream(candidate.host, candidate.port, timeout=TIMEOUT)
    try:
        if candidate.tls is TlsMode.IMPLICIT:
            stream.start_tls(candidate.host, TlsSettings(), service)
        check_greeting(_line(stream), service, endpoint, candidate.tls)
        if candidate.tls is TlsMode.STARTTLS:
            _begin_tls(stream, candidate.host, service)
    except FerryError as error:
        error.blame(endpoint)
        raise
    finally:
        stream.close()


def name_for(host: str, certified: str) -> str | None:
    """Return the host that a certificate's name stands for, None where it stands for none: ``*.`` takes any label."""
    if certified.startswith("*."):
        certified = f"{host.partition('.')[0]}.{certified[2:]}"
    is_name = "*" not in certified and "." in certified and not certified.replace(".", "").isdigit()
    return certified.lower() if is_name and ":" not in certified and certified.lower() != host.lower() else None


def _named(certified: str, candidate: Found, service: Service) -> Found | None:
    """Return the server of another name, if it proves that one; nobody has agreed to it."""
    host = name_for(candidate.host, certified)
    if host is None:
        return None
    where = f"is named by the certificate of {candidate.host}, which {candidate.where}"
    other = replace(candidate, host=host, where=where, is_trusted=False, has_proven_name=True)
    try:
        prove(other, service)
    except FerryError:
        return None
    return other


def _note(candidate: Found, error: FerryError) -> str:
    return f"{candidate.host}:{candidate.port} ({candidate.where}): {error.message.partition(chr(10))[0]}"


def _begin_tls(stream: Stream, host: str, service: Service) -> None:
    command, agreed = _BEGIN_TLS[service]
    stream.queue(command)
    reply = _line(stream)
    if not reply.upper().startswith(agreed.upper()):
        raise FerryError(Kind.TLS, f"{host} does not begin TLS", server_words=printable(reply.strip()))
    if reply.partition(b"\n")[2] or stream.receive_now():
        raise FerryError(Kind.TLS, f"{host} speaks in the clear behind its agreement to begin TLS")
    stream.start_tls(host, TlsSettings(), service)


def _line(stream: Stream) -> bytes:
    """Return one line; what a server may say behind it is of no interest."""
    heard = b""
    until = time.monotonic() + TIMEOUT
    while b"\n" not in heard and len(heard) < _LONGEST_LINE:
        news = stream.receive(max(0.1, until - time.monotonic()))
        if not news:
            raise FerryError(Kind.CONNECT, "the server closed the connection before it had said anything")
        heard += news
    return heard
