from __future__ import annotations

import pytest

from migrator.parse.layout import cleaned
from migrator.parse.link_hosts import with_hosts
from tests.unit.parse.attacks import ATTACKS

pytest.importorskip("nh3")


@pytest.mark.parametrize("kind", ATTACKS)
def test_html_without_misleading_links_stays_as_it_is(kind: str) -> None:
    once = cleaned(ATTACKS[kind])
    assert with_hosts(once) == once


@pytest.mark.parametrize(
    ("text", "is_marked"),
    [
        ("http://bank.example/login", True),
        ("bank.example", True),
        ("example.org", False),
        ("https://www.example.org/x", False),
        ("click here", False),
        ("version 1.2", False),
        ("<b>bank</b>.example", True),
        ("", False),
    ],
)
def test_a_host_is_added_where_the_text_names_another(text: str, is_marked: bool) -> None:
    marked = with_hosts(f'<a href="https://example.org/">{text}</a> &amp; &#60;')
    assert ("[example.org]" in marked) is is_marked
    assert marked.endswith(" &amp; &#60;")
