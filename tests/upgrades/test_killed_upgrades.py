"""An upgrade that is killed at any step is done by the next start, with the ledger of then kept whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from migrator.ledger.sqlite.connection import VERSION
from tests.command_line import ROOT
from tests.upgrades.then import VERSIONS, unpack


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in which fsync costs nothing, where the machine has one: a killed process loses nothing of either."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


@pytest.mark.parametrize("version", [version for version in VERSIONS if version < VERSION])
def test_a_kill_at_any_step_of_an_upgrade_costs_nothing(version: int, in_memory: Path) -> None:
    unpack(version, in_memory)
    done = subprocess.run(
        [sys.executable, "-m", "tests.upgrades.dying", in_memory / "state"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == {}
    assert found["steps"] > 20
