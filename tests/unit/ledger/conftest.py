from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator.ledger import Ledger

Place = Path | str
"""Where a ledger is: a state folder, or the address of a database."""


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where there is no ledger yet, in each kind of database."""
    if request.param == "sqlite":
        return tmp_path
    address: str = request.getfixturevalue("database")
    return address


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    with closing(Ledger.open(place)) as ledger:
        yield ledger
