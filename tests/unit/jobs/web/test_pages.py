"""What holds of every page: one heading, a language, a label for each field, nothing inline, no word left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from jobs.web.app import SCREENS
from migrator.ledger import Ledger
from tests.browser import Browser
from tests.unit.jobs.web.mail import set_aside
from tests.unit.jobs.web.office import office
from tests.unit.ledger.test_receipts import delete

PAGES = [path.replace("{name}", "alice") for method, path, _, _ in SCREENS if method == "GET" and "{id}" not in path]
PAGES = [path for path in PAGES if "." not in path and path not in {"/setup", "/sign-in"}]
FIELDS = {"input", "select", "textarea"}


@dataclass
class Outline(HTMLParser):
    """What a page is made of."""

    tags: Counter[str] = field(default_factory=Counter)
    ids: Counter[str] = field(default_factory=Counter)
    labels: set[str] = field(default_factory=set)
    unnamed: list[str] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    depth: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        self.depth += tag == "label"
        if "id" in said:
            self.ids[said["id"]] += 1
        if tag == "label" and "for" in said:
            self.labels.add(said["for"])
        is_named = "aria-label" in said or self.depth > 0 or said.get("type") == "hidden" or said.get("id")
        if tag in FIELDS and not is_named:
            self.unnamed.append(said.get("name", ""))
        self.inline += [name for name in said if name.startswith("on") or name == "style"]
        self.links += [said[name] for name in ("href", "src", "action") if name in said]

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "label"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("office")
    ledger = Ledger.open(folder / "state")
    delete(ledger, 60, "alice")
    set_aside(ledger, "bob", 30)
    ledger.close()
    with office(folder) as one:
        yield one.signed_in()


@pytest.mark.parametrize("path", [*PAGES, "/nowhere", "/receipts?account=alice&from=1970-01-01"])
def test_every_page_is_whole(browser: Browser, path: str) -> None:
    text = browser.get(path).text
    outline = Outline()
    outline.feed(text)
    assert outline.tags["h1"] == outline.tags["main"] == 1
    assert text.partition("</head>")[0].count("<title>") == 1  # a picture of the page's own may have one, too
    assert '<html lang="en" dir="ltr">' in text
    assert [name for name, count in outline.ids.items() if count > 1] == []
    assert outline.unnamed == outline.inline == []
    assert outline.labels <= set(outline.ids)
    assert outline.tags["style"] == 0
    assert re.sub(r'<script src="/[^"]+" defer></script>', "", text).count("<script") == 0
    within = {link.removeprefix("#") for link in outline.links if link.startswith("#")}
    assert within <= set(outline.ids)
    assert all(link.startswith(("/", "#", "otpauth:")) or link in {"data:,", ""} for link in outline.links), (
        outline.links
    )
    assert "None" not in text
    assert "%(" not in text


def test_every_link_of_the_first_page_leads_somewhere(browser: Browser) -> None:
    outline = Outline()
    outline.feed(browser.get("/").text)
    known = [path for method, path, _, _ in SCREENS if method == "GET"]
    # The room of the other pages: search is there once its screen is.
    missing = {link for link in outline.links if link.startswith("/") and browser.get(link).status == 404}
    assert missing <= {"/search", "/sign-out"} - set(known)


def test_receipts_are_paged_and_no_deletion_is_shown_twice(browser: Browser) -> None:
    first = browser.get("/receipts")
    outline = Outline()
    outline.feed(first.text)
    [older] = [link for link in outline.links if "before=" in link]
    second = browser.get(older)
    assert (first.text.count("<tr>"), second.text.count("<tr>")) == (51, 11)
