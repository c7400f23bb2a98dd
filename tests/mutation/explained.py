"""Survivors that need no test, each with its reason: ``survivors.toml`` beside this file."""

from __future__ import annotations

import tomllib
from pathlib import Path

SURVIVORS = Path(__file__).with_name("survivors.toml")

Name = tuple[str, str, str, str]
"""Module, function, text of the line, change."""


def explained(path: Path = SURVIVORS) -> dict[Name, str]:
    """Return the reasons by the mutants' names; ``ValueError`` for one that lacks something or stands there twice."""
    reasons: dict[Name, str] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", []):
        try:
            name = (entry["module"], entry["function"], entry["line"], entry["change"])
            reason = entry["reason"]
        except KeyError as missing:
            raise ValueError(f"{path.name}: {entry} has no {missing}") from None
        if name in reasons or not reason:
            raise ValueError(f"{path.name}: {name} stands there twice, or without a reason")
        reasons[name] = reason
    return reasons


def as_entry(name: Name) -> str:
    """Return what to write into ``survivors.toml`` for a mutant; the reason is for a person to write."""
    keys = zip(("module", "function", "line", "change"), name, strict=True)
    return "\n".join(["[[survivor]]", *(f"{key} = {_literal(value)}" for key, value in keys), 'reason = ""'])


def _literal(text: str) -> str:
    """Write TOML: literal where that is possible, so that it reads as the code does."""
    return f"'{text}'" if "'" not in text else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
