"""What is said to a provider and what it answers: RFC 6749, 7636 (PKCE), 8628 (device codes), 9207. By oauthlib.

oauthlib is imported at the place of use: most installations have no tokens.
"""

from __future__ import annotations

import json
import secrets
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from migrator.errors import ConfigError, DefectError, FerryError, Kind, contained, printable
from migrator.lazy_dataclasses import dataclass, field
from migrator.oauth.failures import GrantRefusedError, unreachable, wrong_client
from migrator.oauth.provider import Endpoints, Provider, parts_of
from migrator.oauth.web import Answer, Ask

if TYPE_CHECKING:
    from oauthlib.oauth2 import Client

USUAL_LIFETIME = 3600
"""Seconds that an access token is taken to live whose provider does not say (RFC 6749, section 5.1)."""

_CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"})
_PASSING_ERRORS = frozenset({"temporarily_unavailable", "server_error", "slow_down"})


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a provider has issued. Times are seconds; 0 where nothing was said."""

    access: str = field(repr=False)
    lifetime: int
    refresh: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    refresh_lifetime: int = 0


@dataclass(frozen=True, slots=True)
class Authorization:
    """One sign-in by a browser, under way: the link, and what proves that the answer belongs to it."""

    url: str
    redirect_uri: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


def authorization(provider: Provider, endpoints: Endpoints, redirect_uri: str, user: str) -> Authorization:
    """Begin a sign-in by a browser: a fresh state, and PKCE with S256."""
    from oauthlib.oauth2 import WebApplicationClient

    client = WebApplicationClient(provider.client_id)
    verifier, state = client.create_code_verifier(96), secrets.token_urlsafe(32)
    url = client.prepare_request_uri(
        endpoints.authorize,
        redirect_uri=redirect_uri,
        scope=list(provider.scopes),
        state=state,
        code_challenge=client.create_code_challenge(verifier, "S256"),
        code_challenge_method="S256",
        login_hint=user,
        **dict(provider.wishes),
    )
    return Authorization(str(url), redirect_uri, state, verifier)


class NotOursError(Exception):
    """An answer that does not belong to this sign-in."""


def code_in(answer: str, begun: Authorization, issuer: str) -> str:
    """Return the code in the address that a browser was sent to.

    Raises ``NotOursError`` where the address is no answer to this sign-in, and ``GrantRefusedError`` where the answer
    is no.
    """
    parts = parts_of(answer.strip())
    told = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if not secrets.compare_digest(told.get("state", "").encode(), begun.state.encode()):
        raise NotOursError
    if issuer and told.get("iss", issuer).rstrip("/") != issuer.rstrip("/"):  # RFC 9207: another server's answer
        raise NotOursError
    if "error" in told:
        words = printable(" ".join((told["error"], told.get("error_description", ""))).strip().encode())
        raise GrantRefusedError(Kind.AUTH, "the sign-in was not allowed", server_words=words)
    if "code" not in told:
        raise NotOursError
    return told["code"]


def redeem(provider: Provider, endpoints: Endpoints, begun: Authorization, code: str, ask: Ask) -> Tokens:
    """Turn a code into tokens."""
    from oauthlib.oauth2 import WebApplicationClient

    client = WebApplicationClient(provider.client_id)
    body = client.prepare_request_body(
        code=code, redirect_uri=begun.redirect_uri, code_verifier=begun.verifier, **_secret(provider)
    )
    return _tokens(client, provider, ask(endpoints.token, body), (code, begun.verifier))


def refresh(provider: Provider, endpoints: Endpoints, refresh_token: str, ask: Ask) -> Tokens:
    """Fetch a new access token, perhaps with a new refresh token. Raises ``GrantRefusedError`` if the sign-in ended."""
    from oauthlib.oauth2 import WebApplicationClient

    client = WebApplicationClient(provider.client_id)
    body = client.prepare_refresh_body(refresh_token=refresh_token, client_id=provider.client_id, **_secret(provider))
    return _tokens(client, provider, ask(endpoints.token, body), (refresh_token,))


def client_credentials(provider: Provider, endpoints: Endpoints, ask: Ask) -> Tokens:
    """Fetch an access token for the client itself."""
    from oauthlib.oauth2 import BackendApplicationClient

    client = BackendApplicationClient(provider.client_id)
    body = client.prepare_request_body(scope=list(provider.scopes), include_client_id=True, **_secret(provider))
    return _tokens(client, provider, ask(endpoints.token, body), ())


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a person types in, where, how long that is possible, and how often to ask whether it was done."""

    user_code: str
    verification_uri: str
    device_code: str = field(repr=False)
    expires_in: int
    interval: int


