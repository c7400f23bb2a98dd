from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.web import words
from jobs.web.language import ENGLISH, Language, current_language, gettext, gettext_lazy, ngettext, speaking, wanted
from jobs.web.languages import read_language, shipped_languages
from migrator.errors import FerryError, Kind
from tests.unit.jobs.web.office import Office, office

TESTISH = read_language(
    "ar",
    """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n==2 ? 1 : 2);\\n"

msgctxt "the name of this language, in this language"
msgid "English"
msgstr "Testish"

msgctxt "direction of writing: ltr or rtl"
msgid "ltr"
msgstr "rtl"

msgid "Overview"
msgstr "Weivrevo"

#, fuzzy
msgid "Search"
msgstr "A guess"

msgid "There is nothing at this address, or it is not yours to see."
msgstr "Gnihton."

msgid "%(number)d of them"
msgid_plural "%(number)d of those"
msgstr[0] "one"
msgstr[1] "two"
msgstr[2] "%(number)d"
""",
)
THREE = [ENGLISH, Language("de"), TESTISH]
LAZY = gettext_lazy("Overview")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path, languages=THREE) as one:
        yield one


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-at;q=0.5", "de"),
        ("fr, de;q=0.1", "de"),
        ("en, de;q=0.9", "en"),
        ("de;q=0.8, en;q=0.9", "en"),
        ("de;q=0", "en"),
        ("*", "en"),
        ("fr;q=1, *;q=0.1", "en"),
        ("ar , de", "ar"),
        ("dede, de-", "de"),
        ("de;q=x", "en"),
        ("de;level=1", "de"),
        (";;,,;q=;=,", "en"),
        ("fr," * 60 + "de", "en"),
    ],
)
def test_the_language_is_the_one_that_is_wanted_most(header: str, tag: str) -> None:
    assert wanted(header, THREE).tag == tag


def test_a_marked_sentence_is_translated_whenever_it_is_shown_and_english_to_programs() -> None:
    with speaking(TESTISH):
        assert (str(LAZY), f"{LAZY}", f"{LAZY:>9}") == ("Weivrevo", "Weivrevo", " Weivrevo")
        assert gettext_lazy("%(a)s") % {"a": LAZY} == "Weivrevo"
        assert json.dumps(LAZY) == '"Overview"'
    assert str(LAZY) == LAZY == "Overview"


def test_a_guess_of_a_translator_is_not_shown() -> None:
    with speaking(TESTISH):
        assert gettext("Search") == "Search"


@pytest.mark.parametrize(("count", "form"), [(0, "%(number)d"), (1, "one"), (2, "two"), (3, "%(number)d")])
def test_a_language_has_its_own_plural_forms(count: int, form: str) -> None:
    with speaking(TESTISH):
        assert ngettext("%(number)d of them", "%(number)d of those", count) == form


def test_nothing_has_no_translation() -> None:
    with speaking(TESTISH):
        assert gettext("") == ""  # gettext has the catalogue's header there


def test_no_thread_hears_the_language_of_another() -> None:
    heard: list[str] = []
    has_begun = threading.Barrier(2)

    def says(language: Language) -> None:
        with speaking(language):
            has_begun.wait()
            heard.append(f"{language.tag} {LAZY}")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(says, [TESTISH, ENGLISH]))
    assert sorted(heard) == ["ar Weivrevo", "en Overview"]
    assert current_language() is ENGLISH


def test_a_page_is_in_the_language_of_its_request(here: Office) -> None:
    browser = here.signed_in()
    page = browser.get("/", headers={"Accept-Language": "ar-EG, de"})
    assert '<html lang="ar" dir="rtl">' in page.text
    assert "<h1>Weivrevo</h1>" in page.text
    assert page.headers["content-language"] == "ar"
    assert "accept-language" in page.headers["vary"].lower()
    assert "<h1>Overview</h1>" in browser.get("/").text


def test_what_a_user_has_chosen_goes_before_the_browser_s_wish_and_stays(here: Office) -> None:
    browser = here.signed_in()
    chosen = browser.send(browser.get("/language").form("/language"), language="ar")
    assert '<html lang="ar" dir="rtl">' in browser.follow(chosen).text
    assert "<h1>Weivrevo</h1>" in browser.get("/", headers={"Accept-Language": "en"}).text
    assert "<h1>Weivrevo</h1>" in here.signed_in().get("/").text
    assert "<h1>Overview</h1>" in here.signed_in("bob").get("/").text
    browser.send(browser.get("/language").form("/language"), language="")
    assert "<h1>Overview</h1>" in browser.get("/", headers={"Accept-Language": "en"}).text


def test_a_language_that_is_not_there_cannot_be_chosen(here: Office) -> None:
    browser = here.signed_in()
    refused = browser.send(browser.get("/language").form("/language"), language="../../etc")
    assert refused.status == 422
    assert '<html lang="en"' in browser.get("/").text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/accounts/nobody", 404)])
def test_a_refusal_is_in_the_language_that_was_chosen(here: Office, method: str, path: str, status: int) -> None:
    browser = here.signed_in()
    browser.send(browser.get("/language").form("/language"), language="ar")
    page = browser.ask(method, path)
    assert (page.status, "Gnihton." in page.text) == (status, True)


def test_a_form_that_cannot_be_read_is_refused_in_the_language_of_its_request(here: Office) -> None:
    browser = here.signed_in()
    page = browser.post("/users", {}, headers={"Content-Type": "text/plain", "Accept-Language": "ar"})
    assert (page.status, 'lang="ar"' in page.text) == (415, True)


def test_programs_are_answered_in_english(here: Office) -> None:
    page = here.browser().get("/api/v1/nowhere", headers={"Accept-Language": "ar"})
    assert page.status == 404
    assert "Gnihton" not in page.text


def test_a_store_that_fails_is_said_in_the_language_of_the_request(here: Office) -> None:
    browser = here.signed_in()
    here.site.store.close()
    page = browser.get("/", headers={"Accept-Language": "ar"})
    assert (page.status, 'lang="ar"' in page.text) == (503, True)


def test_english_comes_first_and_german_with_the_program() -> None:
    assert [(one.tag, one.name, one.direction) for one in shipped_languages()] == [
        ("en", "English", "ltr"),
        ("de", "Deutsch", "ltr"),
    ]


def test_a_marked_sentence_of_words_is_a_refusal_s_text() -> None:
    assert isinstance(words.NOT_FOUND, str)
    assert str(FerryError(Kind.REFUSED, words.NOT_FOUND)).startswith("There is nothing")
