"""All ranks of discovery together: who is asked, in which order answers count, and how long is waited.

Rank before arrival: a better source's answer is waited for, within one budget, unless it cannot come any more. Once a
guess has proven its name, the others have one more second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from migrator.discovery.address import Address, is_within
from migrator.discovery.at_once import Answers, Ask, Patience, ask_all
from migrator.discovery.autoconfig import servers_in
from migrator.discovery.found import Found, Origin, Outcome
from migrator.discovery.guessing import Prove, guess
from migrator.discovery.https import NotFollowedError, fetch
from migrator.discovery.name_servers import NameServers
from migrator.discovery.presets import Provider, provider_of, provider_of_exchanger
from migrator.discovery.proving import proven
from migrator.errors import FerryError
from migrator.lazy_dataclasses import dataclass, field, replace
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode

BUDGET = 6.0
"""Seconds for everything that is asked over the network."""

_RECORDS = {
    Service.POP3: (("pop3s", TlsMode.IMPLICIT), ("pop3", TlsMode.STARTTLS)),
    Service.IMAP: (("imaps", TlsMode.IMPLICIT), ("imap", TlsMode.STARTTLS)),
}
_DATABASE = "https://v1.ispdb.net/{domain}"


@dataclass(frozen=True, slots=True)
class Outside:
    """What is asked over the network; tests put their own in place."""

    name_servers: NameServers = field(default_factory=NameServers)
    fetch: Callable[[str, str], bytes] = fetch
    prove: Prove = proven
    budget: float = BUDGET


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found, the best first. ``provider`` is the shipped one of the address's domain.

    ``lacks_service``: it is known that the provider has no such service. ``notes`` say what was tried in vain.
    """

    found: tuple[Found, ...] = ()
    notes: tuple[str, ...] = ()
    provider: Provider | None = None
    lacks_service: bool = False

    @property
    def trusted(self) -> Found | None:
        """The best that may be taken without asking a person."""
        return next((one for one in self.found if one.is_trusted), None)


def discover(
    address: Address,
    service: Service = Service.POP3,
    *,
    is_online: bool = False,
    only_trusted: bool = False,
    outside: Outside | None = None,
) -> Discovery:
    """Find where the mail of an address is. ``only_trusted`` waits for nothing that a person would have to agree to.

    Nothing is sent but the domain: to its own name servers and web server, with ``is_online`` to third parties, too.
    """
    provider = provider_of(address.domain)
    if provider is not None:
        if shipped := _shipped(provider, address, service, Origin.PRESET, "is shipped with mailferry"):
            return Discovery((replace(shipped, is_trusted=True),), provider=provider)
        if service is Service.POP3 and not provider.has_pop3:
            return Discovery(provider=provider, lacks_service=True)
    asking = _Asking(address, service, outside or Outside())
    asks = asking.ranks(is_online=is_online)
    answers = ask_all(asks, _patience(asks, asking.outside.budget, only_trusted=only_trusted))
    found = _merged([one for rank in sorted(answers) for one in answers[rank].found])
    notes = tuple(note for rank in sorted(answers) for note in answers[rank].notes)
    return Discovery(tuple(found), notes, provider)


def is_decided(answers: Answers, *, only_trusted: bool) -> bool:
    """Say whether no answer that may come yet counts more than one that is there."""
    for rank in range(len(answers)):
        if rank not in answers:
            return False
        if any(one.is_trusted or not only_trusted for one in answers[rank].found):
            return True
    return False


def _patience(asks: Sequence[Ask], budget: float, *, only_trusted: bool) -> Patience:
    last = len(asks) - 1

    def has_guess(answers: Answers) -> bool:
        return last in answers and bool(answers[last].found)

    return Patience(budget, lambda answers: is_decided(answers, only_trusted=only_trusted), is_good=has_guess)


def _merged(found: Sequence[Found]) -> list[Found]:
    """Return each server once, as the best rank has it; it is trusted if anybody who may say so names it."""
    merged: list[Found] = []
    for one in found:
        same = next((index for index, known in enumerate(merged) if known.is_same_server(one)), None)
        if same is None:
            merged.append(one)
        elif one.is_trusted and not merged[same].is_trusted:
            merged[same] = replace(one, provider=one.provider or merged[same].provider)
    return merged


def _shipped(provider: Provider, address: Address, service: Service, origin: Origin, where: str) -> Found | None:
    server = provider.server(service)
    if server is None:
        return None
    username = address.local if provider.username == "local" else str(address)
    return Found(server.host, server.port, server.tls, username, origin, where, provider=provider)


@dataclass(frozen=True, slots=True)
class _Asking:
    """The sources that are asked over the network, each as a question of its own."""

    address: Address
    service: Service
    outside: Outside

    def ranks(self, *, is_online: bool) -> list[Ask]:
        domain = self.address.domain
        own = (
            f"https://autoconfig.{domain}/mail/config-v1.1.xml",
            f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
        )
        return [
            lambda: self._autoconfig(own[0], domain),
            lambda: self._autoconfig(own[1], domain),
            self._exchanger,
            self._records,
            *([self._third_parties] if is_online else []),
            lambda: guess(self.address, self.service, self.outside.prove),
        ]

    def _autoconfig(self, url: str, domain: str, *, is_own: bool = True) -> Outcome:
        """Return the first server of a file that proves its name; one of the domain itself is trusted."""
        try:
            document = self.outside.fetch(url, domain)
        except NotFollowedError as error:
            return Outcome(notes=(error.message,))
        except FerryError:
            return Outcome()  # most domains have no such file
        where = f"is named by the autoconfig file at {url.split('/')[2]}"
        named = [
            Found(
                one.host,
                one.port,
                one.tls,
                one.username,
                Origin.AUTOCONFIG,
                where,
                is_trusted=is_own and is_within(one.host, self.address.domain),
            )
            for one in servers_in(document, self.address, self.service)
        ]
        return self.outside.prove(named, self.service)

    def _exchanger(self) -> Outcome:
        domain = self.address.domain
        host = self.outside.name_servers.mail_exchanger(domain)
        if host == "":
            return Outcome(notes=(f"{domain} says that it takes no mail (its MX record is empty)",))
        provider = provider_of_exchanger(host) if host else None
        where = f"was found by the MX record of {domain}"
        found = _shipped(provider, self.address, self.service, Origin.MX, where) if provider else None
        if provider and found is None and self.service is Service.POP3 and not provider.has_pop3:
            return Outcome(notes=(f"{domain} is served by {provider.name}, which has no POP3",))
        return Outcome((found,) if found else ())

    def _records(self) -> Outcome:
        domain = self.address.domain
        named = [
            Found(
                one.host,
                one.port,
                mode,
                str(self.address),
                Origin.SRV,
                f"is named by the SRV record of {domain}",
                is_trusted=one.is_validated or is_within(one.host, domain),
            )
            for service, mode in _RECORDS[self.service]
            for one in self.outside.name_servers.offered(service, domain)
        ]
        return self.outside.prove(named, self.service)

    def _third_parties(self) -> Outcome:
        """Ask the database of Thunderbird, then the hoster; both hear the domain, and neither is trusted."""
        domain = self.address.domain
        outcome = self._autoconfig(_DATABASE.format(domain=domain), "ispdb.net", is_own=False)
        host = None if outcome.found else self.outside.name_servers.mail_exchanger(domain)
        hoster = (host or "").partition(".")[2]
        if outcome.found or "." not in hoster:
            return outcome
        return self._autoconfig(f"https://autoconfig.{hoster}/mail/config-v1.1.xml", hoster, is_own=False)
