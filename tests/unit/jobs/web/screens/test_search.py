from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from jobs.web.people import Role
from jobs.web.screens.search import HITS
from tests.mail import mail
from tests.unit.jobs.web.mail import letter, stored
from tests.unit.jobs.web.office import Office, office


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        stored(tmp_path, "alice", letter("invoice of May"), mail("lunch"))
        stored(tmp_path, "bob", mail("secret of bob"))
        yield one


def test_a_search_shows_what_it_finds_with_the_way_to_each(here: Office) -> None:
    browser = here.signed_in()
    page = browser.get("/search?q=invoice")
    assert page.status == 200
    assert "1 message found." in page.text
    assert "invoice of May" in page.text
    address = page.text.partition('<a href="/messages/')[2].partition('"')[0]
    assert browser.get(f"/messages/{address}").status == 200


def test_without_a_query_it_says_how_to_ask(here: Office) -> None:
    page = here.signed_in().get("/search")
    assert (page.status, "How to ask" in page.text, "found." in page.text) == (200, True, False)


def test_strangers_are_sent_to_the_door(here: Office) -> None:
    here.add("ann")
    answer = here.browser().get("/search?q=invoice")
    assert (answer.status, answer.location) == (303, "/sign-in?next=%2Fsearch%3Fq%3Dinvoice")


@pytest.mark.parametrize("query", ["date:never", '"unclosed', "(", "from:"])
def test_a_query_that_means_nothing_is_explained_and_kept(query: str, here: Office) -> None:
    page = here.signed_in().get(f"/search?q={quote(query)}")
    assert (page.status, 'role="alert"' in page.text) == (422, True)
    assert page.form("/search").fields["q"] == query


def test_an_unknown_field_is_named_with_the_nearest(here: Office) -> None:
    assert "is not a field" in here.signed_in().get("/search?q=frm:bob").text


@pytest.mark.parametrize("query", ["*", "secret", "account:bob", "* or account:bob", "not account:alice"])
def test_a_reader_finds_nothing_of_other_mailboxes(query: str, here: Office) -> None:
    page = here.signed_in("rita", Role.READER, "alice").get(f"/search?q={quote(query)}")
    assert page.status == 200
    assert "secret of bob" not in page.text
    assert "secret of bob" in here.signed_in().get(f"/search?q={quote(query)}").text


def test_what_mail_says_of_itself_is_text_on_the_page(here: Office, tmp_path: Path) -> None:
    stored(tmp_path, "alice", mail("<script>pwned(1)</script>", sender='"><img src=x onerror=pwned(1)>'))
    page = here.signed_in().get("/search?q=" + quote("'><script>pwned(2)</script> or pwned"))
    assert "&lt;script&gt;pwned(1)" in page.text
    assert "<script>" not in page.text
    assert "<img" not in page.text


def test_many_hits_come_in_pages(here: Office, tmp_path: Path) -> None:
    stored(tmp_path, "alice", *(mail(f"number {number:03}") for number in range(HITS + 5)))
    browser = here.signed_in()
    first = browser.get("/search?q=subject:number")
    assert f"{HITS + 5} messages found." in first.text
    older = first.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = browser.get(older)
    shown = [text for page in (first, second) for text in page.text.split("<bdi>") if text.startswith("number ")]
    assert len(shown) == len({text[:10] for text in shown}) == HITS + 5
    assert 'rel="next"' not in second.text
    assert browser.get("/search?q=number&cursor=1;drop").status == 422


def test_what_cannot_be_read_of_other_mailboxes_is_no_readers_business(here: Office, tmp_path: Path) -> None:
    stored(tmp_path, "bob", mail("lost"))
    for path in (tmp_path / "archive" / "bob").iterdir():
        path.unlink()
    assert "cannot be searched yet" in here.signed_in().get("/search?q=*").text
    assert "cannot be searched yet" not in here.signed_in("rita", Role.READER, "alice").get("/search?q=*").text
