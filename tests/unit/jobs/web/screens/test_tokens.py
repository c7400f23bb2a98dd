from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.web.people import Role, Scope
from jobs.web.token_store import tokens_of
from tests.unit.jobs.web.office import Office, office


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def test_a_token_is_shown_once_works_and_can_be_ended(here: Office) -> None:
    browser = here.signed_in()
    answer = browser.send(browser.get("/tokens").form("/tokens"), name="backup script", scope="operate")
    assert (answer.status, answer.location) == (303, "/tokens?said=token-made")
    page = browser.follow(answer)
    found = re.search(r"<pre>(mf_[\w-]+)</pre>", page.text)
    assert found is not None
    assert found[1] not in browser.get("/tokens").text
    bearer = {"Authorization": f"Bearer {found[1]}"}
    assert here.browser().get("/api/v1/accounts", bearer).status == 200
    [token] = tokens_of(here.site.store)
    assert (token.name, token.scope, token.user) == ("backup script", Scope.OPERATE, "ann")
    assert browser.send(page.form(f"/tokens/{token.number}/end")).location == "/tokens?said=token-ended"
    assert here.browser().get("/api/v1/accounts", bearer).status == 401
    assert found[1] not in repr(here.site.store.audit(10))


def test_another_session_does_not_see_it(here: Office) -> None:
    browser = here.signed_in()
    other = here.signed_in("eve")
    browser.send(browser.get("/tokens").form("/tokens"), name="script")
    assert "mf_" not in other.get("/tokens").text


@pytest.mark.parametrize(("name", "scope"), [("", "read"), (" ", "read"), ("x" * 65, "read"), ("x", "all"), ("x", "")])
def test_a_token_without_a_name_or_a_scope_is_not_made(name: str, scope: str, here: Office) -> None:
    browser = here.signed_in()
    answer = browser.send(browser.get("/tokens").form("/tokens"), name=name, scope=scope)
    assert (answer.status, 'role="alert"' in answer.text) == (422, True)
    assert tokens_of(here.site.store) == []


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.READER])
def test_only_an_administrator_has_to_do_with_tokens(role: Role, here: Office) -> None:
    browser = here.signed_in("otto", role, "alice")
    assert browser.get("/tokens").status == 403
    form = browser.get("/").form("/sign-out").fields
    assert browser.post("/tokens", {**form, "name": "x", "scope": "read"}).status == 403
    assert tokens_of(here.site.store) == []


def test_a_form_of_another_site_makes_no_token(here: Office) -> None:
    browser = here.signed_in()
    form = browser.get("/tokens").form("/tokens")
    answer = browser.post("/tokens", {**form.fields, "name": "x", "scope": "read"}, {"Origin": "http://evil.test"})
    assert answer.status == 403
    assert browser.post("/tokens", {"name": "x", "scope": "read"}).status == 403
    assert tokens_of(here.site.store) == []


def test_a_token_that_is_not_there_cannot_be_ended(here: Office) -> None:
    browser = here.signed_in()
    for number in (7, 10**30):
        assert browser.post(f"/tokens/{number}/end", browser.get("/tokens").form("/tokens").fields).status == 404
