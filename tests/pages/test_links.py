"""What README and docs/ point to is there: files, places in them, folders and modules of the tree, and numbers of things."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.pages.documents import ROOT

PAGES = {
    str(page.relative_to(ROOT)): page
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tests" / "README.md"]
}
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^( *)```.*?^\1```|`[^`\n]+`", re.M | re.S)
_PATH = re.compile(r"`((?:docs|deploy|tests|migrator|jobs|benchmarks)/[\w./-]+)`")


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    broken = [link for link in links_in(PAGES[name]) if not leads_somewhere(PAGES[name], link)]
    assert broken == []


@pytest.mark.parametrize("name", PAGES)
def test_every_path_that_is_named_is_there(name: str) -> None:
    named = _PATH.findall(PAGES[name].read_text(encoding="utf-8"))
    assert [path for path in named if not list(ROOT.glob(path.replace("TAG", "*")))] == []


def test_every_page_is_found_from_the_first() -> None:
    """A page to which nothing leads is read by nobody."""
    found, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in found or page.suffix != ".md" or not page.is_file():
            continue
        found.add(page)
        links = (link.partition("#")[0] for link in links_in(page) if "://" not in link)
        waiting += [(page.parent / link).resolve() for link in links if link]
    assert [str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md") if page not in found] == []


def links_in(page: Path) -> Iterator[str]:
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    yield from (link for link in _LINK.findall(text) if not link.startswith("mailto:"))


def leads_somewhere(page: Path, link: str) -> bool:
    """Say whether a link leads to a place in this tree, or is a well-formed address elsewhere, which nobody asks here."""
    if re.match(r"\w+:", link):
        return re.fullmatch(r"https?://[\w.-]+\.\w+(/\S*)?", link) is not None
    path, _, anchor = link.partition("#")
    target = page if not path else (page.parent / path).resolve()
    return target.exists() and (not anchor or target.suffix != ".md" or anchor in anchors_of(target))


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Return what the headings of a page are called by, as GitHub makes it of them."""
    text = re.sub(r"^( *)```.*?^\1```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    found: dict[str, int] = {}
    anchors = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.M):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        seen = found[anchor] = found.get(anchor, -1) + 1
        anchors.add(f"{anchor}-{seen}" if seen else anchor)
    return frozenset(anchors)
