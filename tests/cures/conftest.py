from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import Ferry, Site
from tests.cures.bench import Bench
from tests.servers.pop3 import Pop3Server


@pytest.fixture
def bench(tmp_path: Path, ferry: Ferry, server: Pop3Server, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """An empty installation beside the server, whose password is in the variable PASSWORD."""
    monkeypatch.setenv("PASSWORD", server.password)
    return Bench(Site(tmp_path, {"PASSWORD": server.password}), ferry)
