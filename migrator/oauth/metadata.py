"""What an issuer says of itself (RFC 8414): where its endpoints are. Asked by https, and believed only of itself."""

from __future__ import annotations

from migrator.errors import FerryError
from migrator.oauth.failures import unreachable
from migrator.oauth.provider import Endpoints, Provider, parts_of
from migrator.oauth.web import Answer, Ask


def endpoints_of(provider: Provider, ask: Ask) -> Endpoints:
    """Return a provider's endpoints: as configured, else as its issuer tells. Raises ``temporary`` if it does not."""
    if provider.endpoints is not None:
        return provider.endpoints
    answer = _told(provider.issuer, ask)
    document, host = answer.document, parts_of(provider.issuer).hostname or provider.issuer
    if str(document.get("issuer", "")).rstrip("/") != provider.issuer.rstrip("/"):  # section 3.3
        raise unreachable(host, "calls itself by another name than the configured issuer")
    found = Endpoints(
        token=_https(document.get("token_endpoint")),
        authorize=_https(document.get("authorization_endpoint")),
        device=_https(document.get("device_authorization_endpoint")),
    )
    if not found.token:
        raise unreachable(host, "names no token endpoint that is reached by https")
    return found


def _told(issuer: str, ask: Ask) -> Answer:
    """Ask where the standard says, then where OpenID Connect does (section 5)."""
    parts = parts_of(issuer)
    path = parts.path.rstrip("/")
    host = parts.hostname or issuer
    base = f"{parts.scheme}://{parts.netloc}"
    places = (
        f"{base}/.well-known/oauth-authorization-server{path}",
        f"{base}{path}/.well-known/openid-configuration",
    )
    failure: FerryError | None = None
    for place in places:
        try:
            answer = ask(place, None)
        except FerryError as error:
            failure = error
            continue
        if answer.status == 200:
            return answer
    raise failure or unreachable(host, "does not tell where its endpoints are (RFC 8414)")


def _https(url: object) -> str:
    return url if isinstance(url, str) and parts_of(url).scheme == "https" and parts_of(url).hostname else ""
