from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from migrator.errors import Advice, Endpoint, FerryError, Kind
from migrator.net.failures import (
    broken_line,
    client_certificate_demanded,
    handshake_error,
    is_hang_up,
    line_error,
    name_error,
    silence,
    unreachable,
)
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode, TlsSettings

POP3 = Endpoint("pop.example.org", 995)
TLS = TlsSettings()


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:992)")
    error.reason = reason
    return error


def failed(error: OSError, **facts: object) -> FerryError:
    return handshake_error(POP3, TLS, error, **facts)  # type: ignore[arg-type]  # facts are given by name


HANG_UPS = [
    ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
    ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)"),
    tls_error("UNEXPECTED_EOF_WHILE_READING"),  # Python 3.11.2 with OpenSSL 3, which has no class for it
    ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    BrokenPipeError(errno.EPIPE, "Broken pipe"),
]


@pytest.mark.parametrize("error", HANG_UPS, ids=lambda error: type(error).__name__)
def test_a_hang_up_in_the_handshake_may_pass_by_itself(error: OSError) -> None:
    said = failed(error)
    assert (said.kind, said.advice) == (Kind.CONNECT, Advice.NOW)
    assert said.message.startswith("pop.example.org closed the connection during the TLS handshake: ")
    assert said.cure == "too many connections at once? wrong port?"


def test_a_hang_up_under_tls_is_one_on_every_python() -> None:
    assert all(map(is_hang_up, HANG_UPS[:3]))
    assert not is_hang_up(tls_error("WRONG_VERSION_NUMBER"))
    assert not is_hang_up(ConnectionResetError())


def test_other_tls_errors_need_a_person() -> None:
    said = failed(tls_error("NO_PROTOCOLS_AVAILABLE"))
    assert (said.kind, said.advice, said.finding) == (Kind.TLS, Advice.NEVER, "wrong-tls")
    assert "TLS 1.2" in said.cure


@pytest.mark.parametrize(
    ("words", "kind", "finding"),
    [(b"+OK ready\r\n", Kind.TLS, "wrong-tls"), (b"* OK ready\r\n", Kind.PROTOCOL, "wrong-service")],
)
def test_what_answers_a_handshake_in_the_clear_is_named(words: bytes, kind: Kind, finding: str) -> None:
    said = failed(tls_error("WRONG_VERSION_NUMBER"), words=words, expected=Service.POP3)
    assert (said.kind, said.finding) == (kind, finding)
    assert said.server_words in {"+OK ready", "* OK ready"}


def test_plain_words_behind_stls_are_no_plain_port() -> None:
    error = tls_error("WRONG_VERSION_NUMBER")
    said = handshake_error(POP3, TlsSettings(TlsMode.STARTTLS), error, words=b"-ERR\r\n", expected=Service.POP3)
    assert said.cure == 'try tls = "implicit" with the port 995'


def test_a_client_certificate_that_is_demanded_is_said_so_once() -> None:
    for error in (
        broken_line(tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "pop.example.org"),
        failed(tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED")),
    ):
        assert (error.kind, error.advice, error.finding) == (Kind.TLS, Advice.NEVER, "certificate")
        assert "client certificate" in error.message
    assert client_certificate_demanded("x", ConnectionResetError()) is None
    assert broken_line(ConnectionResetError(), "x").kind is Kind.CONNECT


@pytest.mark.parametrize(
    ("number", "words", "finding"),
    [
        (socket.EAI_AGAIN, "the name servers do not answer", "host-unreachable"),
        (socket.EAI_FAIL, "the name servers do not answer", "host-unreachable"),
        (socket.EAI_NONAME, "the host name is not known", "host-unknown"),
        (socket.EAI_NODATA, "the host name is not known", "host-unknown"),
        (socket.EAI_MEMORY, "out of memory", "host-unreachable"),
    ],
)
def test_a_name_that_gives_no_address_says_why(number: int, words: str, finding: str) -> None:
    said = name_error(POP3, socket.gaierror(number, "out of memory"))
    assert words in said.message
    assert (said.kind, said.finding, said.endpoint) == (Kind.CONNECT, finding, POP3)


def refused(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def test_an_address_without_a_route_hides_nothing_of_the_other() -> None:
    said = unreachable(
        POP3, [("192.0.2.1", refused(errno.ECONNREFUSED)), ("2001:db8::1", refused(errno.ENETUNREACH))], 9
    )
    assert "192.0.2.1: nothing answers on that port; 2001:db8::1: Network is unreachable" in said.message
    assert (said.kind, said.finding) == (Kind.CONNECT, "host-unreachable")


def test_what_all_addresses_say_is_said_once() -> None:
    said = unreachable(POP3, [(address, refused(errno.ECONNREFUSED)) for address in ("127.0.0.1", "::1")], 9)
    assert said.message == "cannot connect to pop.example.org:995: nothing answers on that port"


def test_a_host_that_swallows_everything_is_a_timeout() -> None:
    said = unreachable(POP3, [("192.0.2.1", TimeoutError()), ("2001:db8::1", refused(errno.ENETUNREACH))], 10.0)
    assert said.kind is Kind.TIMEOUT
    assert "192.0.2.1: no answer within 10 seconds; 2001:db8::1: Network is unreachable" in said.message


def test_silence_names_the_key_that_bounds_it_and_no_other_time_does() -> None:
    assert silence(45.0).cure == 'if it is only slow, set timeout = "5 minutes"'
    assert silence(300.0).cure == 'if it is only slow, set timeout = "10 minutes"'
    assert silence(3.0, is_configured=False).cure == ""


@pytest.mark.parametrize(
    ("error", "kind", "finding"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), Kind.CONNECT, "host-unknown"),
        (UnicodeError("label too long"), Kind.CONNECT, "host-unknown"),
        (refused(errno.ECONNREFUSED), Kind.CONNECT, "host-unreachable"),
        (TimeoutError(), Kind.TIMEOUT, ""),
        (tls_error("WRONG_VERSION_NUMBER"), Kind.TLS, "wrong-tls"),
        (HANG_UPS[0], Kind.CONNECT, "host-unreachable"),
    ],
)
def test_a_librarys_own_line_fails_in_the_same_words(error: OSError, kind: Kind, finding: str) -> None:
    said = line_error(POP3, TLS, error)
    assert (said.kind, said.finding, said.endpoint) == (kind, finding, POP3)
