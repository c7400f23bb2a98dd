from __future__ import annotations

from tests.command_line import ROOT
from tests.scenarios.matrix import page


def test_the_published_tables_are_those_of_the_tests() -> None:
    published = ROOT / "docs" / "server-behaviour.md"
    assert published.read_text() == page(), "renew it: python -m tests.scenarios.matrix > docs/server-behaviour.md"
