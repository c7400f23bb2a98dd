"""The flows of signing in at an OpenID provider: connecting, signing in, being invited; with JavaScript and without."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser_flows.flow import NAME, SENT, Flow, fine, follow, give_own, press, sends, sign_in
from tests.browser_flows.house import PASSWORD, House, house, pattern_of
from tests.browser_flows.seeing import Heard, context_of, why_missing
from tests.servers.certificates import authority
from tests.servers.openid_provider import OpenIdProvider

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def provider() -> Iterator[OpenIdProvider]:
    with OpenIdProvider() as running:
        yield running


@pytest.fixture(scope="module")
def here(script: bool, provider: OpenIdProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    if reason := why_missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("house")
    trusted = folder / "authority.pem"
    trusted.write_bytes(authority().certificate)
    environment = {"SSL_CERT_FILE": str(trusted), "SSL_CERT_DIR": str(folder / "none")}
    with house(folder, provider.table, environment) as one:
        yield one


@pytest.fixture
def heard(here: House, provider: OpenIdProvider) -> Heard:
    return Heard(here.origin, also={provider.issuer})


@pytest.fixture
def page(
    context: BrowserContext, browser: Browser, here: House, heard: Heard, script: bool, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """Ann, in a browser that believes the provider's certificate; ``context`` was there for the first start."""
    assert context.pages == []
    with context_of(browser, here.origin, script=script, believes_all=True) as ann:
        page = ann.new_page()
        page.goto("/sign-in")
        sign_in(page)
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        heard.watch(page)
        yield page
    flow: Flow = request.function
    assert heard.complaints == []
    assert {pattern_of(path) for path in heard.forms} == SENT.get(flow.__name__, set())


WITH_EXAMPLE = "Sign in with Example"


@sends("/identity/begin", "/identity", "/identity/remove", "/sign-out", "/sign-in/openid", "/again", "/again/openid")
def test_an_account_is_connected_signs_in_and_is_disconnected(
    page: Page, heard: Heard, provider: OpenIdProvider
) -> None:
    provider.subject = "ann's"
    provider.claims.pop("auth_time", None)
    follow(page, NAME)
    follow(page, "Sign-in with Example")
    expect(page.get_by_role("button", name="Connect an account at Example")).to_be_visible()
    fine(page)
    give_own(page)
    press(page, "Connect an account at Example")
    expect(page.locator("main")).to_contain_text("You have signed in at Example as ann@example.org.")
    fine(page)
    press(page, "Connect it with me")
    expect(page.get_by_role("status")).to_contain_text("The account was connected")
    fine(page)
    press(page, "Sign out")
    expect(page.get_by_role("button", name=WITH_EXAMPLE)).to_be_visible()
    page.goto("/receipts?account=alice")
    fine(page)
    press(page, WITH_EXAMPLE)
    expect(page.get_by_role("heading", name="Deletions")).to_be_visible()
    assert page.url.endswith("/receipts?account=alice")
    page.goto("/identity")
    show_again(page, provider)
    press(page, "Disconnect it")
    expect(page.get_by_role("status")).to_contain_text("The account was disconnected")
    press(page, "Sign out")
    heard.refusals = {403}
    press(page, WITH_EXAMPLE)
    expect(page.get_by_role("alert")).to_contain_text("Your account at Example is connected with nobody here.")
    fine(page)
    follow(page, "Go on")
    expect(page.get_by_role("button", name=WITH_EXAMPLE)).to_be_visible()


def show_again(page: Page, provider: OpenIdProvider) -> None:
    """Show who one is at the provider, in place of the password; then by the password."""
    follow(page, "Without the password")
    expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
    fine(page)
    provider.claims["auth_time"] = int(time.time())
    press(page, WITH_EXAMPLE)
    expect(page.get_by_role("button", name="Disconnect it")).to_be_visible()
    expect(page.locator("input[name=own]")).to_have_count(0)
    page.goto("/again?next=%2Fidentity")
    give_own(page)
    press(page, "Go on")
    expect(page.get_by_role("heading", name="Sign-in with Example")).to_be_visible()


@sends("/users", "/users/invitation", "/users/disconnect", "/users/remove")
def test_a_user_is_invited_and_comes_in_by_the_link(
    page: Page, browser: Browser, here: House, heard: Heard, provider: OpenIdProvider, script: bool
) -> None:
    provider.subject = "petra's"
    page.goto("/users")
    page.get_by_label("Name", exact=True).fill("petra")
    page.get_by_label("The user's password").fill(PASSWORD)
    page.get_by_label("Auditor: sees everything").check()
    give_own(page)
    press(page, "Add")
    follow(page, "petra")
    give_own(page, "#own-identity")
    press(page, "Make a link to connect an account")
    expect(page.locator("main pre")).to_have_text(re.compile(r"^http://127\.0\.0\.1:\d+/connect\?token=[\w-]+$"))
    fine(page)
    with context_of(browser, here.origin, script=script, believes_all=True) as petra:
        other, listened = petra.new_page(), Heard(here.origin, also={provider.issuer})
        listened.watch(other)
        other.goto(page.locator("main pre").inner_text())
        fine(other)
        press(other, WITH_EXAMPLE)
        expect(other.get_by_role("link", name="petra")).to_be_visible()
        assert listened.complaints == []
    page.reload()
    expect(page.locator("main")).to_contain_text("The account ann@example.org signs the user in.")
    fine(page)
    give_own(page, "#own-identity")
    press(page, "Disconnect it")
    expect(page.get_by_role("status")).to_contain_text("The account was disconnected")
    give_own(page, "#own-remove")
    press(page, "Remove petra")
    expect(page.get_by_role("status")).to_contain_text("The user was removed")
