"""The own password before what is dangerous: remembered for half an hour, then asked for again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.web.limits import MOST_NAME_FAILURES
from jobs.web.token_store import tokens_of
from tests.browser import Browser, Form
from tests.unit.jobs.web.office import PASSWORD, Office, office

TOKEN = {"name": "a script", "scope": "read"}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def form_of(browser: Browser) -> Form:
    return browser.get("/tokens").form("/tokens")


def test_right_after_the_sign_in_nobody_is_asked_again(here: Office) -> None:
    browser = here.signed_in()
    form = form_of(browser)
    assert "own" not in form.fields
    assert browser.send(form, **TOKEN).status == 303


def test_half_an_hour_later_it_is_wanted_once(here: Office) -> None:
    browser = here.signed_in()
    old = form_of(browser)
    here.half_an_hour_later()
    asked = browser.send(old, **TOKEN)
    assert asked.status == 422
    assert "Give your own password too" in asked.text
    form = asked.form("/tokens")
    assert form.fields["own"] == ""
    assert form.fields["name"] == "a script"
    assert tokens_of(here.site.store) == []
    assert browser.send(form, **TOKEN, own="wrong").status == 422
    assert browser.send(form, **TOKEN, own=PASSWORD).status == 303
    assert "own" not in form_of(browser).fields
    assert browser.send(old, **TOKEN).status == 303


def test_it_is_remembered_for_this_session_alone(here: Office) -> None:
    browser, elsewhere = here.signed_in(), here.signed_in()
    here.half_an_hour_later()
    assert browser.send(form_of(browser), **TOKEN, own=PASSWORD).status == 303
    assert elsewhere.send(form_of(elsewhere), **TOKEN).status == 422


def test_a_wrong_one_is_refused_also_where_none_was_wanted_and_guessing_is_stopped(here: Office) -> None:
    browser = here.signed_in()
    form = form_of(browser)
    for _ in range(MOST_NAME_FAILURES):
        assert browser.send(form, **TOKEN, own="wrong").status == 422
    here.half_an_hour_later()
    assert browser.send(form, **TOKEN, own=PASSWORD).status == 429
    assert tokens_of(here.site.store) == []


def test_a_clock_that_went_back_remembers_nothing(here: Office) -> None:
    browser = here.signed_in()
    with here.site.store.transaction() as sql:
        sql.execute("update sessions set confirmed_at = confirmed_at + 7200")
    assert browser.send(form_of(browser), **TOKEN).status == 422


@pytest.mark.parametrize("path", ["/password", "/second-factor"])
def test_ones_own_way_in_is_changed_only_with_the_password(here: Office, path: str) -> None:
    browser = here.signed_in()
    form = browser.get(path).form(path)
    new = "another good password"
    page = browser.send(form, password=new, again=new, code="1")
    assert page.status == 422
    assert "Give your own password too" in page.text
