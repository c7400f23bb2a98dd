from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.migrate_support import Monitor, letters
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(letters(6))) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path) -> Monitor:
    return Monitor(tmp_path, {"PASSWORD": "open-sesame"})
