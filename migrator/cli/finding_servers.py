"""Agrees with a person, or with the flags, on the server of an address. Nothing was sent to it but a TLS hello."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator.cli import questions
from migrator.discovery import Address, Discovery, Found, SecretKind, discover, read_address
from migrator.errors import ConfigError
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode
from migrator.operations.add_account import given_server
from migrator.ui.text import plain

if TYPE_CHECKING:
    from migrator.discovery import Provider
    from migrator.ui.console import Console

_TLS = {
    TlsMode.IMPLICIT: "TLS",
    TlsMode.STARTTLS: "TLS begun by STARTTLS",
    TlsMode.NONE: "no encryption",
}
_LABELS = {
    SecretKind.PASSWORD: "Password",
    SecretKind.APP_PASSWORD: "App password",
    SecretKind.CODE: "Authorization code",
    SecretKind.OAUTH: "Password",
}
_UNKNOWN_STEP = (
    "many providers want POP3 to be allowed in the mailbox's settings first, and an app password in place of the usual"
)


def address_of(written: str) -> Address:
    """Read an address; raises ``ConfigError``."""
    try:
        return read_address(written)
    except ValueError as error:
        raise ConfigError([f"{written}: {error}"]) from None


def agreed_server(
    address: Address, service: Service, *, accepts_trusted: bool, is_online: bool, screen: Console
) -> Found:
    """Find the server of an address and have it agreed to; raises ``ConfigError`` where nobody can, or does."""
    screen.note(f"Looking for the {service} server of {address.domain}…")
    discovery = discover(address, service, is_online=is_online, only_trusted=accepts_trusted)
    if discovery.lacks_service and discovery.provider is not None:
        raise ConfigError([_without_pop3(discovery.provider, address)])
    if accepts_trusted:
        if discovery.trusted is None:
            raise ConfigError(unagreed(discovery, address, service))
        screen.note(in_words(discovery.trusted, address))
        return discovery.trusted
    if not questions.is_possible():
        raise ConfigError(unagreed(discovery, address, service))
    return _chosen(discovery, address, service, screen)


def trusted_url(written: str, screen: Console) -> str:
    """Return the URL of the POP3 server of an address, if it may be taken without asking; else ``ConfigError``."""
    address = address_of(written)
    discovery = discover(address, only_trusted=True)
    if discovery.lacks_service and discovery.provider is not None:
        raise ConfigError([_without_pop3(discovery.provider, address)])
    if discovery.trusted is None:
        found = [f"{in_words(one, address)} If that is right: --from {url_of(one)}" for one in discovery.found]
        raise ConfigError([f"--from {written}: no server was found that may be taken without asking", *found])
    screen.note(in_words(discovery.trusted, address))
    return url_of(discovery.trusted)


def url_of(found: Found) -> str:
    """Return a POP3 server as ``--from`` takes it."""
    from urllib.parse import quote

    user = quote(found.username, safe="")
    if found.tls is TlsMode.IMPLICIT:
        return f"pop3s://{user}@{found.host}:{found.port}"
    return f"pop3://{user}@{found.host}:{found.port}?tls={found.tls}"


def _chosen(discovery: Discovery, address: Address, service: Service, screen: Console) -> Found:
    for found in discovery.found:
        screen.problem(in_words(found, address))
        if questions.agreed("Right?"):
            return found
    if not discovery.found:
        screen.problem(f"No {service} server of {address.domain} was found.")
        for note in discovery.notes:
            screen.problem(plain(f"  {note}"))
    host = questions.answer(f"The name of the {service} server (Enter to stop):")
    if not host:
        raise ConfigError(["no server was agreed to; nothing was changed"])
    return given_server(address, host, None, TlsMode.IMPLICIT, service)


def in_words(found: Found, address: Address) -> str:
    """Say where the mail of an address is, and who says so."""
    provider = f" ({found.provider.name})" if found.provider else ""
    user = "" if found.username == str(address) else f", username {found.username}"
    return plain(
        f"The server of {address.domain} is {found.host}{provider}, port {found.port}, {_TLS[found.tls]}{user};"
        f" it {found.where}."
    )


def unagreed(discovery: Discovery, address: Address, service: Service) -> list[str]:
    """Say what was found that nobody has agreed to, and which flags take it."""
    if not discovery.found:
        notes = [f"  {plain(note)}" for note in discovery.notes]
        return [f"no {service} server of {address.domain} was found; name it: {_how(service)}", *notes]
    return [line for found in discovery.found for line in _offer(found, address, service)]


def _offer(found: Found, address: Address, service: Service) -> Sequence[str]:
    why = "take it with --yes, or with" if found.is_trusted else "nobody has agreed to that; take it with"
    return [in_words(found, address), f"  {why} {flags(found, address, service)}"]


def flags(found: Found, address: Address, service: Service) -> str:
    """Return the flags that name a server."""
    import shlex
    from urllib.parse import quote

    if service is Service.IMAP:
        scheme, more = ("imaps", "") if found.tls is TlsMode.IMPLICIT else ("imap", "?tls=starttls")
        return f"--to {scheme}://{quote(found.username, safe='')}@{found.host}:{found.port}/INBOX{more}"
    user = "" if found.username == str(address) else f" --username {shlex.quote(found.username)}"
    return f"--host {found.host} --port {found.port} --tls {found.tls}{user}"


def _how(service: Service) -> str:
    if service is Service.IMAP:
        return "--to imaps://user@host/INBOX"
    return "--host HOST --port PORT --tls implicit|starttls"


def _without_pop3(provider: Provider, address: Address) -> str:
    more = f"; {provider.step}" if provider.step else ""
    upload = f"; mail can be uploaded there, by --to {address}" if provider.imap else ""
    return f"{provider.name} has no POP3, so no mail can be fetched from there{more}{upload}"


def step_lines(provider: Provider | None) -> list[str]:
    """Say what a person must do at the provider before a program may log in."""
    if provider is None or not provider.step:
        return []
    sign_in = f"  To sign in by OAuth2 in place of a password: --oauth {provider.oauth}" if provider.oauth else ""
    return [line for line in (f"{provider.name}: {provider.step}.", f"  {provider.link}", sign_in) if line.strip()]


def step_as_cure(provider: Provider | None, known: str) -> str:
    """Return what to do about a refused log-in; ``known`` is what the log-in itself says of it."""
    if provider is None or not provider.step:
        return f"{known or 'check username and password'}; {_UNKNOWN_STEP}"
    link = f" ({provider.link})" if provider.link else ""
    return f"check username and password; {provider.name}: {provider.step}{link}"


def secret_label(provider: Provider | None) -> str:
    """Return what a provider calls what is typed."""
    return _LABELS[provider.secret] if provider else "Password"
