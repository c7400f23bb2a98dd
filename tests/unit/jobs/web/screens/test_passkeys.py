"""Passkeys: one's own are made, named and removed; signing in with one; and everything that must not sign anybody in."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyotp
import pytest

from jobs.web.factor_store import keep_factor
from jobs.web.hashing import hashed
from jobs.web.limits import MOST_NAME_FAILURES
from jobs.web.passkey_store import MOST_PASSKEYS, Passkey, drop_passkeys, keep_passkey, passkeys_of
from jobs.web.people import Role
from tests.browser import Browser, Page
from tests.unit.jobs.web.authenticator import PRESENT, Authenticator, encoded
from tests.unit.jobs.web.office import PASSWORD, Office, office


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def at_its_name(here: Office, browser: Browser) -> Browser:
    browser.host = f"localhost:{here.port}"
    return browser


def origin_of(here: Office) -> str:
    return f"http://localhost:{here.port}"


def options_of(page: Page) -> dict[str, Any]:
    assert page.status == 200, page.text
    assert page.headers["content-type"] == "application/json"
    options: dict[str, Any] = json.loads(page.text)
    return options


def make(browser: Browser, device: Authenticator, name: str = "laptop") -> Page:
    form = browser.get("/passkeys").form("/passkeys")
    options = options_of(browser.post("/passkeys/begin", {**form.fields, "name": name}))
    return browser.send(form, name=name, answer=device.make(options))


def with_passkey(here: Office, name: str = "ann") -> Authenticator:
    browser, device = at_its_name(here, here.signed_in(name)), Authenticator(origin_of(here))
    answer = make(browser, device)
    assert (answer.status, answer.location) == (303, "/passkeys?said=passkey-added"), answer.text
    return device


def begun(browser: Browser) -> tuple[dict[str, str], dict[str, Any]]:
    form = browser.get("/sign-in").form("/sign-in/passkey")
    return form.fields, options_of(browser.post("/sign-in/passkey/begin", form.fields))


def sign_in(browser: Browser, device: Authenticator, wanted: str = "") -> Page:
    fields, options = begun(browser)
    return browser.post("/sign-in/passkey", {**fields, "answer": device.sign(options), "next": wanted})


def test_a_passkey_is_made_and_signs_in_in_place_of_password_and_code(here: Office) -> None:
    device = with_passkey(here)
    keep_factor(here.site.store, "ann", pyotp.random_base32(), 0, [])
    browser = at_its_name(here, here.browser())
    answer = sign_in(browser, device, "/receipts")
    assert (answer.status, answer.location) == (303, "/receipts")
    assert "Sign out" in browser.get("/receipts").text
    [passkey] = passkeys_of(here.site.store, "ann")
    assert (passkey.name, passkey.host, passkey.sign_count) == ("laptop", "localhost", 1)
    assert passkey.used_at is not None
    said = [(entry.user, entry.action, entry.subject, entry.outcome) for entry in here.site.store.audit(2)]
    assert said == [("ann", "passkey sign-in", "laptop", "done"), ("ann", "passkey added", "laptop", "done")]


def test_the_browser_is_asked_for_one_that_recognises_its_user_and_is_found_by_itself(here: Office) -> None:
    browser = at_its_name(here, here.signed_in())
    form = browser.get("/passkeys").form("/passkeys")
    options = options_of(browser.post("/passkeys/begin", {**form.fields, "name": "laptop"}))
    assert options["rp"] == {"id": "localhost", "name": "mailferry"}
    wanted = options["authenticatorSelection"]
    assert (wanted["residentKey"], wanted["userVerification"]) == ("required", "required")
    assert options["user"]["id"] not in {encoded(b"ann"), ""}
    device = with_passkey(here)
    again = options_of(browser.post("/passkeys/begin", {**form.fields, "name": "laptop"}))
    assert [one["id"] for one in again["excludeCredentials"]] == [encoded(device.credential)]
    _, asked = begun(at_its_name(here, here.browser()))
    assert (asked["rpId"], asked["userVerification"], asked.get("allowCredentials", [])) == (
        "localhost",
        "required",
        [],
    )


def test_a_sign_in_leads_to_a_page_of_ours(here: Office) -> None:
    device = with_passkey(here)
    assert sign_in(at_its_name(here, here.browser()), device, "//evil.test/").location == "/"


def test_it_counts_as_a_password_given_just_now(here: Office) -> None:
    browser = at_its_name(here, here.browser())
    sign_in(browser, with_passkey(here))
    assert "own" not in browser.get("/tokens").form("/tokens").fields


def test_an_answer_is_good_once(here: Office) -> None:
    device = with_passkey(here)
    browser = at_its_name(here, here.browser())
    fields, options = begun(browser)
    answer = {**fields, "answer": device.sign(options)}
    assert browser.post("/sign-in/passkey", answer).status == 303
    other = at_its_name(here, here.browser())
    assert other.post("/sign-in/passkey", answer).status == 401
    assert other.cookies == {}


def test_an_answer_is_good_for_whom_it_was_asked_from(here: Office) -> None:
    device = with_passkey(here)
    one, other = at_its_name(here, here.browser()), at_its_name(here, here.browser())
    _, options = begun(one)
    fields, _ = begun(other)
    assert other.post("/sign-in/passkey", {**fields, "answer": device.sign(options)}).status == 401


def test_a_challenge_that_nobody_gave_is_refused(here: Office) -> None:
    device = with_passkey(here)
    browser = at_its_name(here, here.browser())
    fields, options = begun(browser)
    options["challenge"] = encoded(b"of the attacker's own choice....")
    assert browser.post("/sign-in/passkey", {**fields, "answer": device.sign(options)}).status == 401


LIES: dict[str, Callable[[Authenticator], object]] = {
    "another origin": lambda device: setattr(device, "origin", "https://evil.test"),
    "another port": lambda device: setattr(device, "origin", "http://localhost:1"),
    "another name of the page": lambda device: setattr(device, "host", "evil.test"),
    "a user who was not recognised": lambda device: setattr(device, "flags", PRESENT),
    "nobody was there": lambda device: setattr(device, "flags", 0),
    "a count that went back": lambda device: setattr(device, "counts_by", -1),
    "a count that stood still": lambda device: setattr(device, "counts_by", 0),
    "another user": lambda device: setattr(device, "handle", b"somebody else"),
    "no user": lambda device: setattr(device, "handle", b""),
    "another key": lambda device: setattr(device, "key", Authenticator("").key),
    "another passkey": lambda device: setattr(device, "credential", b"never made here.."),
}


@pytest.mark.parametrize("lie", LIES)
def test_nobody_is_let_in_by(here: Office, lie: str) -> None:
    device = with_passkey(here)
    assert sign_in(at_its_name(here, here.browser()), device).status == 303
    assert sign_in(at_its_name(here, here.browser()), device).status == 303
    LIES[lie](device)
    browser = at_its_name(here, here.browser())
    answer = sign_in(browser, device)
    assert answer.status == 401
    assert "That passkey signs nobody in here" in answer.text
    assert browser.cookies == {}
    assert here.site.store.audit(1)[0].outcome == "refused"


def test_an_authenticator_that_does_not_count_signs_in_each_time(here: Office) -> None:
    browser, device = at_its_name(here, here.signed_in()), Authenticator(origin_of(here), counts_by=0)
    assert make(browser, device).status == 303
    for _ in range(2):
        assert sign_in(at_its_name(here, here.browser()), device).status == 303


MADE_WRONG: dict[str, Callable[[Authenticator], object]] = {
    name: LIES[name]
    for name in ("another origin", "another port", "another name of the page", "a user who was not recognised")
}


@pytest.mark.parametrize("lie", MADE_WRONG)
def test_no_passkey_is_kept_that_was_made_with(here: Office, lie: str) -> None:
    browser, device = at_its_name(here, here.signed_in()), Authenticator(origin_of(here))
    MADE_WRONG[lie](device)
    assert make(browser, device).status == 422
    assert passkeys_of(here.site.store, "ann") == []


GARBAGE = (
    "",
    "null",
    "[]",
    "{}",
    "\x00",
    "[" * 5000,
    json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}),
    json.dumps(
        {
            "id": "A",
            "rawId": "A",
            "type": "public-key",
            "response": dict.fromkeys(("clientDataJSON", "attestationObject", "authenticatorData", "signature"), "A"),
        }
    ),
)


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_an_answer_that_is_wrong(here: Office, garbage: str) -> None:
    browser = at_its_name(here, here.signed_in())
    form = browser.get("/passkeys").form("/passkeys")
    assert browser.send(form, name="laptop", answer=garbage).status == 422
    stranger = at_its_name(here, here.browser())
    fields, _ = begun(stranger)
    assert stranger.post("/sign-in/passkey", {**fields, "answer": garbage}).status == 401


def test_data_of_an_authenticator_that_is_cut_anywhere_is_refused(here: Office) -> None:
    device = with_passkey(here)
    browser = at_its_name(here, here.browser())
    here.site.limits.failed = lambda *_: None  # type: ignore[method-assign]  # as many tries as there are places
    here.site.limits.takes_request = lambda *_: True  # type: ignore[method-assign]
    fields, options = begun(browser)
    whole = json.loads(device.sign(options))
    for name, value in whole["response"].items():
        for length in range(0, len(value), 17):
            cut = {**whole, "response": {**whole["response"], name: value[:length]}}
            assert browser.post("/sign-in/passkey", {**fields, "answer": json.dumps(cut)}).status == 401


def test_the_answer_of_one_session_makes_no_passkey_in_another(here: Office) -> None:
    here.add("eve", Role.AUDITOR)
    ann, eve = at_its_name(here, here.signed_in("ann")), at_its_name(here, here.signed_in("eve"))
    device = Authenticator(origin_of(here))
    options = options_of(
        eve.post("/passkeys/begin", {**eve.get("/passkeys").form("/passkeys").fields, "name": "laptop"})
    )
    answer = ann.send(ann.get("/passkeys").form("/passkeys"), name="laptop", answer=device.make(options))
    assert answer.status == 422
    assert passkeys_of(here.site.store, "ann") == []


def test_half_an_hour_later_the_own_password_is_wanted_for_it(here: Office) -> None:
    browser = at_its_name(here, here.signed_in())
    form = browser.get("/passkeys").form("/passkeys")
    here.half_an_hour_later()
    refused = browser.post("/passkeys/begin", {**form.fields, "name": "laptop"})
    assert refused.status == 422
    assert "Give your own password too" in json.loads(refused.text)["problem"]
    device = Authenticator(origin_of(here))
    options = options_of(browser.post("/passkeys/begin", {**form.fields, "name": "laptop", "own": PASSWORD}))
    assert browser.send(form, name="laptop", answer=device.make(options)).status == 303
    [passkey] = passkeys_of(here.site.store, "ann")
    remove = browser.get("/passkeys").form(f"/passkeys/{passkey.number}/remove")
    here.half_an_hour_later()
    assert browser.send(remove).status == 422
    assert browser.send(remove, own=PASSWORD).location == "/passkeys?said=passkey-removed"
    assert sign_in(at_its_name(here, here.browser()), device).status == 401


def test_it_is_renamed_and_nobody_elses_is(here: Office) -> None:
    with_passkey(here)
    [passkey] = passkeys_of(here.site.store, "ann")
    ann, eve = at_its_name(here, here.signed_in("ann")), here.signed_in("eve", Role.AUDITOR)
    form = ann.get("/passkeys").form(f"/passkeys/{passkey.number}/name")
    assert ann.send(form, name="").status == 422
    assert ann.send(form, name="old laptop").location == "/passkeys?said=passkey-renamed"
    own = eve.get("/passkeys").form("/sign-out").fields
    assert eve.post(f"/passkeys/{passkey.number}/name", {**own, "name": "mine"}).status == 404
    assert eve.post(f"/passkeys/{passkey.number}/remove", own).status == 404
    assert [one.name for one in passkeys_of(here.site.store, "ann")] == ["old laptop"]


def test_one_user_has_a_bounded_number_of_them(here: Office) -> None:
    with_passkey(here)
    [first] = passkeys_of(here.site.store, "ann")
    for number in range(MOST_PASSKEYS - 1):
        assert keep_passkey(here.site.store, replace(first, credential=b"%d" % number))
    assert not keep_passkey(here.site.store, replace(first, credential=b"one more"))
    browser = at_its_name(here, here.signed_in())
    form = browser.get("/passkeys").form("/passkeys")
    assert browser.post("/passkeys/begin", {**form.fields, "name": "laptop"}).status == 422


def test_one_passkey_belongs_to_one_user(here: Office) -> None:
    with_passkey(here)
    [passkey] = passkeys_of(here.site.store, "ann")
    with_passkey(here, "eve")
    stolen: Passkey = replace(passkey, user="eve")
    assert not keep_passkey(here.site.store, stolen)


def test_guessing_is_stopped_for_the_address_that_guesses(here: Office) -> None:
    device, stranger = with_passkey(here), Authenticator(origin_of(here), handle=b"nobody")
    for _ in range(MOST_NAME_FAILURES):
        assert sign_in(at_its_name(here, here.browser()), stranger).status == 401
    assert sign_in(at_its_name(here, here.browser()), device).status == 429


def test_a_password_that_was_given_for_once_too_long_ago_is_no_back_door(here: Office) -> None:
    device = with_passkey(here)
    here.site.store.change_password("ann", hashed(PASSWORD), once_until=time.time() - 1)
    assert sign_in(at_its_name(here, here.browser()), device).status == 403


def test_an_administrator_takes_the_passkeys_of_a_user_who_lost_the_device(here: Office) -> None:
    device = with_passkey(here, "bob")
    browser = here.signed_in("ann")
    form = browser.get("/users/edit?name=bob").form("/users/one-time-password")
    assert browser.send(form, passkeys="off").status == 303
    assert passkeys_of(here.site.store, "bob") == []
    assert sign_in(at_its_name(here, here.browser()), device).status == 401
    assert [entry.action for entry in here.site.store.audit(3)][1:] == ["password for once", "passkeys taken away"]


def test_they_go_with_their_user(here: Office) -> None:
    device = with_passkey(here)
    assert here.site.store.remove("ann")
    here.add("ann")
    assert passkeys_of(here.site.store, "ann") == []
    assert sign_in(at_its_name(here, here.browser()), device).status == 401


def test_dropping_them_ends_what_authenticators_know_the_user_by(here: Office) -> None:
    device = with_passkey(here)
    assert drop_passkeys(here.site.store, "ann") == 1
    assert drop_passkeys(here.site.store, "ann") == 0
    assert with_passkey(here).handle != device.handle


def test_at_an_address_none_is_offered_and_the_page_says_why(here: Office) -> None:
    browser = here.signed_in()
    assert "You have opened this page by an address, 127.0.0.1." in browser.get("/passkeys").text
    stranger = here.browser()
    page = stranger.get("/sign-in")
    assert "passkey" not in page.text
    assert stranger.post("/sign-in/passkey/begin", page.form("/sign-in").fields).status == 404
    assert stranger.post("/sign-in/passkey", page.form("/sign-in").fields).status == 404


def test_without_the_extra_none_is_offered_and_the_page_says_how(here: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    with_passkey(here)
    monkeypatch.setitem(sys.modules, "webauthn", None)
    browser = at_its_name(here, here.signed_in())
    page = browser.get("/passkeys")
    assert "pip install 'mailferry[passkeys]'" in page.text.replace("&#39;", "'")
    [passkey] = passkeys_of(here.site.store, "ann")
    assert browser.post("/passkeys/begin", {**page.form("/sign-out").fields, "name": "laptop"}).status == 404
    assert browser.send(page.form(f"/passkeys/{passkey.number}/remove")).status == 303, "the own one can be removed"
    assert "passkey" not in at_its_name(here, here.browser()).get("/sign-in").text


def again(browser: Browser, device: Authenticator) -> Page:
    """Show again who one is, on the way from a dangerous form."""
    form = browser.get("/again?next=%2Ftokens").form("/again/passkey")
    options = options_of(browser.post("/again/passkey/begin", form.fields))
    return browser.send(form, answer=device.sign(options))


def test_a_passkey_stands_for_the_own_password_where_that_is_wanted_again(here: Office) -> None:
    device = with_passkey(here)
    browser = at_its_name(here, here.signed_in())
    here.half_an_hour_later()
    assert 'href="/again?next=%2Ftokens"' in browser.get("/tokens").text
    assert again(browser, device).location == "/tokens"
    assert "own" not in browser.get("/tokens").form("/tokens").fields


def test_where_a_form_was_refused_the_way_leads_back_to_its_page(here: Office) -> None:
    with_passkey(here)
    browser = at_its_name(here, here.signed_in())
    form = browser.get("/tokens").form("/tokens")
    here.half_an_hour_later()
    for referer, leads_to in (
        (f"{origin_of(here)}/tokens?a=b", "%2Ftokens%3Fa%3Db"),
        ("https://evil.test//evil.test/", "%2F"),
    ):
        page = browser.post(form.action, {**form.fields, "name": "script", "scope": "read"}, {"Referer": referer})
        assert page.status == 422
        assert f'href="/again?next={leads_to}"' in page.text


def test_anothers_passkey_does_not_and_guessing_is_stopped(here: Office) -> None:
    here.add("eve", Role.AUDITOR)
    with_passkey(here)
    others = with_passkey(here, "eve")
    browser = at_its_name(here, here.signed_in())
    here.half_an_hour_later()
    for _ in range(MOST_NAME_FAILURES):
        assert again(browser, others).status == 422
        assert (here.site.store.audit(1)[0].user, here.site.store.audit(1)[0].outcome) == ("ann", "refused")
    assert again(browser, others).status == 429
    assert "own" in browser.get("/tokens").form("/tokens").fields
