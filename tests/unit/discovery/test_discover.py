"""Which answer counts: rank before arrival, trust for whom nobody need be asked, and no waiting in vain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from dns.resolver import NoResolverConfiguration, Resolver

from migrator.discovery.address import read_address
from migrator.discovery.discover import Discovery, Outside, discover, is_decided
from migrator.discovery.found import Found, Origin, Outcome
from migrator.discovery.guessing import candidates, guess
from migrator.discovery.name_servers import NameServers
from migrator.errors import FerryError, Kind
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode
from tests.servers.name_server import NameServer, Zone

ALICE = read_address("alice@example.org")
NEVER = Event()


def outside(zone: Zone, *, pages: dict[str, bytes] | None = None, there: Sequence[str] = (), **options: Any) -> Any:
    """A world of names, pages and hosts that prove their names; the name server has to be closed."""
    names = NameServer(zone)

    def resolver() -> Resolver:
        made = Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], names.port
        return made

    def fetch(url: str, _domain: str) -> bytes:
        if pages is not None and url in pages:
            return pages[url]
        raise FerryError(Kind.CONNECT, f"{url} is not there")

    def prove(tried: Sequence[Found], _service: Service) -> Outcome:
        known = next((one for one in tried if f"{one.host}:{one.port}" in there), None)
        return Outcome((replace(known, has_proven_name=True),)) if known else Outcome()

    return names, Outside(NameServers(resolver), fetch, prove, **options)


def found_in(zone: Zone, *, only_trusted: bool = False, **options: Any) -> Discovery:
    names, world = outside(zone, **options)
    with names:
        return discover(ALICE, only_trusted=only_trusted, outside=world)


SRV: Zone = {"_pop3s._tcp.example.org": {"SRV": ["0 1 995 box.example.org."]}}
MX: Zone = {"example.org": {"MX": ["5 smtpin.rzone.de."]}}


def test_a_better_rank_counts_more_and_trust_is_remembered_beside_it() -> None:
    found = found_in({**SRV, **MX}, there=["box.example.org:995", "pop.example.org:995"], only_trusted=True)
    assert [one.origin for one in found.found][:2] == [Origin.MX, Origin.SRV]
    assert found.trusted is not None
    assert found.trusted.host == "box.example.org"


def test_a_server_that_two_name_is_one_and_trusted_if_either_may_say_so() -> None:
    zone: Zone = {**MX, "_pop3s._tcp.example.org": {"SRV": ["0 1 995 pop3.strato.de."]}}
    names, world = outside(zone, there=["pop3.strato.de:995"])
    with names:
        found = discover(ALICE, only_trusted=True, outside=world)
    assert [(one.host, one.is_trusted) for one in found.found] == [("pop3.strato.de", False)]


def test_a_provider_without_pop3_is_said_and_nobody_is_asked() -> None:
    def none() -> Resolver:
        raise NoResolverConfiguration

    found = discover(read_address("alice@icloud.com"), outside=Outside(NameServers(none)))
    assert (found.lacks_service, found.found) == (True, ())
    uploads = discover(read_address("alice@icloud.com"), Service.IMAP, outside=Outside(NameServers(none)))
    assert [(one.host, one.username) for one in uploads.found] == [("imap.mail.me.com", "alice")]


def test_a_domain_that_takes_no_mail_says_so() -> None:
    found = found_in({"example.org": {"MX": ["0 ."]}})
    assert found.found == ()
    assert any("takes no mail" in note for note in found.notes)


def test_a_source_that_is_silent_does_not_hide_the_others() -> None:
    names, world = outside(MX, budget=2.0)

    def silent(_url: str, _domain: str) -> bytes:
        NEVER.wait(20)
        return b""

    with names:
        found = discover(ALICE, outside=replace(world, fetch=silent))
    assert [one.host for one in found.found] == ["pop3.strato.de"]


def test_guesses_are_the_usual_names_tls_first() -> None:
    tried = [(one.host, one.port, one.tls) for one in candidates(ALICE, Service.POP3)]
    assert tried[:4] == [
        ("pop.example.org", 995, TlsMode.IMPLICIT),
        ("pop3.example.org", 995, TlsMode.IMPLICIT),
        ("mail.example.org", 995, TlsMode.IMPLICIT),
        ("example.org", 995, TlsMode.IMPLICIT),
    ]
    assert tried[4:] == [(host, 110, TlsMode.STARTTLS) for host, _, _ in tried[:4]]
    assert [one.host for one in candidates(ALICE, Service.IMAP)][:2] == ["imap.example.org", "mail.example.org"]


def test_a_guess_that_answers_late_is_preferred_to_a_name_in_a_certificate() -> None:
    asked = Event()

    def prove(tried: Sequence[Found], _service: Service) -> Outcome:
        [one] = tried
        if one.host == "pop.example.org" and one.port == 995:
            return Outcome((replace(one, host="hoster.example"),))
        if one.host == "mail.example.org" and one.port == 995:
            asked.set()
            return Outcome((one,))
        return Outcome()

    assert guess(ALICE, Service.POP3, prove).found[0].host == "mail.example.org"
    assert asked.is_set()


def one(origin: Origin, *, is_trusted: bool = False) -> Outcome:
    return Outcome((Found("h", 995, TlsMode.IMPLICIT, "a", origin, "", is_trusted=is_trusted),))


NONE = Outcome()
TRUSTED, HINT = one(Origin.SRV, is_trusted=True), one(Origin.MX)


@pytest.mark.parametrize(
    ("answers", "decided", "decided_if_trusted"),
    [
        ({}, False, False),
        ({0: NONE}, False, False),
        ({0: TRUSTED}, True, True),
        ({1: TRUSTED}, False, False),
        ({0: NONE, 1: HINT}, True, False),
        ({0: NONE, 1: HINT, 2: TRUSTED}, True, True),
        ({0: HINT, 2: TRUSTED}, True, False),
    ],
)
def test_when_no_later_answer_counts(answers: dict[int, Outcome], decided: bool, decided_if_trusted: bool) -> None:
    assert is_decided(answers, only_trusted=False) is decided
    assert is_decided(answers, only_trusted=True) is decided_if_trusted
