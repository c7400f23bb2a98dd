"""A person's first five minutes, in a browser, with a real Dovecot: from the token that the worker prints to a green light."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser_flows.flow import follow, give_own, open_details, press, search
from tests.browser_flows.house import PASSWORD
from tests.browser_flows.sample_office import at_work, said
from tests.browser_flows.seeing import Heard, context_of, why_missing
from tests.conftest import StartDovecot
from tests.servers.dovecot import Dovecot
from tests.servers.service_manager import ServiceManager
from tests.unit.jobs.web.mail import letter

pytestmark = [pytest.mark.slow, pytest.mark.skipif(why_missing() is not None, reason=str(why_missing()))]

FIRST = letter(
    "Keys for the new office", "<p>The <b>keys</b> are at the reception.</p>", "The keys are at the reception."
)
SECOND = letter("Lunch on Thursday")
NINA = "nina@example.test"


@pytest.fixture
def provider(start_dovecot: StartDovecot) -> Dovecot:
    """The old provider, with two letters in a mailbox."""
    server = start_dovecot()
    server.deliver(NINA, [FIRST, SECOND])
    return server


def test_from_the_first_start_to_a_green_light(tmp_path: Path, browser: Browser, provider: Dovecot) -> None:
    config = tmp_path / "config.toml"
    config.write_text('state_dir = "state"\n[web]\nlisten = "127.0.0.1:0"\n')
    config.chmod(0o600)
    with at_work(config) as (manager, port), context_of(browser, f"http://127.0.0.1:{port}") as context:
        page, heard = context.new_page(), Heard(f"http://127.0.0.1:{port}")
        heard.watch(page)
        become_the_administrator(page, said(manager, "web.setup")["token"])
        add_the_mailbox(page, provider)
        see_green(page, manager)
        find_read_and_save(page, manager)
        assert heard.complaints == []
    assert sorted(provider.messages(NINA)) == sorted([FIRST, SECOND])


def become_the_administrator(page: Page, token: str) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    page.get_by_label("Token").fill(token)
    page.get_by_label("Your name").fill("Nina")
    page.get_by_label("A password").fill(PASSWORD)
    press(page, "Begin")


def add_the_mailbox(page: Page, provider: Dovecot) -> None:
    """Its server is typed: no discovery finds a server on loopback, and nobody outside is asked."""
    follow(page, "Add a mailbox")
    page.get_by_label("Its address").fill("nina@gmx.net")
    press(page, "Look for its server")
    open_details(page, "Its server, and the name to log in with")
    page.get_by_label("Server", exact=True).fill(provider.host)
    page.get_by_label("Port").fill(str(provider.pop3_port))
    page.get_by_label("How the connection is encrypted").select_option("none")
    page.get_by_label("The name to log in with").fill(NINA)
    page.get_by_label("Its password").fill(provider.password)
    press(page, "Log in")
    expect(page.get_by_text("The log-in worked: 2 messages are there")).to_be_visible()
    page.get_by_label("What it is called here").fill("nina")
    give_own(page)
    press(page, "Add the mailbox")
    expect(page.get_by_role("status").first).to_contain_text("its first message is proven")


def see_green(page: Page, manager: ServiceManager) -> None:
    row, light = page.get_by_role("row", name="nina"), page.locator(".light strong.good")
    manager.wait_for(lambda: page.goto("/") and row.count() and "all done" in row.inner_text() and light.count())
    expect(light).to_contain_text("Well")


def find_read_and_save(page: Page, manager: ServiceManager) -> None:
    search(page, manager, "reception")
    page.goto("/")
    follow(page, "Search")
    page.get_by_label("What to look for").fill("keys reception")
    page.keyboard.press("Enter")
    follow(page, "Keys for the new office")
    expect(page.locator("pre")).to_contain_text("The keys are at the reception.")
    expect(page.frame_locator("iframe").locator("b")).to_have_text("keys")
    expect(page.locator("main")).to_contain_text("proven equal")
    with page.expect_download() as saved:
        follow(page, "Save the message")
    assert Path(saved.value.path()).read_bytes() == FIRST
