"""An office of one account for the tests of the archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.archive.office import Office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)
