"""Numbers and tables that the pages name are those of the code."""

from __future__ import annotations

import tomllib

import pytest

from jobs.maintenance.upkeep import PARTS
from migrator.demo.samples import COUNT
from migrator.parse.content import MOST_PARTS
from migrator.search.update import LONGEST_LOOKED_AT
from tests.pages.documents import ROOT, blocks_of, written_pages


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("docs/tutorial.md", f"with {COUNT} sample messages"),
        ("docs/archive.md", f"parts ({MOST_PARTS:,})"),
        ("docs/archive.md", f"larger than {LONGEST_LOOKED_AT >> 20} MiB"),
        ("docs/operations.md", f"in {PARTS} slices"),
    ],
)
def test_a_number_is_that_of_the_code(page: str, said: str) -> None:
    assert said in " ".join((ROOT / page).read_text(encoding="utf-8").split())


def test_every_piece_of_a_configuration_can_be_read() -> None:
    for page in written_pages():
        for block in blocks_of(page):
            if block.language == "toml":
                tomllib.loads(block.text)
