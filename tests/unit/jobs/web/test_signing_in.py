"""The door of the page: who gets in, and who does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.web.people import Role
from tests.unit.jobs.web.office import PASSWORD, Office, office, opened


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def test_the_first_user_needs_the_token_of_the_worker_and_is_an_administrator(here: Office) -> None:
    token = here.site.setup.new_token()
    browser = here.browser()
    assert browser.get("/").location == "/setup"
    form = browser.get("/setup").form("/setup")
    assert browser.send(form, token="wrong", name="ann", password=PASSWORD).status == 422
    assert browser.send(form, token=token, name="ann", password="short").status == 422
    answer = browser.send(form, token=token, name="ann", password=PASSWORD)
    assert (answer.status, answer.location) == (303, "/")
    assert browser.get("/").status == 200
    assert [(user.name, user.role) for user in here.site.store.users()] == [("ann", Role.ADMINISTRATOR)]


def test_there_is_no_setup_once_there_is_a_user(here: Office) -> None:
    token = here.site.setup.new_token()
    form = here.browser().get("/setup").form("/setup")
    here.add("ann")
    assert here.browser().get("/setup").status == 404
    assert here.browser().send(form, token=token, name="eve", password=PASSWORD).status == 404
    assert [user.name for user in here.site.store.users()] == ["ann"]


def test_a_wrong_password_and_a_name_that_nobody_has_get_the_same_answer(here: Office) -> None:
    here.add("ann")
    browser = here.browser()
    form = browser.get("/sign-in").form("/sign-in")
    wrong = [browser.send(form, name=name, password="not the password") for name in ("ann", "eve")]
    assert [answer.status for answer in wrong] == [401, 401]
    assert wrong[0].text.replace("ann", "") == wrong[1].text.replace("eve", "") or "belong together" in wrong[1].text
    assert browser.cookies == {}


def test_a_name_is_locked_after_some_wrong_passwords_even_for_the_right_one(here: Office) -> None:
    here.add("ann")
    browser = here.browser()
    form = browser.get("/sign-in").form("/sign-in")
    for _ in range(5):
        browser.send(form, name="ann", password="not the password")
    assert browser.send(form, name="ann", password=PASSWORD).status == 429


def test_signing_in_gives_a_session_of_its_own(here: Office) -> None:
    """Session fixation: an id that somebody planted before is nobody's session afterwards."""
    here.add("ann")
    browser = here.browser()
    browser.cookies["mailferry_session"] = "planted"
    form = browser.get("/sign-in").form("/sign-in")
    assert browser.send(form, name="ann", password=PASSWORD).status == 303
    assert browser.cookies["mailferry_session"] != "planted"
    attacker = here.browser()
    attacker.cookies["mailferry_session"] = "planted"
    assert attacker.get("/").location == "/sign-in"


def test_the_cookie_is_hidden_from_scripts_and_from_other_sites(here: Office) -> None:
    here.add("ann")
    browser = here.browser()
    answer = browser.send(browser.get("/sign-in").form("/sign-in"), name="ann", password=PASSWORD)
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
    assert here.browser().get("/sign-in").headers.get("set-cookie") is None


def test_signing_out_ends_the_session_and_not_only_the_cookie(here: Office) -> None:
    browser = here.signed_in()
    kept = dict(browser.cookies)
    answer = browser.send(browser.get("/").form("/sign-out"))
    assert (answer.status, answer.location) == (303, "/sign-in?said=signed-out")
    browser.cookies = kept
    assert browser.get("/").location == "/sign-in"


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [("/accounts/alice", "/accounts/alice"), ("//evil.test/", "/"), ("https://evil.test/", "/"), ("/\\evil.test", "/")],
)
def test_after_signing_in_the_way_leads_to_a_page_of_ours(here: Office, wanted: str, leads_to: str) -> None:
    here.add("ann")
    browser = here.browser()
    form = browser.get("/sign-in").form("/sign-in")
    assert browser.send(form, name="ann", password=PASSWORD, next=wanted).location == leads_to


def test_the_first_start_without_a_mailbox_leads_to_adding_one(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('state_dir = "state"\n[web]\nlisten = "127.0.0.1:0"\n')
    path.chmod(0o600)
    with opened(path) as here:
        browser = here.browser()
        form = browser.get("/setup").form("/setup")
        answer = browser.send(form, token=here.site.setup.new_token(), name="ann", password=PASSWORD)
        assert (answer.status, answer.location) == (303, "/?said=welcome")
        page = browser.follow(answer)
        assert "Begin with the address of a mailbox." in page.text
        assert 'class="button" href="/add"' in page.text
