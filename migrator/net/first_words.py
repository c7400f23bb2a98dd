"""What a server is, by the first bytes that it says. Pure.

A port of another service, or one that wants TLS where none was begun (or the other way round), is named as what it is:
else a person waits for a time-out, and reads of a protocol error.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from migrator.errors import Advice, Correction, Endpoint, FerryError, Kind, Scope, printable
from migrator.net.tls import TlsMode


class Service(StrEnum):
    """What a server speaks, as a person calls it."""

    POP3 = "POP3"
    IMAP = "IMAP"
    SMTP = "SMTP"
    FTP = "FTP"
    HTTP = "HTTP"
    NNTP = "NNTP"
    SIEVE = "ManageSieve"
    SSH = "SSH"
    TLS = "TLS"


_OPENINGS: Final = tuple(
    (re.compile(words, re.I | re.S), service)
    for words, service in (
        # A record with the server's hello, or with an alert; not with a client's, which some servers echo as a tag.
        (rb"\x16\x03[\x00-\x04]..\x02|\x15\x03[\x00-\x04]\x00\x02", Service.TLS),
        (rb"\+OK|-ERR", Service.POP3),
        (rb"\* (?:OK|PREAUTH|BYE)\b", Service.IMAP),
        (rb"SSH-", Service.SSH),
        (rb"HTTP/|<!doctype|<html", Service.HTTP),
        (rb"(?:220|421)[ -][^\r\n]*\bFTP", Service.FTP),
        (rb"(?:220|421|554)[ -]", Service.SMTP),
        (rb"(?:200|201|400|502) ", Service.NNTP),
        (rb'"IMPLEMENTATION"', Service.SIEVE),
    )
)

_PORTS: Final = {
    Service.POP3: "110 or 995",
    Service.IMAP: "143 or 993",
    Service.SMTP: "25, 465 or 587",
    Service.FTP: "21",
    Service.HTTP: "80 or 443",
    Service.NNTP: "119",
    Service.SIEVE: "4190",
    Service.SSH: "22",
}
_TLS_PORTS: Final = {Service.POP3: 995, Service.IMAP: 993, Service.SMTP: 465}

FIRST_WORDS_SECONDS: Final = 3.0
"""A server that greets at all has mostly done so by then; one that waits for TLS never does."""

FIRST_WORDS_SECONDS_ON_TLS_PORT: Final = 1.0
"""The same on a port that is known for TLS."""


def service_of(words: bytes) -> Service | None:
    """Return what speaks so, None where nothing is known by them."""
    return next((service for pattern, service in _OPENINGS if pattern.match(words)), None)


def patience(port: int, timeout: float) -> float:
    """Return how many seconds a greeting in the clear is waited for before it is looked at what else may be there."""
    usual = FIRST_WORDS_SECONDS_ON_TLS_PORT if port in _TLS_PORTS.values() else FIRST_WORDS_SECONDS
    return min(usual, timeout / 2)


def check_greeting(words: bytes, expected: Service, endpoint: Endpoint, mode: TlsMode) -> None:
    """Raise ``protocol`` or ``tls`` where a server's first words are those of something else."""
    check_service(service_of(words), expected, endpoint, mode, words)


def check_service(
    found: Service | None, expected: Service, endpoint: Endpoint, mode: TlsMode, words: bytes = b""
) -> None:
    """Raise ``protocol`` or ``tls`` where something else was found than is expected."""
    if found not in {None, expected}:
        raise stranger(found, expected, endpoint, mode, words)


def stranger(
    found: Service | None, expected: Service, endpoint: Endpoint, mode: TlsMode, words: bytes = b""
) -> FerryError:
    """Return the error that says what was found in place of the service that was expected."""
    if found is Service.TLS:
        return _wrong_tls(
            f"{endpoint} speaks TLS from the first byte, and the configuration says otherwise",
            'set tls = "implicit"',
            endpoint,
            tls=TlsMode.IMPLICIT,
        )
    said = printable(words.partition(b"\n")[0].strip(), limit=100)
    if found is None or found is expected:
        return _plain_where_tls(expected, endpoint, mode, said)
    return FerryError(
        Kind.PROTOCOL,
        f"{endpoint} is no {expected} server: {found} is spoken there",
        server_words=said,
        cure=f"check host and port: this is {_article(found)} server ({_PORTS[found]}); {expected} is"
        f" {_PORTS[expected]}",
        scope=Scope.ACCOUNT,
        advice=Advice.NEVER,
        endpoint=endpoint,
        finding="wrong-service",
    )


def _plain_where_tls(service: Service, endpoint: Endpoint, mode: TlsMode, said: str) -> FerryError:
    port = _TLS_PORTS.get(service, 0)
    if mode is TlsMode.STARTTLS:
        what = f"{endpoint} agrees to begin TLS and then goes on in the clear"
        return _wrong_tls(what, f'try tls = "implicit" with the port {port}', endpoint, said=said)
    elsewhere = "" if port == endpoint.port else f" or the port {port}"
    what = f"{endpoint} speaks plain {service}, and TLS was expected"
    cure = f'this port speaks plain {service}: try tls = "starttls"{elsewhere}'
    return _wrong_tls(what, cure, endpoint, said=said, tls=TlsMode.STARTTLS)


def _wrong_tls(what: str, cure: str, endpoint: Endpoint, *, said: str = "", tls: TlsMode | None = None) -> FerryError:
    settings = () if tls is None else (Correction("tls", str(tls)),)
    return FerryError(
        Kind.TLS, what, server_words=said, cure=cure, endpoint=endpoint, finding="wrong-tls", settings=settings
    )


def _article(service: Service) -> str:
    return f"{'a' if service in {Service.POP3, Service.SIEVE} else 'an'} {service}"  # as the name is spoken
