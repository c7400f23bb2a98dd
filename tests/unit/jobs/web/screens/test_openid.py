"""Signing in at an OpenID provider: who is let in, by what, and everything that must let nobody in."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pyotp
import pytest

from jobs.web.factor_store import keep_factor
from jobs.web.hashing import hashed
from jobs.web.identity_store import connect_identity, identities_of, identity_of
from jobs.web.openid.id_token import Proven
from jobs.web.people import Role
from jobs.web.server import check_extras
from migrator.errors import ConfigError
from tests.browser import Browser, Page
from tests.servers.oauth_provider import trusted
from tests.servers.openid_provider import SECRET, OpenIdProvider
from tests.unit.jobs.web.office import PASSWORD, Office, opened, written

ISSUED_TO_ANN = "248289761001"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[OpenIdProvider]:
    with trusted(monkeypatch, tmp_path), OpenIdProvider() as running:
        yield running


@pytest.fixture
def here(provider: OpenIdProvider, tmp_path: Path) -> Iterator[Office]:
    path = written(tmp_path, "alice", "bob")
    path.write_text(path.read_text() + provider.table)
    with opened(path) as one:
        one.add("ann")
        yield one


def connected(here: Office, provider: OpenIdProvider, name: str = "ann", subject: str = ISSUED_TO_ANN) -> None:
    proven = Proven(provider.issuer, subject, f"{name}@example.org")
    assert connect_identity(here.site.store, name, proven, time.time())


def begun(browser: Browser, wanted: str = "") -> Page:
    """Press "Sign in with Example"."""
    page = browser.send(browser.get("/sign-in").form("/sign-in/openid"), next=wanted)
    assert page.status == 200, page.text
    return page


def link_of(page: Page) -> str:
    """Where the page leads, by itself and by its link."""
    url = page.headers["refresh"].removeprefix("0; url=")
    assert f'href="{url.replace("&", "&amp;")}"' in page.text
    return url


def back(browser: Browser, address: str) -> Page:
    """Come back from the provider: a navigation from elsewhere has no cookie that is for our own pages alone."""
    kept = {name: value for name, value in browser.cookies.items() if name == "mailferry_session"}
    for name in kept:
        del browser.cookies[name]
    parts = urlsplit(address)
    page = browser.get(f"{parts.path}?{parts.query}", {"Sec-Fetch-Site": "cross-site"})
    browser.cookies = {**kept, **browser.cookies}
    return page


def sign_in(browser: Browser, provider: OpenIdProvider, wanted: str = "") -> Page:
    return back(browser, provider.browse(link_of(begun(browser, wanted))))


def test_a_connected_account_signs_its_user_in_without_password_and_code(
    here: Office, provider: OpenIdProvider
) -> None:
    connected(here, provider)
    keep_factor(here.site.store, "ann", pyotp.random_base32(), 0, [])
    browser = here.browser()
    page = sign_in(browser, provider, "/receipts?account=alice")
    assert (page.status, page.headers["refresh"]) == (200, "0; url=/receipts?account=alice")
    assert set(browser.cookies) == {"mailferry_session"}
    assert "Sign out" in browser.get("/receipts").text
    [entry] = here.site.store.audit(1)
    assert (entry.user, entry.action, entry.outcome) == ("ann", "openid sign-in", "done")
    assert entry.subject == f"ann@example.org ({ISSUED_TO_ANN})"
    known = identity_of(here.site.store, "ann", provider.issuer)
    assert known is not None
    assert known.used_at is not None


def test_the_browser_is_sent_with_what_proves_its_answer(here: Office, provider: OpenIdProvider) -> None:
    browser = here.browser()
    page = begun(browser)
    query = {name: values[0] for name, values in parse_qs(urlsplit(link_of(page)).query).items()}
    assert (query["response_type"], query["scope"]) == ("code", "openid profile")
    assert query["redirect_uri"] == f"http://127.0.0.1:{here.port}/sign-in/openid"
    assert query["code_challenge_method"] == "S256"
    assert all(len(query[name]) >= 32 for name in ("state", "nonce", "code_challenge"))
    assert "prompt" not in query
    cookie = page.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=lax", "path=/", "max-age=600"))
    again = {name: values[0] for name, values in parse_qs(urlsplit(link_of(begun(browser))).query).items()}
    assert all(again[name] != query[name] for name in ("state", "nonce", "code_challenge"))


def test_the_answer_leads_to_where_browsers_see_the_page(here: Office) -> None:
    """Behind a proxy that speaks TLS, only the browser knows."""
    browser = here.browser()
    form = browser.get("/sign-in").form("/sign-in/openid")
    page = browser.post(form.action, form.fields, {"Origin": f"https://{browser.name}"})
    assert urlencode({"redirect_uri": f"https://{browser.name}/sign-in/openid"}) in link_of(page)
    assert browser.post(form.action, form.fields, {"Origin": "https://evil.test"}).status == 403


def test_an_account_that_is_nobodys_here_lets_nobody_in_whatever_it_is_called(
    here: Office, provider: OpenIdProvider
) -> None:
    connected(here, provider, subject="another")
    provider.claims = {"preferred_username": "ann", "email": "ann@example.org", "email_verified": True, "name": "ann"}
    browser = here.browser()
    page = sign_in(browser, provider)
    assert page.status == 403
    assert "Your account at Example is connected with nobody here" in page.text
    assert "refresh" not in page.headers
    assert browser.cookies == {}
    assert browser.get("/").location == "/sign-in"
    [entry] = here.site.store.audit(1)
    assert (entry.user, entry.subject, entry.outcome) == ("", f"ann ({ISSUED_TO_ANN})", "refused")


def test_the_same_name_at_another_provider_is_somebody_else(here: Office, provider: OpenIdProvider) -> None:
    proven = Proven("https://id.example.org", ISSUED_TO_ANN, "ann")
    assert connect_identity(here.site.store, "ann", proven, time.time())
    assert sign_in(here.browser(), provider).status == 403


@pytest.mark.parametrize("wanted", ["//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:alert(1)"])
def test_the_way_leads_on_to_pages_of_ours_alone(here: Office, provider: OpenIdProvider, wanted: str) -> None:
    connected(here, provider)
    assert sign_in(here.browser(), provider, wanted).headers["refresh"] == "0; url=/"


def test_a_way_on_in_any_letters_is_an_address(here: Office, provider: OpenIdProvider) -> None:
    connected(here, provider)
    assert sign_in(here.browser(), provider, "/search?q=€").headers["refresh"] == "0; url=/search?q=%E2%82%AC"


# ---- answers that are not this browser's, or not the first


def test_an_answer_is_good_once(here: Office, provider: OpenIdProvider) -> None:
    connected(here, provider)
    browser = here.browser()
    page = begun(browser)
    cookie = dict(browser.cookies)
    address = provider.browse(link_of(page))
    assert back(browser, address).status == 200
    replay = here.browser()
    replay.cookies = cookie
    assert back(replay, address).status == 403
    assert replay.cookies == {}


def test_an_answer_in_a_browser_that_did_not_begin_is_refused(here: Office, provider: OpenIdProvider) -> None:
    """Login CSRF: somebody has another browser open an answer that signs it in as themselves."""
    connected(here, provider)
    attacker, victim = here.browser(), here.browser()
    address = provider.browse(link_of(begun(attacker)))
    assert back(victim, address).status == 403
    begun(victim)
    assert back(victim, address).status == 403, "its own sign-in has another state"
    assert victim.cookies == {}


CHANGED: dict[str, Callable[[dict[str, str]], dict[str, str]]] = {
    "another state": lambda told: {**told, "state": "guessed"},
    "no state": lambda told: {name: value for name, value in told.items() if name != "state"},
    "another issuer": lambda told: {**told, "iss": "https://evil.test"},
    "no code": lambda told: {name: value for name, value in told.items() if name != "code"},
    "another code": lambda told: {**told, "code": "stolen"},
}


@pytest.mark.parametrize("change", CHANGED)
def test_an_answer_is_refused_with(here: Office, provider: OpenIdProvider, change: str) -> None:
    connected(here, provider)
    browser = here.browser()
    address = provider.browse(link_of(begun(browser)))
    told = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert back(browser, f"/sign-in/openid?{urlencode(CHANGED[change](told))}").status == 403
    assert browser.cookies == {}
    assert here.site.store.audit(1)[0].outcome == "refused"


def test_a_no_at_the_provider_is_a_sentence(here: Office, provider: OpenIdProvider) -> None:
    provider.refuses = True
    page = sign_in(here.browser(), provider)
    assert page.status == 403
    assert "cancelled or not allowed at Example" in page.text


# ---- a provider that lies, is broken, or is away


def test_an_id_token_of_a_wrong_sign_in_is_refused(here: Office, provider: OpenIdProvider) -> None:
    connected(here, provider)
    wrong: list[dict[str, object]] = [
        {"nonce": "another"},
        {"aud": "another"},
        {"iss": "https://evil.test"},
        {"exp": 1},
    ]
    for claims in wrong:
        provider.claims = claims
        browser = here.browser()
        page = sign_in(browser, provider)
        assert page.status == 403, claims
        assert "did not work" in page.text
        assert browser.cookies == {}


def test_an_id_token_of_an_earlier_sign_in_is_refused(here: Office, provider: OpenIdProvider) -> None:
    connected(here, provider)
    kept: list[str] = []

    def the_first(claims: dict[str, object]) -> str:
        kept.append(provider.signed(claims))
        return kept[0]

    provider.token = the_first
    assert sign_in(here.browser(), provider).status == 200
    assert sign_in(here.browser(), provider).status == 403


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.test"},
        {"token_endpoint": "http://localhost/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://localhost/a\r\nSet-Cookie: a=b"},
        {"jwks_uri": None},
        {"jwks_uri": ["https://localhost/keys"]},
    ],
    ids=range(6),
)
def test_what_a_provider_says_of_itself_is_looked_at(
    here: Office, provider: OpenIdProvider, metadata: dict[str, object]
) -> None:
    provider.metadata = metadata
    browser = here.browser()
    page = browser.send(browser.get("/sign-in").form("/sign-in/openid"))
    assert page.status == 503
    assert "Example does not answer as it should" in page.text
    assert browser.cookies == {}


ANSWERS: dict[str, tuple[int, bytes]] = {
    "an error": (400, b'{"error": "invalid_grant"}'),
    "a failure": (500, b"{}"),
    "no token": (200, b"{}"),
    "a token that is none": (200, b'{"id_token": {"sub": "248289761001"}}'),
    "no JSON": (200, b"<html>"),
    "too much": (200, b'{"id_token": "' + b"a" * 1_000_001 + b'"}'),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_token_endpoint_that_answers_wrongly_lets_nobody_in(
    here: Office, provider: OpenIdProvider, kind: str
) -> None:
    connected(here, provider)
    provider.answers["/token"] = ANSWERS[kind]
    assert sign_in(here.browser(), provider).status == 403


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"keys": [{"kty": "oct", "k": "AAAA"}]}'])
def test_keys_that_are_none_let_nobody_in(here: Office, provider: OpenIdProvider, content: bytes) -> None:
    connected(here, provider)
    provider.answers["/keys"] = (200, content)
    assert sign_in(here.browser(), provider).status == 403


def test_a_provider_that_is_away_is_asked_once_by_all(here: Office, provider: OpenIdProvider) -> None:
    connected(here, provider)
    provider.answers["/.well-known/openid-configuration"] = (500, b"{}")
    for _ in range(3):
        browser = here.browser()
        assert browser.send(browser.get("/sign-in").form("/sign-in/openid")).status == 503
    assert len(provider.asked) == 1


def test_the_clients_secret_is_given_as_the_provider_wants_it_and_shown_nowhere(
    here: Office, provider: OpenIdProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    connected(here, provider)
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert sign_in(here.browser(), provider).status == 200
    echo = json.dumps({"error": "invalid_client", "error_description": f"not {SECRET}"}).encode()
    provider.answers["/token"] = (401, echo)
    page = sign_in(here.browser(), provider)
    assert page.status == 403
    assert SECRET not in page.text + capsys.readouterr().err


# ---- connecting


def connect(browser: Browser, provider: OpenIdProvider) -> Page:
    """Go the whole way of a user who connects the own account; returns the page that asks for the last word."""
    page = browser.send(browser.get("/identity").form("/identity/begin"))
    returned = back(browser, provider.browse(link_of(page)))
    assert returned.status == 200, returned.text
    return browser.get(returned.headers["refresh"].removeprefix("0; url="))


def test_a_user_connects_the_own_account_and_disconnects_it(here: Office, provider: OpenIdProvider) -> None:
    browser = here.signed_in("ann")
    page = connect(browser, provider)
    assert "You have signed in at Example as ann@example.org." in page.text
    assert identities_of(here.site.store, "ann") == [], "nothing is done by opening an address"
    assert browser.send(page.form("/identity")).location == "/identity?said=identity-connected"
    assert browser.send(page.form("/identity")).status == 409, "once"
    assert sign_in(here.browser(), provider).status == 200
    assert browser.send(browser.get("/identity").form("/identity/remove")).status == 303
    assert sign_in(here.browser(), provider).status == 403
    actions = [entry.action for entry in here.site.store.audit(10)]
    assert actions.count("identity connected") == 1
    assert actions.count("identity disconnected") == 1


def test_connecting_wants_the_own_password_half_an_hour_later(here: Office, provider: OpenIdProvider) -> None:
    browser = here.signed_in("ann")
    form = browser.get("/identity").form("/identity/begin")
    here.half_an_hour_later()
    assert browser.send(form).status == 422
    assert browser.send(form, own=PASSWORD).status == 200
    connected(here, provider)
    form = browser.get("/identity").form("/identity/remove")
    here.half_an_hour_later()
    assert browser.send(form).status == 422
    assert len(identities_of(here.site.store, "ann")) == 1


def test_what_one_user_has_signed_in_with_is_not_anothers_to_connect(here: Office, provider: OpenIdProvider) -> None:
    ann, eve = here.signed_in("ann"), here.signed_in("eve", Role.AUDITOR)
    draft = connect(ann, provider).form("/identity").fields["draft"]
    assert eve.post("/identity", {**eve.get("/identity").form("/sign-out").fields, "draft": draft}).status == 409
    assert "ann@example.org" not in eve.get(f"/identity?draft={draft}").text
    assert identities_of(here.site.store, "eve") == []


def test_an_account_is_one_users(here: Office, provider: OpenIdProvider) -> None:
    connected(here, provider)
    eve = here.signed_in("eve", Role.AUDITOR)
    page = eve.send(connect(eve, provider).form("/identity"))
    assert page.status == 422
    assert "connected with another user" in page.text
    assert identities_of(here.site.store, "eve") == []


def test_a_user_has_one_account_there(here: Office, provider: OpenIdProvider) -> None:
    connected(here, provider, subject="the old one")
    connected(here, provider)
    assert [one.subject for one in identities_of(here.site.store, "ann")] == [ISSUED_TO_ANN]


def invitation(here: Office, name: str) -> str:
    """Have an administrator make a link."""
    browser = here.signed_in("ann")
    answer = browser.send(browser.get(f"/users/edit?name={name}").form("/users/invitation"))
    found = re.search(r"<pre>(http\S+)</pre>", browser.follow(answer).text)
    assert found
    assert found[1] not in browser.follow(answer).text, "shown once"
    return f"/connect?{urlsplit(found[1]).query}"


def test_an_invitation_connects_whoever_signs_in_with_its_user_once(here: Office, provider: OpenIdProvider) -> None:
    here.add("bob", Role.READER, "alice")
    path = invitation(here, "bob")
    browser = here.browser()
    page = browser.get(path)
    assert "This link is for bob." in page.text
    returned = back(browser, provider.browse(link_of(browser.send(page.form("/sign-in/openid")))))
    assert returned.status == 200
    assert ">bob<" in browser.get("/").text
    assert here.browser().get(path).status == 404
    provider.subject = "somebody else"
    other = here.browser()
    late = other.send(page.form("/sign-in/openid"))
    assert back(other, provider.browse(link_of(late))).status == 403
    assert [one.subject for one in identities_of(here.site.store, "bob")] == [ISSUED_TO_ANN]


def test_an_invitation_that_is_over_or_replaced_or_withdrawn_is_none(here: Office) -> None:
    here.add("bob", Role.READER, "alice")
    first, second = invitation(here, "bob"), invitation(here, "bob")
    assert here.browser().get(first).status == 404
    assert here.browser().get(second).status == 200
    here.site.store.change_password("bob", hashed(PASSWORD))
    with here.site.store.transaction() as sql:
        sql.execute("update invitations set until = ?", (time.time(),))
    assert here.browser().get(second).status == 404
    assert here.browser().get("/connect").status == 404


def test_an_invitation_gives_nobody_an_account_that_is_anothers(here: Office, provider: OpenIdProvider) -> None:
    here.add("bob", Role.READER, "alice")
    connected(here, provider, "ann")
    browser = here.browser()
    page = browser.get(invitation(here, "bob"))
    assert back(browser, provider.browse(link_of(browser.send(page.form("/sign-in/openid"))))).status == 403
    assert identities_of(here.site.store, "bob") == []


def test_only_an_administrator_makes_invitations_and_disconnects_others(here: Office, provider: OpenIdProvider) -> None:
    connected(here, provider)
    eve = here.signed_in("eve", Role.AUDITOR)
    own = {**eve.get("/identity").form("/sign-out").fields, "name": "ann"}
    assert eve.post("/users/invitation", own).status == 403
    assert eve.post("/users/disconnect", own).status == 403
    ann = here.signed_in("ann")
    page = ann.get("/users/edit?name=ann")
    assert "The account ann@example.org signs the user in." in page.text
    assert ann.send(page.form("/users/disconnect")).status == 303
    assert identities_of(here.site.store, "ann") == []


def test_it_goes_with_its_user(here: Office, provider: OpenIdProvider) -> None:
    connected(here, provider)
    assert here.site.store.remove("ann")
    here.add("ann")
    assert sign_in(here.browser(), provider).status == 403


def test_a_password_that_was_given_for_once_too_long_ago_is_no_back_door(
    here: Office, provider: OpenIdProvider
) -> None:
    connected(here, provider)
    here.site.store.change_password("ann", hashed(PASSWORD), once_until=time.time() - 1)
    assert sign_in(here.browser(), provider).status == 403


# ---- who was signed in at the provider long ago has not shown just now who they are


@pytest.mark.parametrize(("seconds_ago", "wants_own"), [(None, True), (10, False), (-3600, False), (4000, True)])
def test_what_is_dangerous_asks_for_the_password_unless_the_provider_has_just_asked(
    here: Office, provider: OpenIdProvider, seconds_ago: int | None, *, wants_own: bool
) -> None:
    connected(here, provider)
    provider.claims["auth_time"] = None if seconds_ago is None else int(time.time()) - seconds_ago
    browser = here.browser()
    sign_in(browser, provider)
    assert ("own" in browser.get("/tokens").form("/tokens").fields) == wants_own


# ---- where there is none


def test_without_the_table_there_are_no_such_pages(tmp_path: Path) -> None:
    with opened(written(tmp_path, "alice")) as here:
        browser = here.signed_in("ann")
        assert "Sign in with" not in here.browser().get("/sign-in").text
        for path in ("/identity", "/sign-in/openid", "/connect?token=a"):
            assert browser.get(path).status == 404
        fields = browser.get("/password").form("/sign-out").fields
        for path in ("/sign-in/openid", "/identity/begin", "/identity", "/identity/remove", "/users/invitation"):
            assert browser.post(path, {**fields, "name": "ann"}).status == 404


def test_without_the_extra_the_page_does_not_start_and_says_how(here: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    assert here.config.web is not None
    check_extras(here.config.web)
    monkeypatch.setitem(sys.modules, "joserfc", None)
    with pytest.raises(ConfigError, match=re.escape("pip install 'mailferry[oidc]'")):
        check_extras(here.config.web)
    assert "Sign in with" not in here.browser().get("/sign-in").text, "a reload that brings it leaves the rest as it is"


def test_another_provider_in_the_configuration_ends_what_was_begun(here: Office, provider: OpenIdProvider) -> None:
    connected(here, provider)
    browser = here.browser()
    address = provider.browse(link_of(begun(browser)))
    path = here.config.path
    assert path is not None
    path.write_text(path.read_text().replace('name = "Example"', 'name = "Other"'))
    assert here.site.worker.reload() == ""
    assert back(browser, address).status == 403
    assert "Sign in with Other" in browser.get("/sign-in").text


def again(browser: Browser, provider: OpenIdProvider) -> Page:
    """Show again who one is, on the way from a dangerous form."""
    page = browser.get("/tokens")
    assert 'href="/again?next=%2Ftokens"' in page.text
    page = browser.send(browser.get("/again?next=%2Ftokens").form("/again/openid"))
    query = parse_qs(urlsplit(link_of(page)).query)
    assert (query["prompt"], query["max_age"]) == (["login"], ["0"])
    return back(browser, provider.browse(link_of(page)))


def test_the_provider_asks_again_in_place_of_the_own_password(here: Office, provider: OpenIdProvider) -> None:
    connected(here, provider)
    browser = here.signed_in("ann")
    here.half_an_hour_later()
    provider.claims["auth_time"] = int(time.time())
    assert again(browser, provider).headers["refresh"] == "0; url=/tokens"
    assert "own" not in browser.get("/tokens").form("/tokens").fields
    assert here.site.store.audit(1)[0].action == "shown again"


@pytest.mark.parametrize(
    ("subject", "seconds_ago", "says"),
    [
        (ISSUED_TO_ANN, None, "does not say that you have just signed in there"),
        (ISSUED_TO_ANN, 3600, "does not say that you have just signed in there"),
        ("eve's", 0, "is not the one that is connected with you"),
        ("nobody's", 0, "is not the one that is connected with you"),
    ],
)
def test_it_must_be_the_own_account_and_just_now(
    here: Office, provider: OpenIdProvider, subject: str, seconds_ago: int | None, says: str
) -> None:
    connected(here, provider)
    here.add("eve", Role.AUDITOR)
    connected(here, provider, "eve", "eve's")
    browser = here.signed_in("ann")
    here.half_an_hour_later()
    provider.subject = subject
    provider.claims["auth_time"] = None if seconds_ago is None else int(time.time()) - seconds_ago
    page = again(browser, provider)
    assert page.status == 403
    assert says in page.text
    assert 'href="/tokens"' in page.text
    assert "own" in browser.get("/tokens").form("/tokens").fields
    assert browser.get("/").status == 200, "who was signed in still is"


def test_a_session_that_ended_meanwhile_is_not_shown_again(here: Office, provider: OpenIdProvider) -> None:
    connected(here, provider)
    browser = here.signed_in("ann")
    page = browser.send(browser.get("/again?next=%2F").form("/again/openid"))
    browser.send(browser.get("/").form("/sign-out"))
    provider.claims["auth_time"] = int(time.time())
    assert back(browser, provider.browse(link_of(page))).status == 403
    assert browser.get("/").location == "/sign-in"


def test_who_has_no_other_way_is_shown_none(here: Office) -> None:
    browser = here.signed_in("ann")
    here.half_an_hour_later()
    assert "/again" not in browser.get("/tokens").text
    page = browser.get("/again?next=//evil.test")
    assert [form.action for form in page.forms()] == ["/sign-out", "/again"]
    assert browser.send(page.form("/again"), own="wrong").status == 422
    assert browser.send(page.form("/again"), own=PASSWORD).location == "/"
    assert "own" not in browser.get("/tokens").form("/tokens").fields
