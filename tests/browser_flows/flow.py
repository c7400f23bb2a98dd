"""What flows are made of: a person presses what buttons say, and each flow says which forms it sends."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser_flows.house import PASSWORD
from tests.browser_flows.seeing import found_by_axe, too_wide
from tests.servers.service_manager import ServiceManager

NAME, OTHER = "Ann", "another long password"
SENT: dict[str, set[str]] = {"set up": {"/setup"}}
"""Which forms each flow sends, as the table of screens has their paths."""

Flow = Callable[..., None]


def sends(*paths: str) -> Callable[[Flow], Flow]:
    """Say which forms a flow sends; ``page`` holds it to that."""

    def marked(flow: Flow) -> Flow:
        SENT[flow.__name__] = set(paths)
        return flow

    return marked


def press(page: Page, name: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def follow(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def search(page: Page, manager: ServiceManager, words: str) -> None:
    """Search until something is found: the index follows the runs."""
    found = page.locator("a[href^='/messages/']")
    manager.wait_for(lambda: page.goto(f"/search?q={words}") and found.count())


def fine(page: Page) -> None:
    """Hold a page that only a flow leads to against what every screen is held to; axe needs a page that may wait."""
    assert too_wide(page) == []
    if page.evaluate("() => matchMedia('(scripting: enabled)').matches"):
        assert found_by_axe(page) == []


def sign_in(page: Page) -> None:
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")


def give_own(page: Page, field: str = "input[name=own]") -> None:
    """Give one's own password again, where the page wants it."""
    if page.locator(field).count():
        page.locator(field).first.fill(PASSWORD)


def reach(page: Page, name: str) -> None:
    """Press Tab until the link or button of this name has the focus."""
    expect(
        page.get_by_role("link", name=name, exact=True).or_(page.get_by_role("button", name=name, exact=True))
    ).to_be_visible()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.innerText") == name:
            return
    pytest.fail(f"{name} was not reached")


def open_details(page: Page, summary: str) -> None:
    """Open what is folded away, unless it is open."""
    found = page.locator("details", has=page.get_by_text(summary, exact=True))
    if found.get_attribute("open") is None:
        found.locator("summary").click()
