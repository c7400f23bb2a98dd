from __future__ import annotations

from collections.abc import Iterator

import pytest

from migrator.config.table import Table
from tests.pages.configuration import TABLES
from tests.pages.printed import PAGES, ROOT


@pytest.mark.parametrize("name", PAGES)
def test_a_printed_page_is_what_the_code_says(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name](), "renew it: make docs"


def test_every_table_of_a_configuration_is_printed() -> None:
    assert set(TABLES.values()) == {table for table in tables() if not table.__subclasses__()}


def test_every_key_says_what_it_means() -> None:
    silent = [
        f"{table.__name__}.{name}"
        for table in tables()
        for name, field in table.model_fields.items()
        if not field.description
    ]
    assert silent == []


def tables(above: type[Table] = Table) -> Iterator[type[Table]]:
    for table in above.__subclasses__():
        yield table
        yield from tables(table)
