"""The flows of telling: who hears of trouble, a test message, the alarm for when all is silent; with JavaScript and without."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser_flows.flow import fine, give_own, sends
from tests.browser_flows.house import House
from tests.browser_flows.seeing import Heard
from tests.servers.smtp import SmtpServer

pytestmark = pytest.mark.slow


@sends("/tell-me", "/tell-me/test", "/tell-me/alarm")
def test_somebody_is_told_by_mail_and_an_alarm_is_set(page: Page, here: House, heard: Heard) -> None:
    heard.refusals = {422}
    with SmtpServer() as server:
        page.goto("/tell-me")
        fill_in(page, server.port, "boss@example.test")
        press_save(page, "/tell-me")
        expect(page.get_by_role("status").first).to_be_visible()
        button = page.get_by_role("button", name="Send a test message")
        here.manager.wait_for(lambda: page.goto("/tell-me") and button.count())
        fine(page)
        button.click()
        here.manager.wait_for(lambda: server.taken)
        assert "boss@example.test" in server.taken[0].recipients[0]
    page.goto("/tell-me")
    page.get_by_label("Address to call").fill("no address")
    give_own(page, "#own-alarm")
    press_save(page, "/tell-me/alarm")
    expect(page.get_by_role("alert").first).to_be_visible()
    page.get_by_label("Address to call").fill("http://127.0.0.1:9/ping")
    give_own(page, "#own-alarm")
    press_save(page, "/tell-me/alarm")
    expect(page.get_by_role("status").first).to_be_visible()


def fill_in(page: Page, port: int, to: str) -> None:
    page.get_by_label("Write a mail").check()
    page.get_by_label("To, with commas").fill(to)
    page.get_by_label("From which address").fill("mailferry@example.test")
    page.get_by_label("Mail server").fill("127.0.0.1")
    page.get_by_label("Encryption").select_option("none")
    page.get_by_label("Port").fill(str(port))
    give_own(page, "#own-tell")


def press_save(page: Page, action: str) -> None:
    page.locator(f"form[action='{action}']").get_by_role("button", name="Save").click()
