"""What the documents and the unit promise, held against the code."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "deploy" / "mailferry.service"
COMPOSED = (ROOT / "deploy" / "compose.yaml", ROOT / "deploy" / "compose.fleet.yaml")


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
    for path in (UNIT, *COMPOSED):
        assert not re.search(r"(?i)password\s*=\s*\S", re.sub(r"#.*", "", path.read_text()))


def test_neither_the_unit_nor_the_compose_file_lets_a_core_be_dumped() -> None:
    assert "\nLimitCORE=0\n" in UNIT.read_text()
    for path in COMPOSED:
        assert "ulimits: { core: 0 }" in path.read_text()


def test_an_instance_differs_from_the_worker_in_its_places_only() -> None:
    def settings(text: str) -> list[str]:
        return [line for line in text.splitlines() if "=" in line and line[0] != "#"]

    instance = settings((ROOT / "deploy" / "mailferry@.service.d" / "instance.conf").read_text())
    names = [line.partition("=")[0] for line in instance]
    assert names == ["Description", "ExecStart", "ExecStart", "StateDirectory", "WorkingDirectory"]
    assert instance[1] == "ExecStart="
    alone = settings(UNIT.read_text())
    for line in instance[2:]:
        assert line.replace("/%i", "").replace("/etc/mailferry.toml", "/etc/mailferry/config.toml") in alone
