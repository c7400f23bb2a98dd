"""What is remembered of a provider, and for how long; its keys change, and it may be away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jobs.web.openid.provider import BELIEVED_SECONDS, FEWEST_SECONDS, OpenIdProvider, OpenIdProviders
from migrator.config.openid import OpenId
from migrator.config.secrets import TextSecret
from migrator.errors import FerryError, Kind
from tests.servers.oauth_provider import trusted
from tests.servers.openid_provider import CLIENT, SECRET, OpenIdProvider as Server, ec_key, rsa_key

BACK = "http://localhost:1/sign-in/openid"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Known:
    """A provider as the page knows it, under a clock that a test turns."""

    server: Server
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.provider = OpenIdProvider(table(self.server.issuer), clock=self.clock)

    def signed_in(self) -> str:
        begun, nonce = self.provider.begin(BACK)
        return self.provider.proven(self.server.browse(begun.url), begun, nonce, time.time()).subject


def table(issuer: str, secret: str = SECRET) -> OpenId:
    return OpenId(issuer=issuer, client_id=CLIENT, client_secret=TextSecret(secret), name=None)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    with trusted(monkeypatch, tmp_path), Server() as running:
        yield running


@pytest.fixture
def known(server: Server) -> Known:
    return Known(server)


def test_what_it_says_of_itself_and_its_keys_are_believed_for_an_hour(known: Known) -> None:
    for _ in range(3):
        assert known.signed_in() == known.server.subject
    described = "/.well-known/openid-configuration"
    assert (known.server.asked.count(described), known.server.asked.count("/keys")) == (1, 1)
    known.clock.now += BELIEVED_SECONDS + 1
    known.signed_in()
    assert (known.server.asked.count(described), known.server.asked.count("/keys")) == (2, 2)


@pytest.mark.parametrize("key", [ec_key("second"), ec_key("first"), rsa_key()], ids=["other name", "same name", "RSA"])
def test_a_key_that_was_changed_is_fetched(known: Known, key: object) -> None:
    known.signed_in()
    known.clock.now += FEWEST_SECONDS + 1
    known.server.key = key  # type: ignore[assignment]  # any of them
    assert known.signed_in() == known.server.subject
    assert known.server.asked.count("/keys") == 2


def test_strangers_keys_have_them_fetched_once_a_minute(known: Known) -> None:
    known.signed_in()
    known.server.published = [known.server.key.as_dict(private=False)]
    known.server.rotate("nobody knows it")
    for _ in range(3):
        with pytest.raises(FerryError, match="none of its keys"):
            known.signed_in()
    assert known.server.asked.count("/keys") == 1
    known.clock.now += FEWEST_SECONDS + 1
    for _ in range(3):
        with pytest.raises(FerryError, match="none of its keys"):
            known.signed_in()
    assert known.server.asked.count("/keys") == 2


def test_one_that_is_away_is_asked_again_a_little_later(known: Known) -> None:
    known.server.answers["/.well-known/openid-configuration"] = (503, b"{}")
    for _ in range(3):
        with pytest.raises(FerryError) as away:
            known.provider.begin(BACK)
        assert away.value.kind is Kind.TEMPORARY
    assert len(known.server.asked) == 1
    known.server.answers.clear()
    known.clock.now += 16
    assert known.signed_in() == known.server.subject


def test_a_slash_at_the_end_of_the_issuer_is_no_other_provider(server: Server) -> None:
    known = Known(server)
    known.provider = OpenIdProvider(table(f"{server.issuer}/"))
    assert known.signed_in() == server.subject


def test_a_sign_in_once_more_has_the_provider_ask_who_it_is(known: Known) -> None:
    begun, _ = known.provider.begin(BACK, is_again=True)
    assert "prompt=login" in begun.url
    assert "max_age=0" in begun.url


def test_other_settings_are_another_provider() -> None:
    providers, one = OpenIdProviders(), table("https://id.example.org")
    first = providers.of(one)
    assert providers.of(table("https://id.example.org")) is first
    assert providers.of(table("https://id.example.org", "another")) is not first
