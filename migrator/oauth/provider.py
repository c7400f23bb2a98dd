"""Who issues tokens: the endpoints, the client, and what is asked for. Pure.

Google's and Microsoft's are built in; the client is always its owner's, as both providers demand.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from migrator.lazy_dataclasses import dataclass, field


def parts_of(url: str) -> SplitResult:
    """Return the parts of a URL that a stranger has written; none of one that makes no sense."""
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port
    except ValueError:
        return urlsplit("")
    return parts


class Revealable(Protocol):
    """Something secret that is fetched when it is needed."""

    def reveal(self) -> str:
        """Return the value."""


class Grant(StrEnum):
    """Whom the tokens are for."""

    PERSON = "person"
    """A person, who signs in once."""
    CLIENT = "client-credentials"
    """The client itself, which an administrator has given the mailboxes (RFC 6749, section 4.4)."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider is asked; ``""`` where it has no such endpoint."""

    token: str
    authorize: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """One client of one provider."""

    name: str
    client_id: str
    endpoints: Endpoints | None = None
    """None where ``issuer`` tells them (RFC 8414)."""
    issuer: str = ""
    scopes: tuple[str, ...] = ()
    client_secret: Revealable | None = field(default=None, repr=False)
    grant: Grant = Grant.PERSON
    wishes: tuple[tuple[str, str], ...] = ()
    """What the authorization request has beside what the standard says."""
    loopback: str = "127.0.0.1"
    """What this machine is called in the redirect URI."""
    verification_hosts: tuple[str, ...] = ()
    """Where a person may be sent with a device code, beside the hosts of the endpoints."""

    @property
    def needs_person(self) -> bool:
        """Whether a person must sign in."""
        return self.grant is Grant.PERSON

    @property
    def host(self) -> str:
        """The server that issues the tokens, as far as the configuration tells."""
        return parts_of(self.endpoints.token if self.endpoints else self.issuer).hostname or self.name

    def key_for(self, user: str) -> str:
        """Return what a user's sign-in is called by: it belongs to a client, and to what was asked for."""
        parts = (self.name, self.client_id, self.issuer, self.endpoints.token if self.endpoints else "", user)
        text = "\0".join((*parts, *sorted(self.scopes), self.grant))
        return sha256(text.encode(errors="surrogateescape")).hexdigest()[:20]


def google(client_id: str, client_secret: Revealable | None, scopes: tuple[str, ...] = ()) -> Provider:
    """Return Google with somebody's client. It has no device codes for mail."""
    return Provider(
        "google",
        client_id,
        Endpoints(
            token="https://oauth2.googleapis.com/token",  # noqa: S106  # an address
            authorize="https://accounts.google.com/o/oauth2/v2/auth",
        ),
        scopes=scopes or ("https://mail.google.com/",),
        client_secret=client_secret,
        wishes=(("access_type", "offline"), ("prompt", "consent")),  # else there is no refresh token
    )


def microsoft(
    client_id: str,
    client_secret: Revealable | None,
    tenant: str,
    scopes: tuple[str, ...] = (),
    grant: Grant = Grant.PERSON,
) -> Provider:
    """Return Microsoft with somebody's client, for the mailboxes of a tenant."""
    base = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0"
    usual = {
        Grant.PERSON: (
            "https://outlook.office.com/POP.AccessAsUser.All",
            "https://outlook.office.com/IMAP.AccessAsUser.All",
            "offline_access",
        ),
        Grant.CLIENT: ("https://outlook.office365.com/.default",),
    }
    return Provider(
        "microsoft",
        client_id,
        Endpoints(token=f"{base}/token", authorize=f"{base}/authorize", device=f"{base}/devicecode"),
        scopes=scopes or usual[grant],
        client_secret=client_secret,
        grant=grant,
        loopback="localhost",  # any port is right for it, and 127.0.0.1 is another name
        verification_hosts=("microsoft.com", "www.microsoft.com", "login.microsoft.com"),
    )


_ALWAYS_GIVEN = frozenset({"offline_access", "openid", "profile", "email"})


def lacking(asked: tuple[str, ...], given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the scopes that were asked for and not given; none where the provider does not say what it has given."""
    if not given:
        return ()
    had = {_plain(scope) for scope in given}
    return tuple(scope for scope in asked if scope not in _ALWAYS_GIVEN and _plain(scope) not in had)


def _plain(scope: str) -> str:
    """Return a scope in one spelling: Microsoft's answers may name the other host, and case does not matter there."""
    return scope.replace("outlook.office365.com", "outlook.office.com").rstrip("/").lower()
