"""The flows of settings: what happens at a provider, the recovery key of typed passwords; with JavaScript and without."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser_flows.flow import fine, follow, give_own, press, sends
from tests.browser_flows.house import House
from tests.browser_flows.seeing import Heard

pytestmark = pytest.mark.slow


@sends("/accounts/{name}/settings", "/accounts/{name}/settings/save")
def test_what_happens_at_a_provider_is_changed_after_a_look(page: Page, here: House, heard: Heard) -> None:
    heard.refusals = {422}
    page.goto("/accounts/alice/settings")
    expect(page.locator("main")).to_contain_text("A person wrote these settings, so they are not changed here.")
    page.goto("/accounts/dora/settings")
    fine(page)
    press(page, "Look at the change")
    expect(page.get_by_role("alert").first).to_contain_text("Nothing was changed in the form")
    page.get_by_label("A message is deleted there some time after").check()
    page.get_by_label("After how many days").fill("14")
    press(page, "Look at the change")
    expect(page.locator("main")).to_contain_text("they would become deletable there")
    fine(page)
    give_own(page)
    press(page, "Save")
    expect(page.get_by_role("status").first).to_contain_text("Saved. mailferry goes by it from now on.")
    assert 'leave_on_server = "14 days"' in (here.folder / "accounts.d" / "dora.toml").read_text()


@sends("/vault/recovery-key")
def test_a_recovery_key_is_shown_once(page: Page) -> None:
    follow(page, "Care")
    follow(page, "Passwords that are kept, and their recovery key")
    give_own(page)
    press(page, re.compile("Make a (new )?recovery key"))
    expect(page.locator("main pre")).to_have_text(re.compile(r"^([A-Z2-7]{4}-){12}[A-Z2-7]{4}$"))
    fine(page)
    page.reload()
    expect(page.locator("main pre")).to_have_count(0)
