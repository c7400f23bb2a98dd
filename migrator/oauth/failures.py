"""What can go wrong with tokens, in words. Pure."""

from __future__ import annotations

from migrator.errors import Advice, Endpoint, FerryError, Kind

SIGN_IN_NEEDED = "sign-in-needed"


class GrantRefusedError(FerryError):
    """The provider does not accept the sign-in, the code or the device any more (``invalid_grant`` and its kin)."""


class TimedOutError(FerryError):
    """The provider did not answer in time: whether it has done what it was asked is not known."""


def sign_in_needed(reason: str, account: str, *, server_words: str = "") -> FerryError:
    """Return the error of an account for which a person must sign in."""
    return FerryError(
        Kind.AUTH,
        reason,
        server_words=server_words,
        cure=f"sign in: mailferry sign-in {account or 'ACCOUNT'}",
        advice=Advice.NEVER,
        finding=SIGN_IN_NEEDED,
    )


def unreachable(host: str, reason: str, *, is_timeout: bool = False) -> FerryError:
    """Return the error of a provider that gives no answer, or none that is one. It may pass."""
    kind = TimedOutError if is_timeout else FerryError
    return kind(
        Kind.TEMPORARY,
        f"{host}, which issues the access tokens, {reason}",
        endpoint=Endpoint(host, 443),
        finding="host-unreachable",
    )


def wrong_client(host: str, provider: str, words: str) -> FerryError:
    """Return the error of a provider that does not accept the client: a matter of the configuration."""
    return FerryError(
        Kind.AUTH,
        f"{host} does not accept the client of [oauth.{provider}]",
        server_words=words,
        cure=f"correct client_id and client_secret under [oauth.{provider}] (docs/oauth.md)",
        advice=Advice.NEVER,
        endpoint=Endpoint(host, 443),
        finding="auth-refused",
    )
