"""No word that a person reads stands in a template, or in the code, where a translation cannot reach it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from gettext import NullTranslations  # noqa: TID251  # a language of its own
from html.parser import HTMLParser
from pathlib import Path

import pytest

from jobs.web.app import SCREENS
from jobs.web.language import ENGLISH, Language
from migrator.findings.catalogue import ENTRIES
from migrator.findings.model import Cure, Finding, Setting
from migrator.ledger import Ledger
from tests.browser import Browser
from tests.messages import WEB
from tests.unit.jobs.web.mail import FIXED, filled, letter, set_aside, stored
from tests.unit.jobs.web.office import Office, opened, written
from tests.unit.ledger.test_receipts import delete

TEMPLATES = sorted((WEB / "templates").rglob("*.html"))
SAID = {"aria-label", "title", "placeholder", "alt", "aria-description", "content"}
"""Attributes that are read to a person."""
NAMES = {"mailferry", "Message-ID"}
"""What is called the same in every language."""


@dataclass
class Words(HTMLParser):
    """What a person reads of a page: its text, and the attributes that are read to her. What is marked as English is not hers."""

    read: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self.tags.append(tag)
            is_foreign = tag != "html" and ("lang" in said or said.get("dir") == "auto")
            if self.silent or tag in SILENT or is_foreign:
                self.silent.append(tag)
        if tag == "meta":
            return
        self.read += [value for name, value in said.items() if name in SAID]
        if tag == "input" and said.get("type") in {"submit", "button", "reset"}:
            self.read.append(said.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        self.tags.pop()
        if self.silent:
            self.silent.pop()

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.read.append(data)


VOID = {"meta", "link", "input", "img", "br", "hr", "source", "wbr"}
SILENT = {"code", "pre", "bdi", "script", "style"}
"""What is shown as it is written: commands, paths, mail."""


EXAMPLE = re.compile(r"\S*\bexample\.(org|com)\S*")
"""A name to show how one is written."""


def words(html: str) -> list[str]:
    reader = Words()
    reader.feed(html)
    return reader.read


LETTERS = re.compile(r"[^\W\d_]{2,}")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.name))
def test_no_template_says_a_word_that_is_not_translated(path: Path) -> None:
    source = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.S)
    source = re.sub(
        r' (?:[\w-]+="[^"]*"|hidden|checked|selected|disabled|open)(?=\{% end)', "", source
    )  # an attribute that is there or not
    source = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", " ", source, flags=re.S)
    found = {
        word for text in words(source) for word in re.split(r"[^\w-]+", EXAMPLE.sub(" ", text)) if LETTERS.search(word)
    }
    assert found <= NAMES


class Marked(NullTranslations):
    """A language that says everything in brackets."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"

    def pgettext(self, context: str, message: str) -> str:
        return f"⟦{message}⟧"

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"


PSEUDO = Language("x-pseudo", Marked())
DATA = NAMES | {
    *("alice", "bob", "ann", "rita", "Deutsch", "INBOX", "mbox", "kB", "MB", "GB", "TB", "API", "CSV", "JSON", "zip"),
    *("fixed", "zzz"),
}
"""Names that somebody gave, and what is written alike everywhere."""

PATHS = [path for method, path, _, _ in SCREENS if method == "GET" and "." not in path]
MORE = [
    "/search?q=fixed",
    "/search?q=zzz",
    "/search?q=from:",
    "/add?address=nonsense",
    "/receipts?account=alice&from=1970-01-01",
    "/receipts?from=never",
    "/nowhere",
    "/?said=paused",
]


def unsaid(html: str) -> list[str]:
    """Return the words of a page that are in no brackets, and no names."""
    text = " \n ".join(words(html))
    while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", " ", text)) != text:
        text = shorter
    text = re.sub(
        r"\w*(/[\w.-]+)+|\S+@\S+|\b[0-9a-f]{16,}\b|\b[0-9a-f]+\.[0-9a-f.]+|\w+:\S*|[\w.-]+\.example\.\w+", " ", text
    )
    return [line.strip() for line in text.splitlines() if set(LETTERS.findall(line)) - DATA]


def finding(number: int) -> Finding:
    entry = ENTRIES[number]
    cure = Cure(entry.cure, ("mailferry", "run"), (Setting("config.toml", ("accounts", 0, "x"), 1),))
    return Finding(entry.id, entry.severity, "a cause", ("alice",), None, entry.text, 5.0, cure)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    path = written(folder, "alice", "bob")
    stored(folder, "alice", FIXED, letter(html="<p>hello <img src=https://example.org/x.png></p>"))
    ledger = Ledger.open(folder / "state")
    delete(ledger, 60, "alice")
    set_aside(ledger, "alice", 30)
    ledger.close()
    with opened(path, [ENGLISH, PSEUDO]) as one:
        one.findings = lambda _config: [finding(number) for number in range(len(ENTRIES))]
        yield one


@pytest.fixture(scope="module")
def browser(here: Office) -> Browser:
    browser = here.signed_in()
    browser.send(browser.get("/language").form("/language"), language=PSEUDO.tag)
    return browser


@pytest.mark.parametrize("path", [*map(filled, PATHS), *MORE])
def test_every_word_of_every_page_is_translated(here: Office, browser: Browser, path: str) -> None:
    page = browser.get(path)
    if page.location:
        page = browser.follow(page)
    if not page.headers["content-type"].startswith("text/html") or path.endswith("/layout"):
        return
    assert f'lang="{PSEUDO.tag}"' in page.text
    assert unsaid(page.text) == []
