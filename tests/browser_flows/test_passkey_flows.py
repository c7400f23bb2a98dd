"""The flow of passkeys, with an authenticator that Chromium plays: made, named, signed in with, removed. It takes JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser_flows.flow import NAME, SENT, Flow, fine, follow, give_own, press, sends, sign_in
from tests.browser_flows.house import House, pattern_of
from tests.browser_flows.seeing import Heard, context_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def script() -> bool:
    return True


@pytest.fixture
def heard(here: House) -> Heard:
    return Heard(origin_of(here))


def origin_of(here: House) -> str:
    """Passkeys belong to a name, and 127.0.0.1 is none."""
    return f"http://localhost:{here.port}"


@pytest.fixture
def page(
    context: BrowserContext, browser: Browser, here: House, heard: Heard, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """Ann at the name of the page; ``context`` was there for the first start."""
    assert context.pages == []
    with context_of(browser, origin_of(here)) as ann:
        page = ann.new_page()
        signed_in(page)
        heard.watch(page)
        yield page
    flow: Flow = request.function
    assert heard.complaints == []
    assert {pattern_of(path) for path in heard.forms} == SENT.get(flow.__name__, set())


def signed_in(page: Page) -> None:
    page.goto("/sign-in")
    sign_in(page)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


@contextmanager
def authenticator(page: Page, *, recognises: bool = True) -> Iterator[tuple[Any, str]]:
    """A device of the page's user; yields the line to it and its id."""
    line = page.context.new_cdp_session(page)
    line.send("WebAuthn.enable", {"enableUI": False})
    wanted = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": recognises,
        "automaticPresenceSimulation": True,
    }
    device = line.send("WebAuthn.addVirtualAuthenticator", {"options": wanted})["authenticatorId"]
    yield line, device
    line.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": device})


@sends(
    "/passkeys",
    "/passkeys/begin",
    "/passkeys/{number:int}/name",
    "/passkeys/{number:int}/remove",
    "/sign-out",
    "/sign-in/passkey/begin",
    "/sign-in/passkey",
    "/again/passkey/begin",
    "/again/passkey",
)
def test_a_passkey_is_made_signs_in_is_named_and_removed(page: Page, heard: Heard) -> None:
    heard.refusals = {401}
    with authenticator(page) as (line, device):
        follow(page, NAME)
        follow(page, "Passkeys, which sign you in without a password")
        expect(page.locator("main")).to_contain_text("You have none yet.")
        make(page, "laptop")
        expect(page.get_by_role("status")).to_contain_text("The passkey was added")
        fine(page)
        make(page, "once more")
        expect(page.get_by_role("alert")).to_have_text("This device has a passkey of yours for this page already.")
        fine(page)
        [kept] = line.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
        assert (kept["isResidentCredential"], kept["rpId"]) == (True, "localhost")
        press(page, "Sign out")
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()
        fine(page)
        press(page, "Sign in with a passkey")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        page.goto("/again?next=%2Fpasskeys")
        fine(page)
        press(page, "Sign in with a passkey")
        expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()
        page.locator("summary").click()
        page.locator("td").get_by_label("Name", exact=True).fill("old laptop")
        press(page, "Save the name")
        expect(page.get_by_role("rowheader")).to_have_text("old laptop")
        page.locator("summary").click()
        fine(page)
        press(page, "Remove old laptop")
        expect(page.get_by_role("status")).to_contain_text("The passkey was removed")
        press(page, "Sign out")
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()
        press(page, "Sign in with a passkey")
        expect(page.get_by_role("alert")).to_contain_text("That passkey signs nobody in here")


def make(page: Page, name: str) -> None:
    page.get_by_label("A name for it").fill(name)
    give_own(page, "main form.card input[name=own]")
    press(page, "Make a passkey")


@sends("/sign-out", "/sign-in/passkey/begin")
def test_where_the_device_has_none_or_does_not_recognise_its_user_nobody_comes_in(page: Page) -> None:
    press(page, "Sign out")
    with authenticator(page, recognises=False):
        press(page, "Sign in with a passkey")
        expect(page.get_by_role("alert")).to_contain_text("The browser gave no passkey")
        fine(page)
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()


def test_without_javascript_and_at_an_address_the_page_says_what_it_takes(
    context: BrowserContext, browser: Browser, here: House
) -> None:
    assert context.pages == []
    for origin, script, says in (
        (origin_of(here), False, "Your browser cannot make a passkey here."),
        (here.origin, True, "You have opened this page by an address, 127.0.0.1."),
    ):
        with context_of(browser, origin, script=script) as ann:
            stranger = ann.new_page()
            stranger.goto("/sign-in")
            expect(stranger.get_by_role("button", name="Sign in with a passkey")).to_have_count(0)
            signed_in(stranger)
            stranger.goto("/passkeys")
            expect(stranger.locator("main")).to_contain_text(says)
            expect(stranger.get_by_role("button", name="Make a passkey")).to_have_count(0)
            fine(stranger)
