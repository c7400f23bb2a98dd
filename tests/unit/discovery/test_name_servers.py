from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from dns.resolver import NoResolverConfiguration, Resolver

from migrator.discovery.name_servers import NameServers
from migrator.errors import FerryError
from tests.servers.name_server import NameServer, Zone

ZONE: Zone = {
    "example.org": {"MX": ["20 second.example.org.", "5 First.hoster.example."]},
    "null.example": {"MX": ["0 ."]},
    "nothing.example": {"A": ["127.0.0.1"]},
    "_pop3s._tcp.example.org": {
        "SRV": ["10 1 995 late.example.org.", "0 1 995 light.example.org.", "0 9 1995 heavy.example.org."]
    },
    "_pop3._tcp.example.org": {"SRV": ["0 0 0 ."]},
    "_imaps._tcp.example.org": {"SRV": ["0 0 993 a\\032b.example.org."]},
}


def asking(server: NameServer) -> Callable[[], Resolver]:
    def resolver() -> Resolver:
        made = Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], server.port
        return made

    return resolver


@pytest.mark.parametrize(
    ("domain", "host"),
    [("example.org", "first.hoster.example"), ("null.example", ""), ("nothing.example", None), ("no.example", None)],
)
def test_the_most_preferred_exchanger_is_named(domain: str, host: str | None) -> None:
    with NameServer(ZONE) as server:
        assert NameServers(asking(server)).mail_exchanger(domain) == host


def test_services_come_by_priority_and_weight() -> None:
    with NameServer(ZONE) as server:
        found = NameServers(asking(server)).offered("pop3s", "example.org")
    assert [(one.host, one.port) for one in found] == [
        ("heavy.example.org", 1995),
        ("light.example.org", 995),
        ("late.example.org", 995),
    ]


@pytest.mark.parametrize("service", ["pop3", "imaps", "imap"])
def test_a_service_that_is_not_offered_or_has_an_odd_name_is_none(service: str) -> None:
    with NameServer(ZONE) as server:
        assert NameServers(asking(server)).offered(service, "example.org") == []


@pytest.mark.parametrize("says", [True, False])
def test_an_answer_is_validated_where_our_own_name_server_says_so(says: bool) -> None:
    with NameServer(ZONE, says_validated=says) as server:
        found = NameServers(asking(server)).offered("pop3s", "example.org")
    assert {one.is_validated for one in found} == {says}


@pytest.mark.parametrize(
    ("server", "lines", "trusts"),
    [
        ("127.0.0.53", "", True),
        ("::1", "", True),
        ("192.0.2.1", "", False),
        ("192.0.2.1", "options edns0 trust-ad\n", True),
        ("192.0.2.1", "# options trust-ad\n", False),
    ],
)
def test_a_foreign_name_server_is_believed_only_where_the_system_says_so(
    server: str, lines: str, trusts: bool, tmp_path: Path
) -> None:
    (tmp_path / "resolv.conf").write_text(lines)
    assert NameServers(resolv_conf=tmp_path / "resolv.conf").trusts_flag_of(server) is trusts
    assert NameServers(resolv_conf=tmp_path / "none").trusts_flag_of("192.0.2.1") is False


def test_a_machine_without_name_servers_says_so() -> None:
    def none() -> Resolver:
        raise NoResolverConfiguration

    with pytest.raises(FerryError, match=r"no name server answered for example\.org"):
        NameServers(none).mail_exchanger("example.org")
