"""What no request gets past: foreign names, foreign forms, odd paths, too much of anything."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.web.app import SCREENS
from jobs.web.people import Role
from tests.browser import Browser
from tests.unit.jobs.web.mail import filled
from tests.unit.jobs.web.office import PASSWORD, Office, office


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("office")) as one:
        one.add("ann")
        yield one


@pytest.fixture(scope="module")
def ann(here: Office) -> Browser:
    return here.signed_in()


@pytest.mark.parametrize(
    "host", ["evil.test", "127.0.0.1.evil.test", "localhost@evil.test", "", "[::1", "localhost:8025:1", "192.0.2.1"]
)
def test_a_foreign_name_is_refused_whatever_the_path(here: Office, host: str) -> None:
    for path in ("/", "/sign-in", "/page.css", "/nowhere"):
        assert here.browser().get(path, {"Host": host}).status == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8025", "127.0.0.1", "[::1]:8025", "localhost."])
def test_loopback_is_answered_under_all_its_names(here: Office, host: str) -> None:
    assert here.browser().get("/sign-in", {"Host": host}).status == 200


def test_two_names_are_refused(here: Office) -> None:
    line = http.client.HTTPConnection("127.0.0.1", here.port, timeout=30)
    line.putrequest("GET", "/sign-in")
    line.putheader("Host", "evil.test")
    line.endheaders()
    assert line.getresponse().status == 400
    line.close()


@pytest.mark.parametrize("path", ["/", "/sign-in", "/nowhere", "/page.css", "/accounts/alice"])
def test_every_answer_has_the_headers(ann: Browser, path: str) -> None:
    headers = ann.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert path == "/page.css" or headers["cache-control"] == "no-store"
    assert "server" not in headers


FORMS = [filled(path) for method, path, _, needs in SCREENS if method == "POST" and needs]


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Origin": None, "Sec-Fetch-Site": "cross-site"},
        {"Origin": None, "Sec-Fetch-Site": "same-site"},
    ],
    ids=["foreign", "null", "cross-site", "same-site"],
)
def test_a_form_of_another_origin_is_refused(
    here: Office, ann: Browser, path: str, headers: dict[str, str | None]
) -> None:
    token = ann.get("/").form("/sign-out").fields["csrf"]
    assert ann.post(path, {"csrf": token}, headers).status == 403
    assert here.asked == []


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("token", ["", "guessed", "é"])
def test_a_form_without_the_token_of_the_session_is_refused(here: Office, ann: Browser, path: str, token: str) -> None:
    assert ann.post(path, {"csrf": token}).status == 403
    assert here.asked == []


def test_the_token_of_another_user_does_not_help(here: Office, ann: Browser) -> None:
    other = here.signed_in("eve", Role.AUDITOR).get("/").form("/sign-out").fields["csrf"]
    assert ann.post("/accounts/alice/run", {"csrf": other}).status == 403


def test_a_token_for_strangers_signs_nobody_in_twice(here: Office) -> None:
    assert here.browser().post("/sign-in", {"csrf": "a.b", "name": "ann", "password": PASSWORD}).status == 403


@pytest.mark.parametrize("path", FORMS)
def test_nothing_is_done_by_opening_an_address(here: Office, ann: Browser, path: str) -> None:
    ann.get(path)
    assert here.asked == []
    assert ann.get("/").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/accounts/..",
        "/accounts/%2e%2e%2f%2e%2e",
        "/accounts/alice/",
        "//evil.test/",
        "/page.css/../store",
        "/static/page.css",
        "/accounts/%00",
        "/accounts/%ff",
    ],
)
def test_odd_paths_lead_nowhere(ann: Browser, path: str) -> None:
    answer = ann.get(path)
    assert answer.status == 404
    assert not answer.location


def test_too_much_is_refused_before_it_is_read(ann: Browser) -> None:
    assert ann.get("/receipts?digest=" + "a" * 9000).status == 414
    assert ann.post("/accounts/alice/run", {"csrf": "x" * 2_000_000}).status == 413
    assert ann.post("/accounts/alice/run", {f"f{number}": "" for number in range(3000)}).status == 400
    assert ann.ask("POST", "/sign-in", b"--x", {"Content-Type": "multipart/form-data; boundary=x"}).status == 415


def test_a_stranger_is_led_to_the_door_from_everywhere(here: Office) -> None:
    for method, path, _, needs in SCREENS:
        if needs is not None and method == "GET":
            answer = here.browser().get(filled(path))
            assert answer.status == 303
            assert answer.location.startswith("/sign-in")


def test_a_form_that_came_without_an_origin_is_taken_with_its_token(here: Office) -> None:
    """A program has none; a browser always sends one."""
    browser = here.signed_in("otto")
    form = browser.get("/").form("/sign-out")
    assert browser.post(form.action, form.fields, {"Origin": None}).status == 303


def test_strangers_cannot_send_forms_without_end(tmp_path: Path) -> None:
    with office(tmp_path) as one:
        one.add("ann")
        form = one.browser().get("/sign-in").form("/sign-in")
        answers = {one.browser().send(form, name=f"name{number}", password="guess").status for number in range(12)}
        assert answers == {401, 429}
