"""What the page says of the passwords that are kept: never one of them; a recovery key once, to who made it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.web.people import Role
from migrator.config.vault import vault_of
from tests.unit.jobs.web.office import PASSWORD, Office, office

SECRET = "the password of alice"
KEY = re.compile(r"\b(?:[A-Z2-7]{4}-){12}[A-Z2-7]{4}\b")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def test_it_says_who_has_set_which_password_and_none_of_them(here: Office) -> None:
    browser = here.signed_in()
    assert "No password was typed into this page so far." in browser.get("/vault").text
    vault_of(here.config).keep("alice/source-1", SECRET, here.site.clock(), "anna")
    page = browser.get("/vault")
    assert "alice/source-1" in page.text
    assert "by anna" in page.text
    assert SECRET not in page.text
    assert "since nobody has named another place" in page.text


def test_a_recovery_key_is_shown_once_and_opens_the_vault(here: Office) -> None:
    vault = vault_of(here.config)
    vault.keep("alice/source-1", SECRET, here.site.clock(), "anna")
    browser = here.signed_in()
    here.half_an_hour_later()
    form = browser.get("/vault").form("/vault/recovery-key")
    assert browser.send(form, own="wrong").status == 422
    answer = browser.send(form, own=PASSWORD)
    assert (answer.status, answer.location) == (303, "/vault?said=recovery-made")
    shown = browser.follow(answer)
    [key] = KEY.findall(shown.text)
    assert KEY.findall(browser.get("/vault").text) == []
    assert key not in "".join(map(str, here.site.store.audit(100)))
    vault.keys.fallbacks()[0].unlink()
    lost = browser.get("/vault")
    assert lost.status == 200
    assert "The key of the vault is not there" in lost.text.replace("the key of", "The key of")
    vault.recover(key)
    assert vault.reveal("alice/source-1") == SECRET


def test_an_auditor_looks_and_makes_none_and_a_reader_does_not_look(here: Office) -> None:
    auditor = here.signed_in("otto", Role.AUDITOR)
    page = auditor.get("/vault")
    assert page.status == 200
    assert "/vault/recovery-key" not in page.text
    token = page.form("/sign-out").fields["csrf"]
    assert auditor.post("/vault/recovery-key", {"csrf": token}).status == 403
    assert here.signed_in("rita", Role.READER, "alice").get("/vault").status == 403
