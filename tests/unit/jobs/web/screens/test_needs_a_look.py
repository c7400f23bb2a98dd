from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.web.people import Role
from jobs.web.screens.needs_a_look import GROUPS, PAGE, SHOWN
from migrator.errors import Kind
from migrator.operations.quarantine import Every, review_quarantine
from migrator.report import Problem
from tests.unit.jobs.web.mail import set_aside
from tests.unit.jobs.web.office import Office, office


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


def test_who_decided_and_when_is_kept_and_shown(here: Office) -> None:
    rows = set_aside(here.ledger, "alice", 3)
    browser = here.signed_in()
    form = browser.get("/needs-a-look").form("/needs-a-look")
    assert browser.send(form, row=[str(rows[0]), str(rows[1])], decision="accept").status == 303
    page = browser.get("/needs-a-look").text
    assert "ann: 2 messages of alice are fine as they are" in page
    assert "ann said on " in page
    assert browser.send(form, row=str(rows[2]), decision="retry").status == 303
    assert "ann: one message of alice is tried again" in browser.get("/needs-a-look").text
    assert "fine as it is, said ann on " in browser.get(f"/needs-a-look/alice/{rows[0]}").text


def test_what_was_accepted_at_the_command_line_was_nobody_of_the_page(here: Office) -> None:
    set_aside(here.ledger, "alice", 1)
    review_quarantine(here.config.accounts, here.config.state_dir, here.ledger, accept=Every(), now=5.0)
    page = here.signed_in().get("/needs-a-look").text
    assert "at the command line" in page
    assert "What was decided" not in page


def test_a_reader_hears_of_no_decision_about_a_foreign_mailbox(here: Office) -> None:
    set_aside(here.ledger, "bob", 1)
    browser = here.signed_in()
    form = browser.get("/needs-a-look").form("/needs-a-look")
    browser.send(form, decision="accept")
    reader = here.signed_in("rita", Role.READER, "alice")
    assert "bob" not in reader.get("/needs-a-look").text
    row = here.ledger.history.set_aside(["bob"])[0].row
    assert reader.get(f"/needs-a-look/bob/{row}").status == 404
    assert reader.get(f"/needs-a-look/alice/{row}").status == 404
    assert reader.get("/needs-a-look?account=bob").status == 404


def test_a_long_group_is_paged_where_it_stands_alone(here: Office) -> None:
    set_aside(here.ledger, "alice", PAGE + 5)
    browser = here.signed_in()
    page = browser.get("/needs-a-look")
    assert page.text.count('name="row"') == SHOWN
    assert 'href="/needs-a-look?account=alice&amp;kind=refused"' in page.text
    first = browser.get("/needs-a-look?account=alice&kind=refused")
    assert first.text.count('name="row"') == PAGE
    assert "Page 1 of 2" in first.text
    last = browser.get("/needs-a-look?account=alice&kind=refused&page=2")
    assert last.text.count('name="row"') == 5
    assert "Page 2 of 2" in last.text
    assert browser.get("/needs-a-look?account=alice&kind=refused&page=99").text.count('name="row"') == 5


def test_many_groups_are_paged(here: Office) -> None:
    rows = set_aside(here.ledger, "alice", GROUPS + 1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    here.ledger.history.failed(
        [(row, Problem(Kind.REFUSED, f"for reason {letter}")) for row, letter in zip(rows, letters, strict=False)], 3.0
    )
    browser = here.signed_in()
    assert browser.get("/needs-a-look").text.count("<section") == GROUPS
    assert browser.get("/needs-a-look?page=2").text.count("<section") == 1


@pytest.mark.parametrize("path", ["/needs-a-look?kind=nonsense", "/needs-a-look?page=x"])
def test_an_address_that_makes_no_sense_is_refused(here: Office, path: str) -> None:
    assert here.signed_in().get(path).status == 400


def test_one_kind_can_be_chosen_by_the_address(here: Office) -> None:
    rows = set_aside(here.ledger, "alice", 3)
    here.ledger.history.failed([(rows[0], Problem(Kind.MISMATCH, "the copy differs"))], 3.0)
    browser = here.signed_in()
    assert browser.get("/needs-a-look?kind=mismatch").text.count('name="row"') == 1
    assert browser.get("/needs-a-look?kind=refused&account=alice").text.count('name="row"') == 2
    assert browser.get("/needs-a-look?kind=gone").text.count('name="row"') == 0
