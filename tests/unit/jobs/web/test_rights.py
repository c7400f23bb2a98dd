"""What each role sees and does, asked of the page itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobs.web.app import SCREENS
from jobs.web.people import Right, Role
from migrator.ledger import Ledger
from tests.unit.jobs.web.mail import FIXED, filled, set_aside, stored
from tests.unit.jobs.web.office import Office, opened, written
from tests.unit.ledger.test_receipts import delete

ASIDE = 7
"""The number of the message that is set aside here."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    ledger = Ledger.open(folder / "state")
    delete(ledger, 3, "alice")
    delete(ledger, 2, "bob")
    ledger.close()
    path = written(folder, "alice", "bob")
    path.write_text(f'{path.read_text()}[web.oidc]\nissuer = "https://id.example.org"\nclient_id = "page"\n')
    with opened(path) as one:
        stored(folder, "alice", FIXED)
        assert set_aside(one.ledger, "alice", 1) == [ASIDE]
        yield one


OWN = {"/sign-out", "/receipts", "/search", "/password", "/language", "/second-factor", "/again", "/identity/begin"}
"""Forms that change nothing, or nothing but what is one's own."""
ADDRESSES = [
    (method, filled(path.replace("{row:int}", str(ASIDE))), needs) for method, path, _, needs in SCREENS if needs
]


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.READER])
def test_only_administrators_change_anything(here: Office, role: Role) -> None:
    browser = here.signed_in(f"the {role}", role, *(["alice"] if role is Role.READER else []))
    token = browser.get("/").form("/sign-out").fields["csrf"]
    for method, path, needs in ADDRESSES:
        if needs is Right.OPERATE:
            answer = browser.get(path) if method == "GET" else browser.post(path, {"csrf": token})
            assert answer.status == 403, path
    assert here.asked == []


def test_an_auditor_sees_everything(here: Office) -> None:
    browser = here.signed_in("the auditor", Role.AUDITOR)
    for method, path, needs in ADDRESSES:
        if method == "GET" and needs in {Right.LOOK, Right.AUDIT}:
            answer = browser.get(path)
            assert answer.status == 200, path
            assert not [form.action for form in answer.forms() if form.action not in OWN]


def test_a_reader_sees_the_named_accounts_and_no_word_of_others(here: Office) -> None:
    browser = here.signed_in("rita", Role.READER, "alice")
    assert browser.get("/accounts/alice").status == 200
    assert browser.get("/accounts/bob").status == browser.get("/accounts/nobody").status == 404
    for path in ("/", "/needs-a-look", "/receipts", "/receipts.json", "/receipts.csv", "/accounts/alice"):
        assert "bob" not in browser.get(path).text, path
    assert browser.get("/receipts?account=bob").status == 404
    assert browser.get("/receipts.json?account=bob").status == 404
    for path in ("/care", "/jobs", "/audit", "/audit.csv"):
        assert browser.get(path).status == 403


def test_a_reader_of_an_account_without_deletions_sees_none(here: Office) -> None:
    browser = here.signed_in("nora", Role.READER, "carla")
    assert browser.get("/receipts.json").text == '{"receipts": []}\n'
    assert "alice" not in browser.get("/receipts").text


def test_everything_of_one_account_for_somebody_who_sees_all(here: Office) -> None:
    browser = here.signed_in()
    assert browser.get("/receipts").text.count("<tr>") == 6
    assert browser.get("/receipts?account=bob").text.count("<tr>") == 3
    assert browser.get("/receipts?to=1969-12-01").text.count("<tr>") == 0
    assert browser.get("/receipts?from=yesterday").status == 422
    assert browser.get("/receipts?digest=xyz").status == 422
