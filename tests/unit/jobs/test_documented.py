"""What the documents and the unit promise, held against the code."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "deploy" / "mailferry.service"


def test_every_event_is_documented_and_every_documented_event_exists() -> None:
    said = {
        name
        for folder in ("jobs", "migrator")
        for path in (ROOT / folder).rglob("*.py")
        for name in re.findall(r'(?:say\(|event\(_LOG,)\s*"([a-z_.]+)"', path.read_text())
    }
    listed = set(re.findall(r"^\| `([a-z_.]+)`", (ROOT / "docs" / "events.md").read_text(), re.MULTILINE))
    assert said
    assert said == listed


def test_every_metric_in_the_documents_is_exported() -> None:
    named = set(re.findall(r"`?mailferry_([a-z_]+)", (ROOT / "docs" / "operations.md").read_text()))
    source = (ROOT / "jobs" / "monitoring" / "metrics.py").read_text()
    assert named
    assert {name for name in named if name.removesuffix("_total") not in source} == set()


def test_the_unit_is_well_sealed() -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed (on Debian: apt install systemd)")
    done = subprocess.run(
        [tool, "security", "--offline=true", "--no-pager", str(UNIT)], capture_output=True, text=True, check=False
    )
    exposure = re.search(r"Overall exposure level for mailferry\.service: ([\d.]+)", done.stdout)
    assert exposure, done.stderr
    assert float(exposure[1]) <= 2.0


def test_no_password_can_stand_in_the_unit_or_the_compose_file() -> None:
    for path in (UNIT, ROOT / "deploy" / "compose.yaml"):
        assert not re.search(r"(?i)password\s*=\s*\S", re.sub(r"#.*", "", path.read_text()))
