"""Writes the pages of docs/ that are printed from the code: ``make docs``."""

from __future__ import annotations

from tests.pages import commands
from tests.pages.printed import PAGES, ROOT

commands.drop_stale()

for name, page in PAGES.items():
    (ROOT / "docs" / name).write_text(page(), encoding="utf-8")
