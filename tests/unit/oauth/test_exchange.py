import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from migrator.errors import ConfigError, FerryError, Kind
from migrator.oauth import exchange, web
from migrator.oauth.exchange import NotOursError
from migrator.oauth.failures import GrantRefusedError
from migrator.oauth.provider import Endpoints, Provider, google, microsoft
from migrator.oauth.web import Answer
from tests.servers.oauth_provider import OAuthProvider

ENDPOINTS = Endpoints("https://id.example/token", "https://id.example/authorize", "https://id.example/device")
LOCAL = Provider("local", "cid", ENDPOINTS, scopes=("mail",))


def asked(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_the_link_has_a_state_and_a_challenge_and_no_secret() -> None:
    begun = exchange.authorization(LOCAL, ENDPOINTS, "http://127.0.0.1:1", "alice@example.org")
    query = asked(begun.url)
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    assert query["login_hint"] == "alice@example.org"
    assert query["state"] == begun.state
    assert begun.verifier not in begun.url
    other = exchange.authorization(LOCAL, ENDPOINTS, "http://127.0.0.1:1", "alice@example.org")
    assert {begun.state, begun.verifier}.isdisjoint({other.state, other.verifier})


def test_google_is_asked_for_a_sign_in_that_lasts() -> None:
    provider = google("cid", None)
    assert provider.endpoints is not None
    query = asked(exchange.authorization(provider, provider.endpoints, "http://127.0.0.1:1", "a").url)
    assert (query["access_type"], query["prompt"]) == ("offline", "consent")
    assert query["scope"] == "https://mail.google.com/"


def test_microsoft_is_asked_for_both_protocols_of_one_tenant() -> None:
    provider = microsoft("cid", None, "example.org")
    assert provider.endpoints is not None
    assert provider.endpoints.token == "https://login.microsoftonline.com/example.org/oauth2/v2.0/token"
    assert provider.loopback == "localhost"
    assert {"POP.AccessAsUser.All", "IMAP.AccessAsUser.All", "offline_access"} == {
        scope.rsplit("/", 1)[-1] for scope in provider.scopes
    }


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "/favicon.ico",
        "/?code=abc",
        "/?code=abc&state=wrong",
        "/?state={state}",
        "/?code=abc&state={state}&iss=https://elsewhere.example",
        "http://[",
    ],
)
def test_what_is_no_answer_to_this_sign_in(answer: str) -> None:
    begun = exchange.authorization(LOCAL, ENDPOINTS, "http://127.0.0.1:1", "a")
    with pytest.raises(NotOursError):
        exchange.code_in(answer.format(state=begun.state), begun, "https://id.example")


def test_an_answer_that_is_one() -> None:
    begun = exchange.authorization(LOCAL, ENDPOINTS, "http://127.0.0.1:1", "a")
    for place in ("/?", " http://127.0.0.1:1/?"):
        told = f"{place}code=abc&state={begun.state}&iss=https://id.example\n"
        assert exchange.code_in(told, begun, "https://id.example") == "abc"
    with pytest.raises(GrantRefusedError, match="not allowed"):
        exchange.code_in(f"/?error=access_denied&state={begun.state}", begun, "")


def test_a_code_serves_once(server: OAuthProvider, provider: Provider) -> None:
    assert provider.endpoints is not None
    begun = exchange.authorization(provider, provider.endpoints, "http://127.0.0.1:1", "alice")
    code = exchange.code_in(server.browse(begun.url), begun, server.issuer)
    exchange.redeem(provider, provider.endpoints, begun, code, web.ask)
    with pytest.raises(GrantRefusedError) as raised:
        exchange.redeem(provider, provider.endpoints, begun, code, web.ask)
    assert code not in str(raised.value)
    assert "***" in raised.value.server_words


def answers(status: int = 200, **document: Any) -> web.Ask:
    return lambda _url, _form: Answer(status, json.dumps(document), document)


