from __future__ import annotations

import pytest

from migrator.ledger import Ledger
from migrator.operations.search import parse_query, search, search_page
from migrator.operations.visible import EVERYTHING, Visible
from tests.mail import mail
from tests.unit.archive.office import Office

OWN = Visible(frozenset({"alice"}))


@pytest.fixture
def two_owners(office: Office) -> Office:
    office.copy([mail("secret of bob", "bread", Message_ID="<bob@example.org>")], "bob")
    return office


@pytest.mark.parametrize(
    "written",
    [
        "*",
        "bread",
        "account:bob",
        "account:alice or account:bob",
        "* or account:bob",
        "not account:alice",
        "-bread or bread",
        "id:<bob@example.org>",
        "(secret) or (not secret)",
        'subject:"secret of bob"',
    ],
)
def test_no_query_finds_what_belongs_to_others(written: str, two_owners: Office, ledger: Ledger) -> None:
    found = search_page(parse_query(written), two_owners.config, ledger, visible=OWN)
    assert all("alice" in hit.accounts for hit in found.hits)
    assert all("secret" not in hit.subject for hit in found.hits)
    assert found.total == len(found.hits)


def test_what_may_be_seen_is_found_as_without_a_limit(two_owners: Office, ledger: Ledger) -> None:
    config = two_owners.config
    assert search_page(parse_query("bread"), config, ledger, visible=OWN).total == 2
    assert search_page(parse_query("bread"), config, ledger, visible=EVERYTHING).total == 3
    assert search(parse_query("bread"), config, ledger).total == 3


def test_who_may_see_nothing_finds_nothing(two_owners: Office, ledger: Ledger) -> None:
    assert search_page(parse_query("*"), two_owners.config, ledger, visible=Visible(frozenset())).total == 0


def test_no_other_owner_is_named(two_owners: Office, ledger: Ledger) -> None:
    office = two_owners
    office.copy([mail("of both", "x")], "alice")
    office.copy([mail("of both", "x")], "bob")
    [hit] = search_page(parse_query("subject:both"), office.config, ledger, visible=OWN).hits
    assert hit.accounts == ("alice",)
    [hit] = search_page(parse_query("subject:both"), office.config, ledger).hits
    assert hit.accounts == ("alice", "bob")


def test_what_belongs_to_nobody_is_seen_by_those_who_see_everything() -> None:
    assert EVERYTHING.includes([])
    assert not OWN.includes([])
    assert OWN.named(["bob", "alice"]) == ("alice",)
