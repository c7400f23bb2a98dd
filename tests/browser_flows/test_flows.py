"""The flows of people: signing in, the second factor, passwords, users, tokens, languages, the keyboard; with JavaScript and without."""

from __future__ import annotations

import re
import time
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pyotp
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from jobs.web.second_factor import STEP_SECONDS
from tests.browser_flows.flow import NAME, OTHER, fine, follow, give_own, press, reach, sends, sign_in
from tests.browser_flows.house import PASSWORD, House
from tests.browser_flows.seeing import Heard

pytestmark = pytest.mark.slow


@sends("/sign-out", "/sign-in")
def test_signing_out_and_in_again_leads_back(page: Page, heard: Heard) -> None:
    heard.refusals = {401}
    press(page, "Sign out")
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.goto("/receipts?account=alice")
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill("wrong password")
    press(page, "Sign in")
    expect(page.get_by_role("alert")).to_have_text("That name and password do not belong together.")
    fine(page)
    sign_in(page)
    expect(page.get_by_role("heading", name="Deletions")).to_be_visible()
    assert page.url.endswith("/receipts?account=alice")


@sends("/second-factor", "/second-factor/off", "/sign-out", "/sign-in")
def test_a_second_factor_is_switched_on_asked_for_and_switched_off(page: Page, heard: Heard) -> None:
    follow(page, NAME)
    follow(page, "A second factor besides the password")
    secret = pyotp.TOTP(page.locator("main code").first.inner_text())
    page.get_by_label("Code", exact=True).fill(secret.at(int(time.time()) - STEP_SECONDS))
    give_own(page)
    press(page, "Switch it on")
    expect(page.get_by_role("status")).to_contain_text("The second factor is on")
    press(page, "Sign out")
    sign_in(page)
    heard.refusals = {401}
    page.get_by_label("The code from your device").fill("000000")
    press(page, "Sign in")
    expect(page.get_by_role("alert")).to_contain_text("That code is wrong")
    fine(page)
    page.get_by_label("The code from your device").fill(secret.at(int(time.time())))
    press(page, "Sign in")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto("/second-factor")
    give_own(page)
    press(page, "Switch it off")
    expect(page.get_by_role("status")).to_contain_text("The second factor is off")


@sends("/accounts/{name}/pause", "/accounts/{name}/resume")
def test_a_mailbox_is_paused_and_resumed_by_keyboard_alone(page: Page) -> None:
    for name, key in (("alice", "Enter"), ("Pause", "Space"), ("Resume", "Enter")):
        reach(page, name)
        page.keyboard.press(key)
    expect(page.get_by_role("status").first).to_contain_text("Resumed.")


STRANGER = """<!doctype html><title>a stranger's page</title>
<form method=post action={origin}/accounts/alice/pause><button>You have won</button></form>
<iframe src={origin}/accounts/alice></iframe>"""


def test_a_page_of_another_origin_can_neither_send_our_forms_nor_frame_us(
    context: BrowserContext, here: House, tmp_path: Path
) -> None:
    """It stands on another port of the same address: to the browser the same site, so that our cookie comes along."""
    (tmp_path / "index.html").write_text(STRANGER.format(origin=here.origin))
    answers = partial(Silent, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), answers) as server, closing(context.new_page()) as page:
        Thread(target=server.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
        framed = page.frames[1]
        assert "alice" not in framed.content()
        with page.expect_response("**/pause") as refused:
            page.get_by_role("button").click()
        assert refused.value.status == 403
        assert "mailferry_session" in (refused.value.request.all_headers()["cookie"])
        page.goto(f"{here.origin}/accounts/alice")
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        server.shutdown()


class Silent(SimpleHTTPRequestHandler):
    """Serves files, without a word."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        pass


@sends("/language")
def test_another_language_is_read_and_english_again(page: Page) -> None:
    page.get_by_role("contentinfo").get_by_role("link").click()
    page.get_by_label("Deutsch").check()
    page.get_by_role("main").get_by_role("button").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    fine(page)
    page.get_by_label("English").check()
    page.get_by_role("main").get_by_role("button").click()
    expect(page.get_by_role("heading", name="Language")).to_be_visible()


@sends("/users", "/users/edit", "/users/one-time-password", "/users/sign-out", "/users/remove")
def test_a_user_is_added_changed_helped_and_removed(page: Page, heard: Heard) -> None:
    heard.refusals = {422}
    follow(page, "Users")
    page.get_by_label("Name", exact=True).fill("rita")
    page.get_by_label("The user's password").fill(PASSWORD)
    give_own(page)
    press(page, "Add")
    expect(page.get_by_role("alert")).to_contain_text("tick at least one")
    fine(page)
    page.get_by_label("alice", exact=True).check()
    page.get_by_label("The user's password").fill(PASSWORD)
    give_own(page)
    press(page, "Add")
    expect(page.get_by_role("status").first).to_contain_text("The user was added.")
    follow(page, "rita")
    page.get_by_label("Auditor: sees everything").check()
    give_own(page, "#own-role")
    press(page, "Save")
    expect(page.get_by_label("Auditor: sees everything")).to_be_checked()
    give_own(page, "#own-password")
    press(page, "Make a password for once")
    expect(page.locator("main pre")).to_have_text(re.compile(r"^\S+$"))
    fine(page)
    give_own(page, "#own-sessions")
    press(page, "Sign out everywhere")
    give_own(page, "#own-remove")
    press(page, "Remove rita")
    expect(page.get_by_role("status").first).to_contain_text("The user was removed")


@sends("/tokens", "/tokens/{number:int}/end")
def test_a_token_is_made_and_ended(page: Page) -> None:
    follow(page, "Tokens")
    page.get_by_label("What it is for").fill("monthly report")
    give_own(page)
    press(page, "Make it")
    expect(page.locator("main pre")).to_have_text(re.compile(r"^mf_[\w-]+$"))
    fine(page)
    page.reload()
    expect(page.locator("main pre")).to_have_count(0)
    press(page, "End the token monthly report")
    expect(page.get_by_role("status").first).to_contain_text("The token was ended")


@sends("/password")
def test_the_own_password_is_changed(page: Page, heard: Heard) -> None:
    heard.refusals = {422}
    follow(page, NAME)
    change_password(page, PASSWORD, OTHER, "yet another password")
    expect(page.get_by_role("alert")).to_contain_text("The two passwords are not the same.")
    fine(page)
    for old, new in ((PASSWORD, OTHER), (OTHER, PASSWORD)):
        page.goto("/password")
        change_password(page, old, new, new)
        expect(page.get_by_role("status").first).to_contain_text("The password was changed")


def change_password(page: Page, old: str, new: str, again: str) -> None:
    page.get_by_label("The one you have").fill(old)
    page.get_by_label("A new one of ten").fill(new)
    page.get_by_label("The new one again").fill(again)
    press(page, "Change")
