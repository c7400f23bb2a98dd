from __future__ import annotations

import pytest

from migrator.errors import Advice, Endpoint, FerryError, Kind
from migrator.net.first_words import Service, check_greeting, patience, service_of, stranger
from migrator.net.tls import TlsMode

POP3 = Endpoint("pop.example.org", 110)


@pytest.mark.parametrize(
    ("words", "service"),
    [
        (b"+OK ready\r\n", Service.POP3),
        (b"-ERR too many\r\n", Service.POP3),
        (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", Service.IMAP),
        (b"* BYE later\r\n", Service.IMAP),
        (b"220 mx.example.org ESMTP\r\n", Service.SMTP),
        (b"220-mx.example.org\r\n", Service.SMTP),
        (b"220 ProFTPD FTP server\r\n", Service.FTP),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Service.SSH),
        (b"HTTP/1.1 400 Bad Request\r\n", Service.HTTP),
        (b"200 news.example.org\r\n", Service.NNTP),
        (b'"IMPLEMENTATION" "Dovecot Pigeonhole"\r\n', Service.SIEVE),
        (b"\x16\x03\x03\x00\x7a\x02\x00", Service.TLS),
        (b"\x15\x03\x01\x00\x02\x02\x28", Service.TLS),
        (b"\x16\x03\x01 OK done\r\n", None),  # a hello of ours, taken for a tag and repeated
        (b"+", None),
        (b"\r\n+OK ready\r\n", None),
        (b"", None),
    ],
)
def test_a_service_is_known_by_its_first_words(words: bytes, service: Service | None) -> None:
    assert service_of(words) is service


@pytest.mark.parametrize("words", [b"+OK ready\r\n", b"", b"hello\r\n"])
def test_what_may_be_right_is_let_through(words: bytes) -> None:
    check_greeting(words, Service.POP3, POP3, TlsMode.NONE)


def test_another_service_is_named_with_the_ports_of_both_and_not_tried_again() -> None:
    with pytest.raises(FerryError) as caught:
        check_greeting(b"220 mx \x1b[31m\r\n", Service.POP3, POP3, TlsMode.NONE)
    error = caught.value
    assert (error.kind, error.advice, error.finding) == (Kind.PROTOCOL, Advice.NEVER, "wrong-service")
    assert error.cure == "check host and port: this is an SMTP server (25, 465 or 587); POP3 is 110 or 995"
    assert "\x1b" not in str(error)


@pytest.mark.parametrize(
    ("found", "mode", "port", "cure"),
    [
        (Service.TLS, TlsMode.NONE, 995, 'set tls = "implicit"'),
        (Service.TLS, TlsMode.STARTTLS, 995, 'set tls = "implicit"'),
        (
            Service.POP3,
            TlsMode.IMPLICIT,
            110,
            'this port speaks plain POP3: try tls = "starttls" or the port 995',
        ),
        (Service.POP3, TlsMode.IMPLICIT, 995, 'this port speaks plain POP3: try tls = "starttls"'),
        (Service.POP3, TlsMode.STARTTLS, 110, 'try tls = "implicit" with the port 995'),
    ],
)
def test_the_wrong_mode_is_named_with_the_right_one(found: Service, mode: TlsMode, port: int, cure: str) -> None:
    error = stranger(found, Service.POP3, Endpoint("pop.example.org", port), mode)
    assert (error.kind, error.finding, error.cure) == (Kind.TLS, "wrong-tls", cure)


def test_a_port_that_is_known_for_tls_is_looked_at_sooner() -> None:
    assert patience(995, 45.0) < patience(110, 45.0) < 5
    assert patience(110, 1.0) == 0.5
