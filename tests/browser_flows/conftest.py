"""One office at work for all that is looked at here, and one browser for each module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser_flows.flow import NAME, SENT, Flow
from tests.browser_flows.house import PASSWORD, House, house, pattern_of
from tests.browser_flows.sample_office import SampleOffice, sample_office
from tests.browser_flows.seeing import Heard, chromium, context_of, why_missing
from tests.browser_flows.visitors import ADMINISTRATOR, have_something_to_show, let_in, signed_in
from tests.unit.jobs.web.office import Office, office as empty_office

expect.set_options(timeout=60_000)  # a busy machine may be slow; what does not come at all still fails

CookiesOf = Callable[[str], Mapping[str, str]]


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleOffice]:
    if reason := why_missing():
        pytest.skip(reason)
    with sample_office(tmp_path_factory.mktemp("office"), let_in) as one:
        have_something_to_show(one, signed_in(one.port, ADMINISTRATOR))
        yield one


@pytest.fixture(scope="session")
def cookies_of(office: SampleOffice) -> CookiesOf:
    """The session of each user: signed in once."""
    known: dict[str, Mapping[str, str]] = {}

    def cookies(name: str) -> Mapping[str, str]:
        if name not in known:
            known[name] = signed_in(office.port, name)
        return known[name]

    return cookies


@pytest.fixture(scope="session")
def new_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A page at which nobody can sign in yet."""
    with empty_office(tmp_path_factory.mktemp("new office")) as one:
        yield one


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if reason := why_missing():
        pytest.skip(reason)
    with chromium() as one:
        yield one


@pytest.fixture(scope="module", params=[True, False], ids=["with JavaScript", "without JavaScript"])
def script(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def here(script: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    if reason := why_missing():
        pytest.skip(reason)
    with house(tmp_path_factory.mktemp("house")) as one:
        yield one


@pytest.fixture(scope="module")
def context(here: House, browser: Browser, script: bool) -> Iterator[BrowserContext]:
    """Ann's browser: the first start is behind her."""
    with context_of(browser, here.origin, script=script) as ann:
        page, heard = ann.new_page(), Heard(here.origin)
        heard.watch(page)
        page.goto("/")
        page.get_by_label("Token").fill(here.token)
        page.get_by_label("Your name").fill(NAME)
        page.get_by_label("A password").fill(PASSWORD)
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        assert heard.complaints == []
        assert heard.forms == SENT["set up"]
        page.close()
        yield ann


@pytest.fixture
def heard(here: House) -> Heard:
    return Heard(here.origin)


@pytest.fixture
def page(context: BrowserContext, here: House, heard: Heard, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that must say nothing on its console, ask nobody else, and send just the forms that its flow names."""
    page = context.new_page()
    heard.watch(page)
    page.goto("/")
    yield page
    here.gate.open()
    page.close()
    flow: Flow = request.function
    assert heard.complaints == []
    assert {pattern_of(path) for path in heard.forms} == SENT.get(flow.__name__, set())
