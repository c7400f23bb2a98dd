"""How a person signs in: by a browser on this machine, by one elsewhere whose address is pasted, or another device.

Each ends with tokens, or with an error in words. Nothing is kept here.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Protocol, assert_never

from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.oauth import exchange, web
from migrator.oauth.exchange import Authorization, NotOursError, Tokens
from migrator.oauth.failures import GrantRefusedError
from migrator.oauth.loopback import LONGEST, Listener
from migrator.oauth.metadata import endpoints_of
from migrator.oauth.provider import Endpoints, Provider, lacking

_PASTES = 3


class Method(StrEnum):
    """How a person signs in."""

    BROWSER = "browser"
    PASTE = "paste"
    DEVICE = "device"


class Person(Protocol):
    """Who signs in, at a terminal or elsewhere."""

    def open_link(self, url: str) -> None:
        """Show a link, and open it in a browser on this machine."""

    def show_link(self, url: str) -> None:
        """Show a link that is opened elsewhere."""

    def pasted(self) -> str:
        """Ask for the address that the browser ended at; it holds a secret for some minutes."""

    def show_code(self, code: str, where: str) -> None:
        """Show what to type in, and where."""

    def note(self, text: str) -> None:
        """Say something."""


@dataclass(frozen=True, slots=True)
class Effects:
    """The world around a sign-in."""

    ask: web.Ask = web.ask
    sleep: Callable[[float], None] = time.sleep
    seconds: float = LONGEST


def sign_in(provider: Provider, user: str, method: Method, person: Person, effects: Effects | None = None) -> Tokens:
    """Have a person sign in; returns tokens that hold what was asked for.

    Raises ``auth`` where the person or the provider says no, ``temporary`` where it cannot be asked, ``ConfigError``
    where it has no such way.
    """
    effects = effects or Effects()
    tokens = _signed_in(provider, user, method, person, effects)
    if missing := lacking(provider.scopes, tokens.scopes):
        raise FerryError(
            Kind.AUTH,
            f"{provider.name} did not give what is needed to fetch mail: {' '.join(missing)}",
            cure="sign in again, and leave every box ticked on the provider's page",
            finding="sign-in-needed",
        )
    return tokens


def _signed_in(provider: Provider, user: str, method: Method, person: Person, effects: Effects) -> Tokens:
    endpoints = endpoints_of(provider, effects.ask)
    exchange.check_method(endpoints, provider, method)
    match method:
        case Method.BROWSER:
            return _by_browser(provider, endpoints, user, person, effects)
        case Method.PASTE:
            return _by_paste(provider, endpoints, user, person, effects)
        case Method.DEVICE:
            code = exchange.device_code(provider, endpoints, effects.ask)
            person.show_code(code.user_code, code.verification_uri)
            return exchange.redeem_device(provider, endpoints, code, effects.ask, effects.sleep)
        case _ as never:
            assert_never(never)


def _by_browser(provider: Provider, endpoints: Endpoints, user: str, person: Person, effects: Effects) -> Tokens:
    begun: list[Authorization] = []
    listener: Listener[str] = Listener(lambda path: _code(path, begun[0], provider))
    try:
        redirect_uri = f"http://{provider.loopback}:{listener.port}"
        begun.append(exchange.authorization(provider, endpoints, redirect_uri, user))
        person.open_link(begun[0].url)
        code = listener.wait(effects.seconds)
    finally:
        listener.close()
    if code is None:
        raise GrantRefusedError(
            Kind.AUTH,
            f"nobody signed in within {effects.seconds / 60:.0f} minutes",
            cure="if the browser is on another machine, use --method paste",
        )
    return exchange.redeem(provider, endpoints, begun[0], code, effects.ask)


def _by_paste(provider: Provider, endpoints: Endpoints, user: str, person: Person, effects: Effects) -> Tokens:
    # Nobody listens there: the browser ends at an error, and the address that it shows is the answer.
    port = 49_152 + secrets.randbelow(16_000)
    begun = exchange.authorization(provider, endpoints, f"http://{provider.loopback}:{port}", user)
    person.show_link(begun.url)
    take = partial(_code, begun=begun, provider=provider)
    for _ in range(_PASTES):
        if code := take(person.pasted()):
            return exchange.redeem(provider, endpoints, begun, code, effects.ask)
        person.note("That is not the address that this sign-in ends at; it begins with " + begun.redirect_uri)
    raise GrantRefusedError(Kind.AUTH, "the sign-in was not finished: no address with its answer was given")


def _code(answer: str, begun: Authorization, provider: Provider) -> str | None:
    try:
        return exchange.code_in(answer, begun, provider.issuer)
    except NotOursError:
        return None
