"""One OpenID provider: what it says of itself (OpenID Connect Discovery 1.0), its keys, and who has signed in there.

It is asked by https only, when somebody wants to sign in, and not before; what it said is believed for an hour. An ID
token that none of its known keys has signed has the keys fetched again, at most once a minute: providers change them.
"""

from __future__ import annotations

import secrets
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote_plus

from jobs.web.openid.believed import PATIENCE_SECONDS, Believed
from jobs.web.openid.id_token import Proven, UnknownKeyError, Wanted, keys_in, proven_by
from migrator.config.openid import OpenId
from migrator.errors import FerryError, Kind, printable
from migrator.lazy_dataclasses import dataclass
from migrator.oauth import exchange, web
from migrator.oauth.exchange import Authorization
from migrator.oauth.failures import unreachable
from migrator.oauth.provider import Endpoints, Provider, parts_of

if TYPE_CHECKING:
    from joserfc.jwk import Key

BELIEVED_SECONDS = 3600.0
FEWEST_SECONDS = 60.0
"""Between two looks at the keys."""
MOST_SECONDS = 10.0
"""So long one question may take: a person waits."""
MOST_AT_ONCE = 4
"""Browsers whose codes are redeemed at one time."""
SCOPES = ("openid", "profile")
_BASIC = "client_secret_basic"


class Ask(Protocol):
    """Sends a form to an address, or nothing, perhaps with an ``Authorization`` of its own."""

    def __call__(self, url: str, form: str | None = None, *, authorization: str = "") -> web.Answer:
        """Return the answer; raises ``temporary``."""


def _ask(url: str, form: str | None = None, *, authorization: str = "") -> web.Answer:
    return web.ask(url, form, seconds=MOST_SECONDS, authorization=authorization)


@dataclass(frozen=True, slots=True)
class Described:
    """What a provider says of itself."""

    issuer: str
    authorize: str
    token: str
    keys: str
    takes_basic: bool
    """Whether the client's secret is given as HTTP Basic, which is the standard's default."""


class OpenIdProvider:
    """One provider; safe to share between threads."""

    def __init__(self, settings: OpenId, ask: Ask = _ask, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._ask = ask
        self._described = Believed(lambda: _described(settings.issuer, ask), clock)
        self._keys = Believed(self._fetch_keys, clock)
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)

    def begin(self, redirect_uri: str, *, is_again: bool = False) -> tuple[Authorization, str]:
        """Return a sign-in there, with a fresh state and PKCE, and its nonce.

        ``is_again`` has the provider ask who it is even of somebody whom it knows already.
        """
        described, nonce = self.described(), secrets.token_urlsafe(32)
        wishes = (("nonce", nonce), *((("prompt", "login"), ("max_age", "0")) if is_again else ()))
        return exchange.authorization(
            self._client(described, wishes), self._endpoints(described), redirect_uri, ""
        ), nonce

    def _client(self, described: Described, wishes: tuple[tuple[str, str], ...] = ()) -> Provider:
        return Provider(
            self.settings.label,
            self.settings.client_id,
            self._endpoints(described),
            described.issuer,
            SCOPES,
            wishes=wishes,
        )

    def _endpoints(self, described: Described) -> Endpoints:
        return Endpoints(described.token, described.authorize)

    def proven(self, address: str, begun: Authorization, nonce: str, now: float) -> Proven:
        """Return who has signed in, by the address at which the provider sent the browser back.

        Raises ``exchange.NotOursError`` where that is no answer to this sign-in, and ``FerryError`` for all else.
        """
        described = self.described()
        code = exchange.code_in(address, begun, described.issuer)
        if not self._places.acquire(timeout=PATIENCE_SECONDS):
            raise unreachable(parts_of(described.token).hostname or "", "is still being asked by others")
        try:
            token = self._id_token(described, begun, code)
        finally:
            self._places.release()
        wanted = Wanted(described.issuer, self.settings.client_id, nonce)
        try:
            return proven_by(token, self._keys.get(BELIEVED_SECONDS), wanted, now)
        except UnknownKeyError:
            return proven_by(token, self._keys.get(FEWEST_SECONDS), wanted, now)

    def _id_token(self, described: Described, begun: Authorization, code: str) -> str:
        from oauthlib.oauth2 import WebApplicationClient

        secret = self.settings.client_secret.reveal() if self.settings.client_secret else ""
        in_form = {"client_secret": secret} if secret and not described.takes_basic else {}
        form = WebApplicationClient(self.settings.client_id).prepare_request_body(
            code=code, redirect_uri=begun.redirect_uri, code_verifier=begun.verifier, **in_form
        )
        basic = _basic(self.settings.client_id, secret) if secret and described.takes_basic else ""
        answer = self._ask(described.token, form, authorization=basic)
        token = answer.document.get("id_token")
        if "error" in answer.document or answer.status != 200 or not isinstance(token, str):
            told = " ".join(str(answer.document.get(name, "")) for name in ("error", "error_description")).strip()
            withheld = tuple(text.encode() for text in (secret, code, begun.verifier) if text)
            host = parts_of(described.token).hostname
            raise FerryError(
                Kind.AUTH,
                f"{host} gave no ID token (status {answer.status})",
                server_words=printable(told.encode(errors="replace"), secrets=withheld, limit=200),
                cure="correct client_id, client_secret and, at the provider, the redirect address (docs/web.md)",
            )
        return token

    def described(self) -> Described:
        """Return what the provider says of itself, asked at most once an hour; raises ``temporary``."""
        return self._described.get(BELIEVED_SECONDS)

    def _fetch_keys(self) -> list[Key]:
        url = self.described().keys
        answer = self._ask(url)
        if answer.status != 200:
            raise unreachable(parts_of(url).hostname or url, f"does not give its keys (status {answer.status})")
        return keys_in(answer.document)


def _described(issuer: str, ask: Ask) -> Described:
    host = parts_of(issuer).hostname or issuer
    answer = ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    document = answer.document
    if answer.status != 200:
        raise unreachable(host, f"does not tell where its endpoints are (status {answer.status})")
    own = str(document.get("issuer", ""))
    if own.rstrip("/") != issuer.rstrip("/"):  # Discovery, section 4.3: but for a slash that people forget
        raise unreachable(host, "calls itself by another name than the configured issuer")
    found = [_https(document.get(name)) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    if not all(found):
        raise unreachable(host, "does not name all of its endpoints, each reached by https")
    methods = document.get("token_endpoint_auth_methods_supported", [_BASIC])
    authorize, token, keys = found
    return Described(own, authorize, token, keys, takes_basic=isinstance(methods, list) and _BASIC in methods)


def _https(url: object) -> str:
    is_plain = isinstance(url, str) and all("!" <= character <= "~" for character in url)  # it stands in a header
    return str(url) if is_plain and parts_of(str(url)).scheme == "https" and parts_of(str(url)).hostname else ""


def _basic(name: str, secret: str) -> str:
    """Return the client's name and secret as RFC 6749, section 2.3.1, has them."""
    return f"Basic {b64encode(f'{quote_plus(name)}:{quote_plus(secret)}'.encode()).decode()}"


class OpenIdProviders:
    """The provider that the configuration names now; what is known of it is forgotten when that changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OpenIdProvider | None = None

    def of(self, settings: OpenId) -> OpenIdProvider:
        """Return the provider of these settings."""
        with self._lock:
            if self._known is None or self._known.settings != settings:
                self._known = OpenIdProvider(settings)
            return self._known
