"""A scene to record a run in, or the reason why nothing can be recorded here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.power.operations import why_not
from tests.power.scene import MESSAGES, Scene
from tests.servers.pop3 import Maildrop, Pop3Server


@pytest.fixture
def scene(tmp_path: Path, kind: str) -> Iterator[Scene]:
    """A server with mail and an empty folder, in memory where that can be had: what counts is that a sync is asked for."""
    if reason := why_not():
        pytest.skip(reason)
    memory = Path("/dev/shm")
    with (
        TemporaryDirectory(prefix="mailferry-power-", dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder,
        Pop3Server(Maildrop(MESSAGES), auth=["PLAIN"]) as server,
    ):
        yield Scene(Path(folder), server, kind)
