from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.web.people import Role
from tests.mail import mail
from tests.unit.jobs.web.mail import PNG, letter, stored
from tests.unit.jobs.web.office import Office, office

HTML = (
    '<p style="color:red">laid out</p><script>pwned(1)</script><img src="https://evil.test/p.png" onerror="pwned(1)">'
    '<a href="https://evil.test/">www.bank.example</a><meta http-equiv="refresh" content="0;url=https://evil.test/">'
)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as one:
        yield one


@pytest.fixture
def identity(here: Office, tmp_path: Path) -> str:
    return stored(tmp_path, "alice", letter("a letter", HTML))[0]


def test_a_message_is_shown_as_text_with_all_that_is_known_of_it(here: Office, identity: str) -> None:
    page = here.signed_in().get(f"/messages/{identity[:20]}")
    assert page.status == 200
    for said in (
        "a letter",
        "Ann &lt;ann@example.org&gt;",
        "as text, and enough",
        "2024-01-15",
        "proven equal",
        identity,
    ):
        assert said in page.text
    assert "logo.png" in page.text
    assert "1 picture was not loaded" in page.text
    assert "evil.test" in page.text
    assert re.findall("<script[^>]*>", page.text) == re.findall('<script src="/live.js[^>]*>', page.text)
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox" referrerpolicy="no-referrer"' in page.text


def test_the_layout_neither_acts_nor_loads_and_says_so_to_the_browser(here: Office, identity: str) -> None:
    page = here.signed_in().get(f"/messages/{identity}/layout")
    assert page.status == 200
    assert '<p style="color:red">laid out</p>' in page.text
    assert not re.search(r"<script|onerror|<meta http|src=", page.text)
    assert "[evil.test]" in page.text
    policy = page.headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    )
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "private, no-store"
    assert page.headers["cross-origin-resource-policy"] == "same-origin"
    assert page.headers["x-frame-options"] == "SAMEORIGIN"


def test_remote_pictures_are_loaded_only_where_a_person_asks_for_them(here: Office, identity: str) -> None:
    browser = here.signed_in()
    page = browser.get(f"/messages/{identity}?pictures=remote")
    assert f"/messages/{identity}/layout?pictures=remote" in page.text
    layout = browser.get(f"/messages/{identity}/layout?pictures=remote")
    assert 'src="https://evil.test/p.png"' in layout.text
    assert "img-src data: https:;" in layout.headers["content-security-policy"]
    assert layout.headers["referrer-policy"] == "no-referrer"
    assert "evil.test/p.png" not in browser.get(f"/messages/{identity}/layout").text


def test_the_bytes_are_those_of_the_digest_and_are_saved(here: Office, tmp_path: Path) -> None:
    content = letter()
    [identity] = stored(tmp_path, "alice", content)
    page = here.signed_in().get(f"/messages/{identity}/raw")
    assert (page.status, page.body) == (200, content)
    assert page.headers["content-length"] == str(len(content))
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"].startswith("attachment; ")
    assert page.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_an_attachment_is_saved_whatever_it_claims_to_be(here: Office, identity: str) -> None:
    page = here.signed_in().get(f"/messages/{identity}/attachments/1")
    assert (page.status, page.body) == (200, b"<script>pwned(1)</script>")
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert page.headers["x-content-type-options"] == "nosniff"
    disposition = page.headers["content-disposition"]
    assert re.fullmatch(r"attachment; filename=\"[\w .()-]+\"; filename\*=UTF-8''[\w%.~-]+", disposition)
    assert "/" not in disposition
    assert "%E2%80%AE" not in disposition
    assert here.signed_in().get(f"/messages/{identity}/attachments/2").body == PNG


@pytest.mark.parametrize("rest", ["", "/layout", "/raw", "/attachments/1"])
def test_a_foreign_message_is_for_a_reader_not_there(rest: str, here: Office, tmp_path: Path) -> None:
    [foreign] = stored(tmp_path, "bob", letter("secret of bob", HTML))
    reader = here.signed_in("rita", Role.READER, "alice")
    answer = reader.get(f"/messages/{foreign}{rest}")
    nothing = reader.get(f"/messages/{'0' * 64}{rest}")
    assert answer.status == nothing.status == 404
    assert answer.text == nothing.text
    assert here.signed_in().get(f"/messages/{foreign}{rest}").status == 200
    assert here.signed_in("otto", Role.AUDITOR).get(f"/messages/{foreign}{rest}").status == 200


@pytest.mark.parametrize("rest", ["", "/layout", "/raw", "/attachments/1"])
def test_a_stranger_sees_no_message(rest: str, here: Office, identity: str) -> None:
    here.add("ann")
    answer = here.browser().get(f"/messages/{identity}{rest}")
    assert (answer.status, answer.location.partition("?")[0]) == (303, "/sign-in")


@pytest.mark.parametrize(
    "path",
    [
        "/messages/",
        "/messages/..%2f..%2fetc%2fpasswd",
        "/messages/%00",
        "/messages/zzzzzzzzzz",
        "/messages/1234567",
        "/messages/{id}/attachments/0",
        "/messages/{id}/attachments/99",
        "/messages/{id}/attachments/-1",
        "/messages/{id}/attachments/1/",
        "/messages/{id}/../raw",
        "/messages/{id}/secrets",
    ],
)
def test_odd_paths_lead_nowhere(path: str, here: Office, identity: str) -> None:
    assert here.signed_in().get(path.replace("{id}", identity)).status == 404


def test_every_opening_stands_in_the_audit(here: Office, identity: str) -> None:
    browser = here.signed_in("otto", Role.AUDITOR)
    browser.get(f"/messages/{identity}")
    browser.get(f"/messages/{identity}/raw")
    browser.get(f"/messages/{identity}/attachments/1")
    noted = [(entry.user, entry.action, entry.subject) for entry in reversed(here.site.store.audit(10))]
    assert [entry for entry in noted if entry[1] != "sign-in"] == [
        ("otto", "read-message", identity),
        ("otto", "save-message", identity),
        ("otto", "save-attachment", f"{identity} 1"),
    ]


def test_a_message_without_html_has_no_frame(here: Office, tmp_path: Path) -> None:
    [identity] = stored(tmp_path, "alice", mail("plain", "only text"))
    page = here.signed_in().get(f"/messages/{identity}")
    assert ("<iframe" in page.text, "only text" in page.text) == (False, True)


def test_html_that_cannot_be_cleaned_leaves_the_text(here: Office, tmp_path: Path) -> None:
    [identity] = stored(tmp_path, "alice", letter("deep", "<div>" * 5_000 + "x"))
    browser = here.signed_in()
    page = browser.get(f"/messages/{identity}")
    assert "as text, and enough of it" in page.text
    assert "cannot be shown safely" in page.text
    assert "<iframe" not in page.text
    answer = browser.get(f"/messages/{identity}/layout")
    assert (answer.status, "nested too deeply" in answer.text) == (422, True)


def test_what_mail_says_of_itself_is_text_on_the_page(here: Office, tmp_path: Path) -> None:
    [identity] = stored(
        tmp_path, "alice", mail("<img src=x onerror=pwned(1)>\u202e", "</pre><script>pwned(1)</script>")
    )
    page = here.signed_in().get(f"/messages/{identity}")
    assert "&lt;/pre&gt;&lt;script&gt;" in page.text
    assert "<img" not in page.text
    assert "\u202e" not in page.text


def test_two_people_read_at_one_time(here: Office, identity: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    browser = here.signed_in()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: browser.get(f"/messages/{identity}").status, range(16)))
    assert answers == [200] * 16
