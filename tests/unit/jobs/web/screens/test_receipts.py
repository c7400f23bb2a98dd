from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from jobs.web.people import Role
from jobs.web.screens.receipts import PAGE
from migrator.ledger import Ledger
from migrator.ledger.receipts import DayOfDeletions, Filter
from tests.unit.jobs.web.office import Office, office
from tests.unit.ledger.test_receipts import delete

SOME = PAGE + 7


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    ledger = Ledger.open(folder / "state")
    delete(ledger, SOME, "alice")
    delete(ledger, 2, "bob", by_quit=False)
    ledger.close()
    with office(folder) as one:
        yield one


def numbers_in(text: str) -> list[int]:
    return [int(number) for number in re.findall(r'href="/receipts/(\d+)"', text)]


def test_every_receipt_is_on_one_page_once(here: Office) -> None:
    browser = here.signed_in()
    first = browser.get("/receipts?account=alice")
    seen = numbers_in(first.text)
    assert len(seen) == PAGE
    older = re.search(r'href="(/receipts\?account=alice&amp;before=\d+)"', first.text)
    assert older is not None
    second = browser.get(older[1].replace("&amp;", "&"))
    seen += numbers_in(second.text)
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == SOME
    assert "before=" not in second.text


def test_one_receipt_has_a_page_of_its_own(here: Office) -> None:
    with here.ledger.lent() as ledger:
        newest = ledger.receipts.newest(Filter(("alice",)), 1)[0]
    page = here.signed_in().get(f"/receipts/{newest.number}")
    assert page.status == 200
    for said in (
        f"Receipt {newest.number}",
        newest.digest.hex(),
        "alice, pop.example.org",
        "“bye”",
        "maildir /srv/mail",
    ):
        assert said in page.text
    bobs = ledger_number(here, "bob")
    assert "the server's next list, in which it was missing" in here.signed_in().get(f"/receipts/{bobs}").text


def ledger_number(here: Office, account: str) -> int:
    with here.ledger.lent() as ledger:
        return ledger.receipts.newest(Filter((account,)), 1)[0].number


def test_a_receipt_of_a_foreign_mailbox_is_not_there(here: Office) -> None:
    reader = here.signed_in("rita", Role.READER, "alice")
    assert reader.get(f"/receipts/{ledger_number(here, 'alice')}").status == 200
    assert reader.get(f"/receipts/{ledger_number(here, 'bob')}").status == 404


@pytest.mark.parametrize("number", ["0", "99999", "9" * 30])
def test_what_was_never_written_is_not_there(here: Office, number: str) -> None:
    assert here.signed_in().get(f"/receipts/{number}").status == 404


def test_one_message_is_found_by_its_digest(here: Office) -> None:
    with here.ledger.lent() as ledger:
        one = ledger.receipts.newest(Filter(("alice",)), 1)[0]
    browser = here.signed_in()
    assert numbers_in(browser.get(f"/receipts?digest={one.digest.hex()[:12]}").text) == [one.number]
    found = json.loads(browser.get(f"/receipts.json?digest={one.digest.hex()}").body)["receipts"]
    assert [receipt["digest"] for receipt in found] == [one.digest.hex()]


def test_the_tables_have_all_pages(here: Office) -> None:
    browser = here.signed_in()
    assert len(json.loads(browser.get("/receipts.json?account=alice").body)["receipts"]) == SOME
    assert len(browser.get("/receipts.csv?account=alice").text.splitlines()) == SOME + 1


def test_days_add_up(here: Office) -> None:
    with here.ledger.lent() as ledger:
        [day] = ledger.receipts.by_day("alice")
        deletions = list(ledger.receipts.deletions(Filter(("alice",))))
        assert ledger.receipts.by_day("nobody") == []
    assert day == DayOfDeletions(day.day, SOME, sum(one.octets for one in deletions))
    browser = here.signed_in()
    assert len(numbers_in(browser.get(f"/receipts?from={day.day}&to={day.day}").text)) == PAGE
    assert numbers_in(browser.get("/receipts?from=2001-01-01").text) == []
