"""Signing in at a provider from the page: by a code or a pasted address, for a mailbox that is there or being added."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.web.people import Role
from migrator.config.oauth_secret import OAuthSecret
from tests.browser import Browser, Form, Page
from tests.mail import letters
from tests.servers.maildrop import Maildrop
from tests.servers.oauth_provider import OAuthProvider, Raw, trusted
from tests.servers.pop3 import Pop3Server
from tests.unit.jobs.web.office import PASSWORD, Office, opened, written


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[OAuthProvider]:
    (tmp_path / "trust").mkdir()
    with trusted(monkeypatch, tmp_path / "trust"), OAuthProvider() as running:
        yield running


@pytest.fixture
def server(provider: OAuthProvider) -> Iterator[Pop3Server]:
    """A server that takes the newest token of the provider."""
    with Pop3Server(Maildrop(letters(2))) as running:

        def knows(token: str) -> None:
            running.secrets = replace(running.secrets, token=token)

        provider.issued = knows
        yield running


@pytest.fixture(params=["codes", "pasting"])
def here(
    request: pytest.FixtureRequest, tmp_path: Path, provider: OAuthProvider, server: Pop3Server
) -> Iterator[Office]:
    """An office whose Alice signs in at the provider, which has device codes or has none."""
    path = written(tmp_path, "alice")
    text = path.read_text().replace('password = "x"', 'password = { oauth = "local" }')
    text = text.replace("port = 1\n", f"port = {server.port}\n")
    table = provider.table
    if request.param == "pasting":
        table = "".join(line for line in table.splitlines(keepends=True) if not line.startswith("device"))
    path.write_text(f"{text}\n[oauth.local]\n{table}")
    with opened(path) as one:
        yield one


def done(browser: Browser, provider: OAuthProvider, page: Page) -> Page:
    """Do what the page says until the provider has said yes; returns the page that says so."""
    while "The provider said yes" not in page.text:
        assert page.status == 200, page.text
        forms = [form for form in page.forms() if form.action == "/sign-in-answer"]
        if forms:
            page = browser.follow(browser.send(forms[0], address=provider.browse(link_on(page))))
        else:
            threading.Event().wait(0.05)  # the provider is asked once a second
            page = browser.get(again_on(page))
    return page


def link_on(page: Page) -> str:
    found = page.text.partition('href="https://')[2].partition('"')[0].replace("&amp;", "&")
    return f"https://{found}"


def again_on(page: Page) -> str:
    """Return where one looks again."""
    return page.text.partition('<a class="button" href="')[2].partition('"')[0]


def begun(browser: Browser, here: Office) -> Page:
    answer = browser.send(browser.get("/accounts/alice/sign-in").form("/accounts/alice/sign-in"))
    assert answer.status == 303, answer.text
    assert here.site.store.audit(1)[0].action == "sign in at provider"
    return browser.follow(answer)


def test_a_mailbox_is_signed_in_for_and_its_token_works(here: Office, provider: OAuthProvider) -> None:
    secret = here.config.accounts[0].source.password
    assert isinstance(secret, OAuthSecret)
    assert secret.signed_in().trouble()
    browser = here.signed_in()
    page = begun(browser, here)
    assert "WDJB-MJHT" in page.text or "/sign-in-answer" in page.text
    page = done(browser, provider, page)
    assert "alice at local" in page.text
    assert not secret.signed_in().trouble()
    assert provider.knows(secret.reveal())
    browser.get("/accounts/alice/sign-in")
    assert here.asked == ["alice"]  # it is worked at once, and once
    assert not [one for one in provider.every_secret if one in page.text]
    assert not [one for one in provider.every_secret if one in "".join(map(str, here.site.store.audit(100)))]


def test_a_refusal_of_the_provider_is_said_and_keeps_nothing(here: Office, provider: OAuthProvider) -> None:
    secret = here.config.accounts[0].source.password
    assert isinstance(secret, OAuthSecret)
    provider.next_answers.append(Raw(400, b'{"error": "access_denied"}'))
    browser = here.signed_in()
    page = begun(browser, here)
    for form in [form for form in page.forms() if form.action == "/sign-in-answer"]:
        page = browser.follow(browser.send(form, address=provider.browse(link_on(page))))
    while "I have done that" in page.text or "Look again" in page.text:
        threading.Event().wait(0.05)
        page = browser.get(again_on(page))
    assert "Begin again" in page.text
    assert secret.signed_in().trouble()


def test_a_mailbox_is_added_with_a_sign_in(here: Office, provider: OAuthProvider, server: Pop3Server) -> None:
    browser = here.signed_in()
    form = browser.get("/add?address=carla%40outlook.com").form("/add/sign-in")
    assert form.fields["oauth"] == "microsoft"
    missing = browser.send(form)
    assert missing.status == 422
    assert "there is no [oauth.microsoft] with a client_id" in missing.text
    where = {"host": "127.0.0.1", "port": str(server.port), "tls": "none", "username": "alice", "oauth": "local"}
    page = done(browser, provider, browser.follow(browser.send(form, **where)))
    answer = browser.send(page.form("/add/signed-in"))
    assert answer.status == 303, answer.text
    places = browser.follow(answer)
    assert "2 messages are there" in places.text
    added = browser.send(places.form("/add/places"), name="carla")
    assert added.location == "/accounts/carla?said=added", added.text
    [carla] = [one for one in here.config.accounts if one.name == "carla"]
    assert isinstance(carla.source.password, OAuthSecret)
    assert provider.knows(carla.source.password.reveal())


def test_the_own_password_is_wanted_and_only_an_administrator_signs_in(here: Office) -> None:
    browser = here.signed_in()
    form = browser.get("/accounts/alice/sign-in").form("/accounts/alice/sign-in")
    here.half_an_hour_later()
    assert browser.send(form).status == 422
    assert browser.send(form, own=PASSWORD).status == 303
    assert here.signed_in("otto", Role.AUDITOR).get("/accounts/alice/sign-in").status == 403


def test_nobody_goes_on_with_the_sign_in_of_another_session(here: Office) -> None:
    browser, other = here.signed_in(), here.signed_in("otto")
    answer = browser.send(browser.get("/accounts/alice/sign-in").form("/accounts/alice/sign-in"))
    draft = answer.location.partition("draft=")[2]
    stranger = other.get(answer.location)
    assert [form.action for form in stranger.forms()][-1] == "/accounts/alice/sign-in"
    token = other.get("/").form("/sign-out").fields["csrf"]
    sent = Form("/sign-in-answer", {"csrf": token, "draft": draft})
    assert other.send(sent, address="http://127.0.0.1:1/?code=x").status == 409
    assert other.get(f"/add/sign-in?draft={draft}").status == 409


def test_a_mailbox_with_a_password_wants_no_sign_in(tmp_path: Path) -> None:
    with opened(written(tmp_path, "alice")) as here:
        browser = here.signed_in()
        page = browser.get("/accounts/alice/sign-in")
        assert "Nobody has to sign in at the provider of this mailbox." in page.text
        assert [form.action for form in page.forms()] == ["/sign-out"]
        token = page.form("/sign-out").fields["csrf"]
        assert browser.post("/accounts/alice/sign-in", {"csrf": token}).status == 404
