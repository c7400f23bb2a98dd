"""A provider, trusted by this process, and a sign-in at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.config.secrets import TextSecret
from migrator.oauth import exchange, web
from migrator.oauth.provider import Endpoints, Provider
from migrator.oauth.signed_in import SignedIn
from tests.servers.oauth_provider import CLIENT, SECRET, OAuthProvider, trusted


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[OAuthProvider]:
    with trusted(monkeypatch, tmp_path), OAuthProvider() as running:
        yield running


@pytest.fixture
def provider(server: OAuthProvider) -> Provider:
    return provider_at(server)


def provider_at(server: OAuthProvider) -> Provider:
    base = server.issuer
    endpoints = Endpoints(f"{base}/token", f"{base}/authorize", f"{base}/device")
    return Provider("local", CLIENT, endpoints, scopes=("mail",), client_secret=TextSecret(SECRET))


@pytest.fixture
def signed_in(server: OAuthProvider, provider: Provider, tmp_path: Path) -> SignedIn:
    one = SignedIn(provider, "alice", tmp_path / "state" / "secrets", "alice")
    sign_in(one, server)
    return one


def sign_in(one: SignedIn, server: OAuthProvider) -> None:
    """Sign in as the person would, without a browser."""
    provider, endpoints = one.provider, one.provider.endpoints
    assert endpoints is not None
    begun = exchange.authorization(provider, endpoints, "http://127.0.0.1:1", one.user)
    code = exchange.code_in(server.browse(begun.url), begun, "")
    one.keep(exchange.redeem(provider, endpoints, begun, code, web.ask), one.clock())
