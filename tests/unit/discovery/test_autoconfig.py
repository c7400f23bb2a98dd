from __future__ import annotations

import time

import pytest

from migrator.discovery.address import read_address
from migrator.discovery.autoconfig import LARGEST, NamedServer, servers_in
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode

ALICE = read_address("alice@example.org")


def server(
    *, kind: str = "pop3", host: str = "pop.example.org", port: object = 995, socket: str = "SSL", more: str = ""
) -> str:
    return (
        f'<incomingServer type="{kind}"><hostname>{host}</hostname><port>{port}</port>'
        f"<socketType>{socket}</socketType>{more}</incomingServer>"
    )


def document(*servers: str) -> bytes:
    inner = "".join(servers)
    return f'<clientConfig version="1.1"><emailProvider id="x">{inner}</emailProvider></clientConfig>'.encode()


def found(*servers: str, service: Service = Service.POP3) -> list[NamedServer]:
    return servers_in(document(*servers), ALICE, service)


@pytest.mark.parametrize(
    ("username", "read"),
    [
        ("%EMAILADDRESS%", "alice@example.org"),
        ("%EMAILLOCALPART%", "alice"),
        ("%EMAILLOCALPART%.%EMAILDOMAIN%", "alice.example.org"),
        ("", "alice@example.org"),
    ],
)
def test_placeholders_are_filled(username: str, read: str) -> None:
    [one] = found(server(host="pop.%EMAILDOMAIN%", more=f"<username>{username}</username>"))
    assert one == NamedServer("pop.example.org", 995, TlsMode.IMPLICIT, read)


def test_the_order_and_the_service_are_the_files() -> None:
    servers = (
        server(kind="imap", host="imap.example.org", port=993),
        server(port=110, socket="STARTTLS"),
        server(),
    )
    assert [(one.port, one.tls) for one in found(*servers)] == [(110, TlsMode.STARTTLS), (995, TlsMode.IMPLICIT)]
    assert [one.host for one in found(*servers, service=Service.IMAP)] == ["imap.example.org"]


@pytest.mark.parametrize(
    "odd",
    [
        server(socket="plain", port=110),
        server(port="many"),
        server(port=70000),
        server(host="pop.example.org:995"),
        server(host=""),
        server(host="a b"),
        server(more="<username>a&#10;b</username>"),
        server(more="<authentication>GSSAPI</authentication>"),
        server(kind="exchange"),
        "<incomingServer/>",
        "<nonsense>x</nonsense>",
    ],
)
def test_an_entry_that_cannot_be_used_is_left_out_alone(odd: str) -> None:
    assert [one.host for one in found(odd, server())] == ["pop.example.org"]


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%s;" % (b"%d" % (n - 1) if n else b"") * 10) for n in range(12))
    + b"]><clientConfig>&a11;</clientConfig>"
)
HOSTILE = {
    "nothing": b"",
    "html": b"<!doctype html><html><body>hello</body></html>",
    "another root": b"<config/>",
    "cut short": document(server())[:-20],
    "entities that explode": BOMB,
    "an entity of a file": b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><clientConfig>&f;</clientConfig>',
    "a document type alone": b"<!DOCTYPE clientConfig>" + document(server()),
    "too large": document(server()) + b" " * LARGEST,
    "an encoding that nobody has": b'<?xml version="1.0" encoding="x-none"?>' + document(server()),
    "no text at all": bytes(range(256)),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_such_file_names_nobody(case: str) -> None:
    began = time.monotonic()
    assert servers_in(HOSTILE[case], ALICE, Service.POP3) == []
    assert time.monotonic() - began < 2.0
