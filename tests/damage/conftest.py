from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import Site
from tests.mail import letters
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(letters(6))) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, {"PASSWORD": "open-sesame"})
