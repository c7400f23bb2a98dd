from __future__ import annotations

import pytest

from migrator.cli import finding_servers as said
from migrator.config.secrets import TextSecret
from migrator.config.urls import config_from_urls
from migrator.discovery import Discovery, Found, Origin, read_address
from migrator.discovery.presets import provider_of
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode

ALICE = read_address("alice@example.org")


def found(
    *, tls: TlsMode = TlsMode.IMPLICIT, port: int = 995, username: str = "alice@example.org", trusted: bool = False
) -> Found:
    return Found("pop.hoster.example", port, tls, username, Origin.MX, "was found by the MX record", trusted)


def test_a_server_is_named_in_full_with_who_named_it() -> None:
    assert said.in_words(found(), ALICE) == (
        "The server of example.org is pop.hoster.example, port 995, TLS; it was found by the MX record."
    )
    other = found(tls=TlsMode.STARTTLS, port=110, username="alice")
    assert "port 110, TLS begun by STARTTLS, username alice;" in said.in_words(other, ALICE)


@pytest.mark.parametrize(
    ("server", "service", "flags"),
    [
        (found(), Service.POP3, "--host pop.hoster.example --port 995 --tls implicit"),
        (
            found(username="al ice", tls=TlsMode.STARTTLS, port=110),
            Service.POP3,
            "--host pop.hoster.example --port 110 --tls starttls --username 'al ice'",
        ),
        (found(port=993), Service.IMAP, "--to imaps://alice%40example.org@pop.hoster.example:993/INBOX"),
        (
            found(port=143, tls=TlsMode.STARTTLS),
            Service.IMAP,
            "--to imap://alice%40example.org@pop.hoster.example:143/INBOX?tls=starttls",
        ),
    ],
)
def test_the_flags_that_take_a_server_name_it_as_a_whole(server: Found, service: Service, flags: str) -> None:
    assert said.flags(server, ALICE, service) == flags


@pytest.mark.parametrize("server", [found(), found(tls=TlsMode.STARTTLS, port=110, username="a/b c?%")])
def test_a_url_means_the_server_that_it_was_made_of(server: Found) -> None:
    [account] = config_from_urls(said.url_of(server), ["mbox:x"], passwords=lambda _: TextSecret("-")).accounts
    source = account.source
    assert (source.host, source.port, source.tls, source.username) == (
        server.host,
        server.port,
        server.tls,
        server.username,
    )


def test_what_nobody_agreed_to_is_told_from_what_needs_a_yes() -> None:
    lines = said.unagreed(Discovery((found(), found(trusted=True))), ALICE, Service.POP3)
    assert "nobody has agreed to that; take it with --host" in lines[1]
    assert "take it with --yes, or with --host" in lines[3]
    [line, note] = said.unagreed(Discovery(notes=("nobody\x1b answers",)), ALICE, Service.POP3)
    assert line.endswith("name it: --host HOST --port PORT --tls implicit|starttls")
    assert note == "  nobody\\x1b answers"


def test_the_providers_own_step_comes_with_its_page() -> None:
    gmx, gmail, posteo = provider_of("gmx.de"), provider_of("gmail.com"), provider_of("posteo.de")
    assert said.step_lines(gmx) == [
        "GMX: allow POP3 and IMAP in the settings of the mailbox.",
        "  https://hilfe.gmx.net/pop-imap/einschalten.html",
    ]
    assert said.step_lines(gmail)[-1].endswith("--oauth google")
    assert said.step_lines(posteo) == said.step_lines(None) == []
    assert said.secret_label(gmail) == "App password"
    assert said.secret_label(None) == "Password"
    assert "app password in place of the usual" in said.step_as_cure(posteo, "")
    assert said.step_as_cure(posteo, "do this").startswith("do this; ")
    assert "GMX: allow POP3" in said.step_as_cure(gmx, "do this")