def device_code(provider: Provider, endpoints: Endpoints, ask: Ask) -> DeviceCode:
    """Begin a sign-in on another device. Sends people nowhere but to the provider's own hosts."""
    form = {"client_id": provider.client_id, "scope": " ".join(provider.scopes)}
    answer = ask(endpoints.device, urlencode(form))
    if "error" in answer.document:
        raise _failure(provider, answer, ())
    host = parts_of(endpoints.device).hostname or ""
    told = answer.document
    where = str(told.get("verification_uri") or told.get("verification_url") or "")  # Google's early name
    if parts_of(where).scheme != "https" or parts_of(where).hostname not in _own_hosts(provider, endpoints):
        raise unreachable(host, "would send people to a place that is not its own")
    if not told.get("device_code") or not told.get("user_code"):
        raise unreachable(host, "gave no code for another device")
    return DeviceCode(
        user_code=printable(str(told["user_code"]).encode(), limit=40),
        verification_uri=where,
        device_code=str(told["device_code"]),
        expires_in=_seconds(told.get("expires_in"), 900),
        interval=_seconds(told.get("interval"), 5),
    )


def _own_hosts(provider: Provider, endpoints: Endpoints) -> frozenset[str]:
    urls = (endpoints.token, endpoints.authorize, endpoints.device, provider.issuer)
    return frozenset(filter(None, (parts_of(url).hostname for url in urls))) | set(provider.verification_hosts)


def redeem_device(
    provider: Provider, endpoints: Endpoints, code: DeviceCode, ask: Ask, sleep: Callable[[float], None]
) -> Tokens:
    """Ask until the person has signed in on the other device; raises ``GrantRefusedError`` if that does not happen."""
    from oauthlib.oauth2 import DeviceClient

    client = DeviceClient(provider.client_id)
    body = client.prepare_request_body(device_code=code.device_code, include_client_id=True, **_secret(provider))
    interval, waited = code.interval, 0
    while waited < code.expires_in:
        sleep(interval)
        waited += interval
        try:
            answer = ask(endpoints.token, body)
        except FerryError as error:
            if error.kind is not Kind.TEMPORARY:
                raise
            continue  # section 3.5: a line that fails for a moment ends nothing
        match answer.document.get("error"):
            case "authorization_pending":
                continue
            case "slow_down":
                interval += 5
            case _:
                return _tokens(client, provider, answer, (code.device_code,))
    raise GrantRefusedError(Kind.AUTH, "nobody signed in while the code was valid")


def _secret(provider: Provider) -> dict[str, str]:
    return {} if provider.client_secret is None else {"client_secret": provider.client_secret.reveal()}


def _tokens(client: Client, provider: Provider, answer: Answer, said: tuple[str, ...]) -> Tokens:
    if "error" in answer.document or answer.status >= 400:
        raise _failure(provider, answer, said)
    lives = answer.document.get("expires_in")
    document = {name: value for name, value in answer.document.items() if not name.startswith("expires_")}
    try:
        with contained(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Without the scope that was asked for, which would raise where another is given.
            told: dict[str, Any] = dict(client.parse_request_body_response(json.dumps(document)))
    # Whatever oauthlib cannot read is no answer; the cause is left out, for it may hold tokens.
    except DefectError:
        raise unreachable(provider.host, "sent something else than a token") from None
    access = told.get("access_token")
    if not _is_token(access) or str(told.get("token_type", "bearer")).lower() != "bearer":
        raise unreachable(provider.host, "sent no bearer token")
    given = told.get("scope") or ()
    renewed = told.get("refresh_token")
    return Tokens(
        access=str(access),
        lifetime=_seconds(lives, USUAL_LIFETIME),
        refresh=str(renewed) if _is_token(renewed) else "",
        scopes=tuple(given.split() if isinstance(given, str) else map(str, given)),
        refresh_lifetime=_seconds(told.get("refresh_token_expires_in") or told.get("refresh_expires_in"), 0),
    )


def _is_token(value: object) -> bool:
    return isinstance(value, str) and value != "" and all(" " < character < "\x7f" for character in value)


def _seconds(value: object, otherwise: int) -> int:
    try:
        seconds = int(value) if isinstance(value, (str, int, float)) else 0
    except (ValueError, OverflowError):
        seconds = 0
    return seconds if 0 < seconds < 10**9 else otherwise


def _failure(provider: Provider, answer: Answer, said: tuple[str, ...]) -> FerryError:
    """Tell by the error's name (RFC 6749, section 5.2) whether the person, the client or nobody is at fault."""
    error = str(answer.document.get("error", ""))
    words = " ".join((error, str(answer.document.get("error_description", ""))))
    withheld = (*said, *_secret(provider).values())
    shown = printable(words.strip().encode(), secrets=tuple(text.encode() for text in withheld), limit=200)
    if answer.status in {408, 429} or answer.status >= 500 or error in _PASSING_ERRORS:
        return unreachable(provider.host, f"cannot serve us at the moment (status {answer.status})")
    if error in _CLIENT_ERRORS:
        return wrong_client(provider.host, provider.name, shown)
    return GrantRefusedError(Kind.AUTH, f"{provider.host} does not accept the sign-in", server_words=shown)


def check_method(endpoints: Endpoints, provider: Provider, method: str) -> None:
    """Raise ``ConfigError`` where a provider cannot be signed in with in this way."""
    if method == "device" and not endpoints.device:
        raise ConfigError([f"--method device: {provider.name} has no device codes for mail; use browser or paste"])
    if method != "device" and not endpoints.authorize:
        raise ConfigError([f"--method {method}: [oauth.{provider.name}] has no authorize endpoint"])