@pytest.mark.parametrize(
    ("told", "lifetime"), [(7200, 7200), ("7200", 7200), (None, 3600), ("soon", 3600), (-1, 3600), (10**20, 3600)]
)
def test_how_long_a_token_lives(told: object, lifetime: int) -> None:
    document: dict[str, Any] = {"access_token": "t", "token_type": "Bearer"} | (
        {} if told is None else {"expires_in": told}
    )
    assert exchange.refresh(LOCAL, ENDPOINTS, "r", answers(**document)).lifetime == lifetime


@pytest.mark.parametrize(
    ("status", "error", "kind", "finding"),
    [
        (400, "invalid_grant", Kind.AUTH, ""),
        (400, "interaction_required", Kind.AUTH, ""),
        (401, "invalid_client", Kind.AUTH, "auth-refused"),
        (400, "unauthorized_client", Kind.AUTH, "auth-refused"),
        (400, "invalid_scope", Kind.AUTH, "auth-refused"),
        (503, "invalid_grant", Kind.TEMPORARY, "host-unreachable"),
        (400, "temporarily_unavailable", Kind.TEMPORARY, "host-unreachable"),
        (429, "", Kind.TEMPORARY, "host-unreachable"),
    ],
)
def test_who_is_at_fault(status: int, error: str, kind: Kind, finding: str) -> None:
    with pytest.raises(FerryError) as raised:
        exchange.refresh(LOCAL, ENDPOINTS, "r", answers(status, error=error))
    assert (raised.value.kind, raised.value.finding) == (kind, finding)
    assert isinstance(raised.value, GrantRefusedError) == (kind is Kind.AUTH and not finding)


def test_people_are_sent_to_the_provider_s_own_hosts_only() -> None:
    for where in ("https://elsewhere.example/activate", "http://id.example/activate", "javascript:alert(1)", ""):
        told: dict[str, Any] = {"device_code": "d", "user_code": "U", "verification_uri": where}
        with pytest.raises(FerryError, match="not its own"):
            exchange.device_code(LOCAL, ENDPOINTS, answers(**told))
    told = {"device_code": "d", "user_code": "U\x1b[31m", "verification_uri": "https://id.example/activate"}
    code = exchange.device_code(LOCAL, ENDPOINTS, answers(**told))
    assert code.user_code == "U\\x1b[31m"
    assert (code.expires_in, code.interval) == (900, 5)


def test_a_device_is_asked_for_more_slowly_where_the_provider_wants_it() -> None:
    script = [{"error": "authorization_pending"}, {"error": "slow_down"}, {"error": "authorization_pending"}, {}]
    waits: list[float] = []

    def ask(_url: str, _form: str | None) -> Answer:
        step = script.pop(0)
        return answers(400, **step)("", None) if step else answers(access_token="t", token_type="bearer")("", None)

    code = exchange.DeviceCode("U", "https://id.example", "d", 900, 5)
    assert exchange.redeem_device(LOCAL, ENDPOINTS, code, ask, waits.append).access == "t"
    assert waits == [5, 5, 10, 10]


def test_a_device_that_nobody_uses() -> None:
    code = exchange.DeviceCode("U", "https://id.example", "d", 60, 5)
    with pytest.raises(GrantRefusedError, match="nobody signed in"):
        exchange.redeem_device(
            LOCAL, ENDPOINTS, code, answers(400, error="authorization_pending"), lambda _seconds: None
        )


def test_ways_that_a_provider_does_not_have() -> None:
    no_device = Endpoints("https://id.example/token", "https://id.example/authorize")
    with pytest.raises(ConfigError, match="use browser or paste"):
        exchange.check_method(no_device, LOCAL, "device")
    with pytest.raises(ConfigError, match="no authorize endpoint"):
        exchange.check_method(Endpoints("https://id.example/token", "", "https://id.example/device"), LOCAL, "browser")
