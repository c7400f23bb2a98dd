"""The site has every page that people write, in its menu."""

from __future__ import annotations

import re

from tests.pages.documents import ROOT

SITE = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
LISTED = re.findall(r"^ +- [^:]+: (\S+\.md)$", SITE, re.M)


def test_the_menu_leads_to_pages_that_are_there() -> None:
    assert [name for name in LISTED if not (ROOT / "docs" / name).is_file()] == []


def test_every_page_is_in_the_menu() -> None:
    """Those of single commands and of decisions are found from the page that lists them."""
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "uses").glob("*.md")]
    assert sorted({str(page.relative_to(ROOT / "docs")) for page in pages} - set(LISTED)) == []
