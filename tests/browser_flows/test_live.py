"""What moves on a page that stays open: rows, and what no part has, findings with their buttons and new mailboxes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from jobs.schedule.live_progress import RunProgress
from migrator.config import load
from migrator.findings.model import Cure, Finding, Severity
from tests.browser_flows.seeing import Heard, chromium, context_of, why_missing
from tests.unit.jobs.web.office import ACCOUNT, Office, office

pytestmark = pytest.mark.slow

REFUSED = Finding(
    "auth-refused", Severity.BROKEN, "bob", ("bob",), None, "the server refused the password", 0.0, Cure("correct it")
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if reason := why_missing():
        pytest.skip(reason)
    with chromium() as one:
        yield one


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


@pytest.fixture
def page(here: Office, browser: Browser) -> Iterator[Page]:
    origin = f"http://127.0.0.1:{here.port}"
    with context_of(browser, origin) as context:
        cookies = here.signed_in().cookies
        context.add_cookies([{"name": name, "value": value, "url": origin} for name, value in cookies.items()])
        page, heard = context.new_page(), Heard(origin)
        heard.watch(page)
        page.goto("/")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        yield page
        assert heard.complaints == []


def test_a_finding_comes_with_its_button_and_goes_while_the_page_is_open(here: Office, page: Page) -> None:
    page.get_by_role("link", name="bob").focus()
    here.findings, here.changed = (lambda _config: (REFUSED,)), "found"
    expect(page.locator("#rest li.card")).to_contain_text("Needs you now")
    expect(page.get_by_role("link", name="bob", exact=True)).to_be_focused()
    page.locator("#rest summary").first.click()
    here.findings, here.changed = (lambda _config: (REFUSED, REFUSED)), "found another"
    expect(page.locator("#rest li.card")).to_have_count(2)
    expect(page.locator("#rest details[open]")).not_to_have_count(0)
    here.findings, here.changed = (lambda _config: ()), "all is well"
    expect(page.locator("#rest li.card")).to_have_count(0)
    expect(page.locator("#lost")).to_be_hidden()


def test_a_new_mailbox_comes_onto_the_page_and_moves_there(here: Office, page: Page) -> None:
    path = here.config.path
    assert path is not None
    path.write_text(path.read_text() + ACCOUNT.format(name="carla"))
    here.config, here.changed = load(path), "a new configuration"
    expect(page.locator("#row-carla")).to_contain_text("no run so far")
    here.running["carla"] = RunProgress(time.time(), 1_200, 5_000_000, 5_000, 20_000_000, 1_000_000.0, 15.0)
    expect(page.locator("#row-carla")).to_contain_text("1,200 of 5,000")
    expect(page.locator("#lost")).to_be_hidden()


def test_a_page_whose_session_has_ended_says_that_it_is_not_up_to_date(here: Office, page: Page) -> None:
    with here.site.store.transaction() as sql:
        sql.execute("delete from sessions")
    here.findings, here.changed = (lambda _config: (REFUSED,)), "found"
    expect(page.locator("#lost")).to_be_visible(timeout=30_000)
    expect(page.locator("#rest li.card")).to_have_count(0)
