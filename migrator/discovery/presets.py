"""Providers that are shipped: their servers, and what a person must do there before a program may log in.

The data is ``presets.toml``, each entry with its source and date. Looking somebody up asks nobody.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from migrator.lazy_dataclasses import dataclass
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode

_PORTS = {Service.POP3: 995, Service.IMAP: 993}


class SecretKind(StrEnum):
    """What a provider takes for a password."""

    PASSWORD = "password"  # noqa: S105  # a kind, no secret
    APP_PASSWORD = "app password"  # noqa: S105  # as above
    CODE = "authorization code"
    OAUTH = "oauth"


@dataclass(frozen=True, slots=True)
class PresetServer:
    """Where a provider's server is."""

    host: str
    port: int
    tls: TlsMode


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider. ``step`` and ``link``: what a person must do there first; ``source`` and ``date``: who says so."""

    id: str
    name: str
    source: str
    date: str
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    pop3: PresetServer | None = None
    imap: PresetServer | None = None
    username: str = "address"
    secret: SecretKind = SecretKind.PASSWORD
    step: str = ""
    link: str = ""
    oauth: str = ""
    has_pop3: bool = True

    def server(self, service: Service) -> PresetServer | None:
        """Return where a service is, None where that is not known."""
        return self.pop3 if service is Service.POP3 else self.imap


def provider_of(domain: str) -> Provider | None:
    """Return whose domain of addresses this is."""
    return _by_domain().get(domain)


def provider_of_exchanger(host: str) -> Provider | None:
    """Return whose mail exchanger this is: its name, then without its first label, and so on, the longest first."""
    labels = host.rstrip(".").lower().split(".")
    endings = [".".join(labels[start:]) for start in range(len(labels) - 1)]
    return next((_by_exchanger()[ending] for ending in endings if ending in _by_exchanger()), None)


@cache
def providers() -> tuple[Provider, ...]:
    """Return all that are shipped."""
    text = files("migrator.discovery").joinpath("presets.toml").read_text(encoding="utf-8")
    return tuple(_provider(entry) for entry in tomllib.loads(text)["provider"])


@cache
def _by_domain() -> Mapping[str, Provider]:
    return {domain: provider for provider in providers() for domain in provider.domains}


@cache
def _by_exchanger() -> Mapping[str, Provider]:
    by_domain = {domain: provider for domain, provider in _by_domain().items() if not provider.mx}
    return by_domain | {ending: provider for provider in providers() for ending in provider.mx}


def _provider(entry: Mapping[str, Any]) -> Provider:
    servers = {
        str(service).lower(): _server(entry[str(service).lower()], service)
        for service in _PORTS
        if str(service).lower() in entry
    }
    lists = {name: tuple(entry.get(name, ())) for name in ("domains", "mx")}
    return Provider(**{**entry, **servers, **lists, "secret": SecretKind(entry.get("secret", "password"))})


def _server(written: str, service: Service) -> PresetServer:
    host, _, way = written.partition(":")
    if not way:
        return PresetServer(host, _PORTS[service], TlsMode.IMPLICIT)
    port, _, mode = way.partition(":")
    return PresetServer(host, int(port), TlsMode(mode))
