"""Each field of each shipped provider has its form, and nothing is shipped that is not known."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from migrator.discovery.address import domain_of
from migrator.discovery.presets import Provider, SecretKind, provider_of, provider_of_exchanger, providers
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode

ALL = providers()
BUILT_IN = {"google", "microsoft"}


@pytest.mark.parametrize("provider", ALL, ids=lambda provider: provider.id)
def test_each_field_has_its_form(provider: Provider) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", provider.id)
    assert provider.name.strip() == provider.name != ""
    assert provider.domains or provider.mx, "nobody would find it"
    for domain in (*provider.domains, *provider.mx):
        assert domain_of(domain) == domain
        assert "." in domain
    for service, ports in ((Service.POP3, (995, 110)), (Service.IMAP, (993, 143))):
        if (server := provider.server(service)) is not None:
            assert domain_of(server.host) == server.host
            assert server.tls is not TlsMode.NONE, "nothing is sent in the clear"
            assert server.port == ports[server.tls is TlsMode.STARTTLS]
    assert provider.username in {"address", "local"}
    assert provider.oauth in {"", *BUILT_IN}
    assert (provider.secret is SecretKind.OAUTH) <= bool(provider.oauth)
    assert provider.source
    assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", provider.date)
    assert provider.pop3 is None or provider.has_pop3
    assert provider.pop3 or provider.imap or not provider.has_pop3
    assert "?" not in provider.step + provider.name, "what is not known is not said"
    assert not provider.step.endswith(".")
    assert not provider.link or provider.link.startswith("https://")


def test_no_domain_stands_twice() -> None:
    for names in ([name for one in ALL for name in one.domains], [name for one in ALL for name in one.mx]):
        assert [name for name, count in Counter(names).items() if count > 1] == []
    assert len({provider.id for provider in ALL}) == len(ALL) >= 60


@pytest.mark.parametrize(
    ("domain", "known"), [("gmx.de", "gmx-net"), ("gmail.com", "gmail"), ("rzone.de", ""), ("example.org", "")]
)
def test_a_domain_of_addresses_is_known_as_a_whole(domain: str, known: str) -> None:
    provider = provider_of(domain)
    assert (provider.id if provider else "") == known


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("smtpin.rzone.de", "strato"),
        ("aspmx.l.google.com.", "google-workspace"),
        ("example-org.mail.protection.outlook.com", "microsoft-365"),
        ("mx00.kundenserver.de", "ionos"),
        ("in1-smtp.messagingengine.com", "fastmail"),
        ("mx.zoho.com", "zoho-domain"),
        ("mx0.posteo.de", "posteo"),
        ("mx.hoster.example", ""),
        ("com", ""),
        ("notrzone.de", ""),
    ],
)
def test_a_mail_exchanger_is_known_by_its_longest_ending(host: str, known: str) -> None:
    provider = provider_of_exchanger(host)
    assert (provider.id if provider else "") == known
