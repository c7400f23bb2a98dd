from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.web.factor_store import factor_of, keep_factor
from jobs.web.people import Role, Scope
from jobs.web.screens.edit_user import ONCE_SECONDS
from jobs.web.token_store import add_token, tokens_of
from jobs.web.user_store import known_users
from tests.browser import Browser, Page
from tests.unit.jobs.web.office import PASSWORD, Office, office

OWN_WORDS = "a password of my own"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def edit(browser: Browser, name: str = "rita") -> Page:
    return browser.get(f"/users/edit?name={name}")


def test_the_list_says_who_signed_in_last_and_from_where(here: Office) -> None:
    here.add("nora", Role.AUDITOR)
    browser = here.signed_in()
    text = browser.get("/users").text
    assert 'href="/users/edit?name=nora"' in text
    ann, nora = known_users(here.site.store, here.site.clock())
    assert (ann.user.name, ann.signed_in_from, ann.sessions) == ("ann", "127.0.0.1", 1)
    assert (nora.signed_in_at, nora.sessions) == (None, 0)
    assert "from 127.0.0.1" in text


def test_a_role_holds_at_once_in_sessions_that_go_on(here: Office) -> None:
    reader = here.signed_in("rita", Role.READER, "alice")
    browser = here.signed_in()
    form = edit(browser).form("/users/edit")
    assert reader.get("/accounts/bob").status == 404
    assert browser.send(form, role="reader", account=["alice", "bob"]).status == 303
    assert reader.get("/accounts/bob").status == 200
    assert reader.get("/care").status == 403
    assert browser.send(form, role="auditor").location == "/users/edit?name=rita&said=user-changed"
    assert reader.get("/care").status == 200
    assert browser.send(form, role="reader", account=["bob"]).status == 303
    assert reader.get("/accounts/alice").status == 404
    assert "reader bob" in [entry.outcome for entry in here.site.store.audit(5)]


@pytest.mark.parametrize("fields", [{"role": "king"}, {"role": "reader", "account": "nobody"}])
def test_a_role_that_makes_no_sense_changes_nothing(here: Office, fields: dict[str, str]) -> None:
    here.add("rita", Role.READER, "alice")
    browser = here.signed_in()
    form = edit(browser).form("/users/edit")
    assert browser.post("/users/edit", {"csrf": form.fields["csrf"], "name": "rita", **fields}).status == 422
    known = here.site.store.user("rita")
    assert known is not None
    assert (known[0].role, known[0].accounts) == (Role.READER, frozenset({"alice"}))


def test_who_is_no_administrator_any_more_has_no_tokens_left(here: Office) -> None:
    here.add("otto")
    add_token(here.site.store, "mf_secret", "script", Scope.ADMIN, "otto", 1.0)
    browser = here.signed_in()
    assert browser.send(edit(browser, "otto").form("/users/edit"), role="auditor").status == 303
    assert tokens_of(here.site.store) == []
    assert here.browser().get("/api/v1/accounts", {"Authorization": "Bearer mf_secret"}).status == 401


def test_the_own_role_and_that_of_the_last_administrator_stay(here: Office) -> None:
    browser = here.signed_in()
    page = edit(browser, "ann")
    assert [form.action for form in page.forms() if form.action.startswith("/users")] == ["/users/sign-out"]
    token = page.form("/users/sign-out").fields["csrf"]
    assert browser.post("/users/edit", {"csrf": token, "name": "ann", "role": "auditor"}).status == 422
    assert browser.post("/users/one-time-password", {"csrf": token, "name": "ann"}).status == 422
    other = here.signed_in("otto")
    form = edit(other, "ann").form("/users/edit")
    assert browser.send(edit(browser, "otto").form("/users/edit"), role="auditor").status == 303
    assert other.send(form, role="auditor").status == 403


def given(browser: Browser, **fields: str) -> str:
    """Have a password made for rita; return it."""
    answer = browser.send(edit(browser).form("/users/one-time-password"), **fields)
    assert (answer.status, answer.location) == (303, "/users/edit?name=rita&said=password-given")
    [password] = re.findall(r"<pre>([a-z0-9-]{19})</pre>", browser.follow(answer).text)
    assert "<pre>" not in browser.follow(answer).text
    return str(password)


def signs_in(here: Office, password: str) -> tuple[Browser, Page]:
    browser = here.browser()
    return browser, browser.send(browser.get("/sign-in").form("/sign-in"), name="rita", password=password)


def test_a_password_for_once_is_good_for_choosing_another_and_nothing_else(here: Office) -> None:
    before = here.signed_in("rita", Role.READER, "alice")
    password = given(here.signed_in())
    assert before.get("/").location == "/sign-in"
    assert signs_in(here, PASSWORD)[1].status == 401
    browser, answer = signs_in(here, password)
    assert answer.status == 303
    for path in ("/", "/accounts/alice", "/search?q=x", "/needs-a-look"):
        assert (browser.get(path).status, browser.get(path).location) == (303, "/password")
    page = browser.get("/password")
    assert "was for once" in page.text
    form = page.form("/password")
    assert browser.send(form, own=password, password=password, again=password).status == 422
    assert browser.send(form, own=password, password=OWN_WORDS, again=OWN_WORDS).status == 303
    assert browser.get("/accounts/alice").status == 200
    assert signs_in(here, password)[1].status == 401
    assert signs_in(here, OWN_WORDS)[1].status == 303
    assert password not in str(here.site.store.audit(20))


def test_a_password_for_once_is_over_after_three_days(here: Office) -> None:
    here.add("rita", Role.AUDITOR)
    password = given(here.signed_in())
    with here.site.store.transaction() as sql:
        sql.execute("update users set once_until = once_until - ?", (ONCE_SECONDS + 1,))
    answer = signs_in(here, password)[1]
    assert answer.status == 403
    assert "its time is over" in answer.text


def test_the_own_password_is_wanted_and_a_lost_device_goes_only_where_that_is_ticked(here: Office) -> None:
    here.add("rita", Role.AUDITOR)
    keep_factor(here.site.store, "rita", "SECRET", 1, [])
    browser = here.signed_in()
    given(browser)
    assert factor_of(here.site.store, "rita") is not None
    here.half_an_hour_later()
    form = edit(browser).form("/users/one-time-password")
    assert browser.send(form, factor="off").status == 422
    assert factor_of(here.site.store, "rita") is not None
    given(browser, factor="off", own=PASSWORD)
    assert factor_of(here.site.store, "rita") is None


def test_all_sessions_of_a_user_end(here: Office) -> None:
    one, two = here.signed_in("rita", Role.AUDITOR), here.signed_in("rita")
    browser = here.signed_in()
    assert "in 2 browsers" in edit(browser).text
    assert browser.send(edit(browser).form("/users/sign-out")).status == 303
    assert one.get("/").location == two.get("/").location == "/sign-in"
    assert "nowhere" in edit(browser).text
    assert here.signed_in("rita").get("/").status == 200


def test_a_stranger_is_no_user(here: Office) -> None:
    browser = here.signed_in()
    assert edit(browser, "nobody").status == 404
    assert browser.get("/users/edit").status == 404
