"""Every screen in a real browser: in both colours, at three widths, by keyboard, and without a word on the console."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import Browser as Client
from tests.browser_flows.conftest import CookiesOf
from tests.browser_flows.sample_office import SampleOffice
from tests.browser_flows.screens import FILES, SHOWN, Shown
from tests.browser_flows.seeing import (
    NARROW,
    WIDE,
    ZOOMED,
    Heard,
    context_of,
    found_by_axe,
    not_reached_by_keyboard,
    too_wide,
)
from tests.browser_flows.visitors import ADMINISTRATOR
from tests.unit.jobs.web.office import Office

pytestmark = pytest.mark.slow


@pytest.fixture(params=SHOWN, ids=[one.name for one in SHOWN])
def shown(request: pytest.FixtureRequest) -> Shown:
    one: Shown = request.param
    return one


@pytest.fixture
def origin(shown: Shown, request: pytest.FixtureRequest) -> str:
    office: SampleOffice | Office = request.getfixturevalue("new_office" if shown.is_new else "office")
    return f"http://{shown.host}:{office.port}"


@pytest.fixture
def cookies(shown: Shown, request: pytest.FixtureRequest) -> Mapping[str, str]:
    if not shown.who:
        return {}
    cookies_of: CookiesOf = request.getfixturevalue("cookies_of")
    return cookies_of(shown.who)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_screen_shuts_nobody_out(
    shown: Shown, origin: str, cookies: Mapping[str, str], browser: Browser, *, dark: bool
) -> None:
    heard = Heard(origin)
    with context_of(browser, origin, dark=dark, width=NARROW if dark else WIDE) as context:
        context.add_cookies([{"name": name, "value": value, "url": origin} for name, value in cookies.items()])
        page = context.new_page()
        heard.watch(page)
        shown.open(page)
        expect(page.locator("main")).to_contain_text(shown.sees)
        problems = found_by_axe(page)
        for width in (NARROW,) if dark else (NARROW, ZOOMED, WIDE):
            page.set_viewport_size({"width": width, "height": 800})
            problems += too_wide(page)
        problems += [] if dark else not_reached_by_keyboard(page)
    assert problems + heard.complaints == []


def test_what_is_saved_is_never_opened(office: SampleOffice, cookies_of: CookiesOf) -> None:
    client = Client(office.port, cookies=dict(cookies_of(ADMINISTRATOR)))
    for address in FILES.values():
        answer = client.get(address)
        assert answer.status == 200, address
        assert answer.headers["content-disposition"].startswith("attachment;"), address
