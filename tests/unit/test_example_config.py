from __future__ import annotations

import re
import tomllib
from pathlib import Path

from migrator.config import load

ROOT = Path(__file__).parents[2]


def test_the_example_loads_and_needs_only_its_passwords(tmp_path: Path) -> None:
    copy = tmp_path / "config.toml"
    copy.write_bytes((ROOT / "config.example.toml").read_bytes())
    config = load(copy)
    assert [account.name for account in config.accounts] == ["alice", "bob"]
    assert config.warnings == ()


def test_what_the_example_has_commented_out_is_valid_toml() -> None:
    text = (ROOT / "config.example.toml").read_text()
    commented = re.findall(r"^# (\w+ = .*)$", text, re.M)
    assert len(commented) >= 8
    for line in commented:
        assert tomllib.loads(line)
